"""`?q=` of the incident list: the page's and the API's, with filters, orders and pages."""

from __future__ import annotations

import random
import re

import pytest
from django.db import connection
from django.db.models import Func
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as checked
from hypothesis import strategies as st

from incidents.actions import comment_on
from incidents.models import Incident
from spine.people.actions import create_token
from spine.search import matching as module
from spine.search import sources
from spine.search.indexing import index
from spine.search.matching import matching
from spine.tickets.actions import watch
from spine.tickets.models import Ticket

pytestmark = pytest.mark.django_db
URL = "/api/v1/incidents/"


@pytest.fixture(params=["few", "many"])
def plan(request, monkeypatch):
    """Both ways of asking: found first, or probed along the list's order."""
    if request.param == "many":
        monkeypatch.setattr(module, "COMMON", 0)
    return request.param


@pytest.fixture
def make(make_incident, indexed):
    def do(title, **values):
        made = make_incident(title=title, **{"description": "", **values})
        indexed()
        return made

    return do


@pytest.fixture
def api():
    def make(user):
        _token, key = create_token(actor=user, name="test", scope="read")
        client = Client(raise_request_exception=False)
        client.defaults["HTTP_AUTHORIZATION"] = f"Token {key}"
        return client

    return make


def titles(user, text):
    visible = Incident.objects.visible_to(user).filter(matching(user, "incident", text))
    return sorted(visible.values_list("title", flat=True))


def listed(client, **parameters):
    answer = client.get(URL, parameters)
    assert answer.status_code == 200, answer.content
    return [row["title"] for row in answer.json()["results"]]


def test_the_words_are_read_as_the_search_page_reads_them(plan, make, agent):
    made = make("Printers on floor three are broken", description="Since the toner change.")
    make("三楼打印机无法连接", description="重启之后仍然报错")
    make("Mail is slow")
    number = made.number
    for text in ("printer", "PRINTING", "prin", "toner printers", '"floor three"', number,
                 number.lower(), number.lstrip("INC0"), f"number:{number}", "broken -mail",
                 ):  # fmt: skip
        assert titles(agent, text) == [made.title], text
    for text in ("打印机", "机", "无法连接", "三楼 报错", "打印机 -扫描仪"):
        assert titles(agent, text) == ["三楼打印机无法连接"], text
    for text in ("prin ", "scanner", '"three floor"', "printer -toner", "扫描仪", "the", "?!"):
        assert titles(agent, text) == [], text
    assert titles(agent, "-printer -打印机") == ["Mail is slow"]
    assert len(titles(agent, "number:INC")) == 3


def test_an_identifier_of_another_system_finds_it(plan, make, agent):
    made = make("Imported")
    Ticket.objects.filter(pk=made.pk).update(external_source="old", external_id="SR-12/7_a")
    index(sources.get("incident"), [made.pk])
    assert titles(agent, "SR-12/7_a") == titles(agent, "SR-12") == ["Imported"]
    assert titles(agent, "SR_12") == titles(agent, "sr-12/7%") == []


def test_work_notes_count_for_those_who_read_them_alone(
    plan, make, agent, auditor, caller, partner, indexed
):
    house = make("Badge reader")
    own = make("Badge of the partner", caller=partner, actor=agent)
    for ticket in (house, own):
        comment_on(ticket, actor=agent, body="Suspect zanzibar", visibility="note")
    watch(house, actor=agent, user=partner)
    indexed()
    both = ["Badge of the partner", "Badge reader"]
    for reader in (agent, auditor):
        assert titles(reader, "zanzibar") == titles(reader, "badge zanzibar") == both
        assert titles(reader, "badge -zanzibar") == []
    assert titles(caller, "zanzibar") == titles(caller, "badge zanzibar") == []
    assert titles(caller, "badge -zanzibar") == ["Badge reader"], "no guessing by leaving it out"
    assert titles(partner, "zanzibar") == ["Badge of the partner"], "their own house's notes alone"
    assert titles(partner, "badge -zanzibar") == ["Badge reader"]


def test_the_api_walks_every_page_in_every_order_under_filters(plan, make, make_incident, api,
                                                               agent, team, indexed):  # fmt: skip
    shuffled = random.Random(7)
    expected = set()
    for place in range(17):
        wanted = shuffled.random() < 0.5
        made = make_incident(
            title="Walrus" if wanted else "Seal",
            impact=place % 3 + 1,
            assignment_group=team if place % 2 else None,
            actor=agent,
        )
        if wanted and place % 2:
            expected.add(made.number)
    indexed()
    assert len(expected) >= 3
    client = api(agent)
    for ordering in ("-opened_at", "opened_at", "-updated_at", "due_at", "priority"):
        address = (
            f"{URL}?q=walr&active=true&assignment_group={team.uuid}&ordering={ordering}"
            "&limit=2&count=exact"
        )
        numbers = []
        while address:
            answer = client.get(address)
            assert answer.status_code == 200, answer.content
            page = answer.json()
            assert page["count"] == len(expected)
            numbers += [row["number"] for row in page["results"]]
            address = page["next"]
        assert len(numbers) == len(set(numbers))
        assert set(numbers) == expected, ordering


