from __future__ import annotations

import pytest
from django.urls import reverse

from spine.kit.db import QueryTooSlow
from spine.search import views
from tests.search.test_queries import HOSTILE

pytestmark = pytest.mark.django_db


@pytest.fixture
def found(make_incident, indexed):
    made = make_incident(title="Yak & <b>bold</b>", description="A yak in the **server** room.")
    indexed()
    return made


def test_the_page_shows_marks_numbers_and_links(found, agent, sign_in):
    body = sign_in(agent).get(reverse("search:results"), {"q": "yak"}).content.decode()
    assert "<mark>Yak</mark> &amp; &lt;b&gt;" in body
    assert found.number in body
    assert f"/incidents/{found.number}/" in body
    assert "<b>bold" not in body


def test_a_whole_number_leads_to_its_record(found, agent, caller, other_caller, sign_in):
    answer = sign_in(agent).get(reverse("search:results"), {"q": found.number.lower()})
    assert answer.status_code == 302
    assert answer["Location"] == f"/incidents/{found.number}/"
    answer = sign_in(caller).get(reverse("search:results"), {"q": found.number})
    assert answer["Location"].startswith("/portal/")
    assert sign_in(other_caller).get(
        reverse("search:results"), {"q": found.number}
    ).status_code == 200  # fmt: skip


def test_a_caller_searches_their_own_in_the_portals_frame(found, caller, other_caller, sign_in):
    body = sign_in(caller).get(reverse("search:results"), {"q": "yak"}).content.decode()
    assert found.number in body
    assert "portal-top" in body
    body = sign_in(other_caller).get(reverse("search:results"), {"q": "yak"}).content.decode()
    assert found.number not in body
    assert "Nothing found" in body


def test_a_stranger_signs_in_first(client):
    assert client.get(reverse("search:results"), {"q": "x"}).status_code == 302
    assert client.get(reverse("search:suggest"), {"q": "x"}).status_code == 302


@pytest.mark.parametrize("text", [text for text in HOSTILE if "\ud800" not in text])
def test_hostile_text_gets_a_page(text, agent, sign_in):
    client = sign_in(agent)
    for name in ("search:results", "search:suggest"):
        assert client.get(reverse(name), {"q": text}).status_code in {200, 400}
        assert client.get(reverse(name), {"q": "x", "kind": text}).status_code in {200, 400}


def test_suggestions_for_the_top_bar_and_for_fields(found, agent, caller, other_caller, sign_in):
    answer = sign_in(agent).get(reverse("search:suggest"), {"q": "ya"})
    assert answer.json() == [
        {
            "value": found.number,
            "text": "Yak & <b>bold</b>",
            "hint": found.number,
            "url": f"/incidents/{found.number}/",
            "kind": "incident",
            "label": "Incidents",
        }
    ]
    assert "no-store" in answer["Cache-Control"]
    client = sign_in(agent)
    assert client.get(reverse("search:suggest"), {"q": "ya", "kind": "person"}).json() == []
    assert sign_in(other_caller).get(reverse("search:suggest"), {"q": "ya"}).json() == []


def test_a_search_that_takes_too_long_says_so(agent, sign_in, monkeypatch):
    def slow(*_args, **_values):
        raise QueryTooSlow

    monkeypatch.setattr(views, "search", slow)
    client = sign_in(agent)
    answer = client.get(reverse("search:results"), {"q": "yak"})
    assert answer.status_code == 503
    assert "took too long" in answer.content.decode()
    assert client.get(reverse("search:suggest"), {"q": "yak"}).json() == []