def test_the_api_keeps_to_the_readers_scope(make, api, caller, other_caller, agent):
    make("Walrus one")
    make("Walrus two", caller=other_caller)
    assert sorted(listed(api(agent), q="walrus")) == ["Walrus one", "Walrus two"]
    assert listed(api(caller), q="walrus") == ["Walrus one"]
    assert listed(api(other_caller), q="walrus", priority__in="1,2,3,4,5") == ["Walrus two"]


@pytest.mark.parametrize("text", ["", "x" * 201])
def test_what_is_no_text_is_refused_by_name(api, agent, text):
    answer = api(agent).get(URL, {"q": text})
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json()["errors"]] == ["q"]
    assert api(agent).get(URL, {"q": "nul\x00"}).status_code == 400


@pytest.mark.parametrize(
    "text",
    ["'", "'' | !x", "a:*b & (c", "\\", "%", "_", ":*", "!!", "<->", "-", '"', '-"', "number:",
     "number:%", "number:'", "\x07\u202e", "é" * 200, "🙂 🙂", "a " * 100, "-a " * 60, "$$;--",
     "9" * 200, "INC" + "0" * 150],
)  # fmt: skip
def test_hostile_text_is_a_question_like_any_other(plan, make, api, sign_in, agent, text):
    make("Ordinary")
    assert api(agent).get(URL, {"q": text}).status_code == 200
    assert sign_in(agent).get("/incidents/", {"q": text}).status_code == 200


@pytest.fixture
def ordinary(make):
    return make("Ordinary")


@checked(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=60))
def test_any_text_is_a_question(ordinary, agent, text):
    assert set(titles(agent, text)) <= {"Ordinary"}


def test_too_slow_a_list_says_so(make, api, sign_in, agent, settings, monkeypatch):
    """A condition that never ends stands for words that match too much in the wrong order."""
    from django.db.models import BooleanField, Q, Value

    make("Walrus")
    settings.LIST_STATEMENT_TIMEOUT_MS = 100
    slow = Func(
        Value(5), function="pg_sleep", template="(%(function)s(%(expressions)s) IS NOT NULL)",
        output_field=BooleanField(),
    )  # fmt: skip
    monkeypatch.setattr("spine.search.filters.matching", lambda *_given: Q(slow))
    answer = api(agent).get(URL, {"q": "walrus"})
    assert (answer.status_code, answer.json()["code"]) == (503, "query_too_slow")
    page = sign_in(agent).get("/incidents/", {"q": "walrus"})
    assert "took too long" in page.content.decode()


def test_the_page_shows_the_words_as_a_chip_with_a_way_out(make, sign_in, agent, team):
    make("Walrus", assignment_group=team, actor=agent)
    make("Seal", assignment_group=team, actor=agent)
    make("打印机", assignment_group=team, actor=agent)
    client = sign_in(agent)
    page = client.get("/incidents/", {"q": 'walrus -"<b>"', "view": "team"}).content.decode()
    shown = re.findall(r'class="row-link"[^>]*>([^<]+)<', page)
    assert [one.strip() for one in shown] == ["Walrus"]
    chips = re.search(r'<ul class="chips".*?</ul>', page, re.S)[0]
    assert "Words <b>walrus -&quot;&lt;b&gt;&quot;</b>" in chips
    assert 'href="/incidents/?view=team"' in chips, "the way out keeps the view"
    page = client.get("/incidents/", {"q": "打印"}).content.decode()
    assert re.findall(r'class="row-link"[^>]*>\s*([^<]+?)\s*<', page) == ["打印机"]
    assert "took too long" not in page


def test_the_panel_takes_words_and_keeps_the_rest(make, sign_in, agent):
    make("Walrus")
    page = sign_in(agent).get("/incidents/filter/?q=wal&close_code=x").content.decode()
    assert re.search(r'<input[^>]*name="q"[^>]*value="wal"', page)
    assert page.count('name="q"') == 2, "once in the top bar, once in the panel"
    assert re.search(r'<input type="hidden" name="close_code" value="x"', page)


def test_the_words_cost_two_small_questions(make, api, agent):
    make("Walrus")
    client = api(agent)
    client.get(URL)

    def asked(**parameters):
        with CaptureQueriesContext(connection) as queries:
            client.get(URL, parameters)
        return len(queries)

    assert asked(q="walrus") == asked() + 2


def test_openapi_documents_it(client):
    schema = client.get("/api/schema/?format=json").json()
    operation = schema["paths"]["/api/v1/incidents/"]["get"]
    (one,) = [each for each in operation["parameters"] if each.get("name") == "q"]
    assert one["in"] == "query"
    assert one["schema"]["maxLength"] == 200
    assert "work notes" in one["schema"]["description"]
