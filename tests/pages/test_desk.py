"""My work: its numbers and the lists that they open; choices; the first page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from incidents import actions
from incidents.models import Incident
from spine.kit.clock import now
from spine.people.models import User
from spine.tickets import actions as tickets
from tests.pages.busy import Desk
from tests.pages.test_list import numbers
from tests.pages.test_record import words

Signed = Callable[[User], Client]
STAT = re.compile(
    r'<a class="card stat [^"]*" href="([^"]+)">\s*<span class="meta">([^<]+)</span><b>(\d+)'
)


def stats(page: Any) -> dict[str, tuple[int, str]]:
    found = STAT.findall(page.content.decode())
    return {label: (int(value), url.replace("&amp;", "&")) for url, label, value in found}


def test_each_number_opens_exactly_its_list(sign_in: Signed, agent: User, desk: Desk) -> None:
    client = sign_in(agent)
    shown = stats(client.get("/desk/"))
    assert set(shown) == {"On your desk", "Callers wrote back", "Due today", "Waiting for somebody"}
    for label, (count, url) in shown.items():
        assert len(numbers(client.get(url))) == count, label
    assert shown["On your desk"][0] >= 3
    assert shown["Callers wrote back"][0] == 1
    assert shown["Waiting for somebody"][0] >= 2


def test_an_answer_takes_it_off_the_callers_list(sign_in: Signed, agent: User, desk: Desk) -> None:
    client = sign_in(agent)
    _count, url = stats(client.get("/desk/"))["Callers wrote back"]
    number = numbers(client.get(url))[0]
    actions.comment_on(Incident.objects.get(number=number), actor=agent, body="Thank you.")
    assert stats(client.get("/desk/"))["Callers wrote back"][0] == 0


def test_what_woke_comes_back(sign_in: Signed, agent: User, system: User, desk: Desk) -> None:
    client = sign_in(agent)
    incident = next(
        one for one in desk.incidents if one.assignee_id == agent.pk and one.state == "in_progress"
    )
    values = {
        "hold_reason": "awaiting_vendor",
        "follow_up_at": (now() + timedelta(hours=2)).isoformat(),
    }
    actions.move_incident(incident, "hold", actor=agent, values=values)
    assert "Came back from hold" not in words(client.get("/desk/"))
    with time_machine.travel(now() + timedelta(hours=3)):
        assert tickets.wake(Incident.objects.get(pk=incident.pk), actor=system)
        page = words(client.get("/desk/"))
    assert "Came back from hold 1" in page
    assert "the follow-up time came, back to work" in words(
        client.get(f"/incidents/{incident.number}/")
    )


def test_a_quiet_desk_says_so(sign_in: Signed, agent: User) -> None:
    assert "All quiet" in words(sign_in(agent).get("/desk/"))


def test_the_first_page_is_each_one_s_own(sign_in: Signed, agent: User, caller: User) -> None:
    assert sign_in(agent).get("/")["Location"] == "/desk/"
    assert sign_in(caller).get("/")["Location"] == "/portal/"
    assert Client().get("/")["Location"].startswith("/login/")
    assert sign_in(caller).get("/desk/").status_code == 403


def test_my_work_costs_what_was_reviewed(
    sign_in: Signed, agent: User, desk: Desk, count_queries: Any
) -> None:
    client = sign_in(agent)
    client.get("/desk/")
    with count_queries("desk"):
        client.get("/desk/")


class TestChoices:
    @pytest.mark.parametrize("typed", ["liwei", "lw", "李", "weili", "li.wei"])
    def test_people_in_any_spelling(
        self, sign_in: Signed, agent: User, desk: Desk, typed: str
    ) -> None:
        found = sign_in(agent).get("/choices/people/", {"q": typed}).json()["results"]
        assert "李伟" in [row["text"] for row in found]

    def test_only_those_one_may_see(
        self, sign_in: Signed, partner: User, agent: User, caller: User, desk: Desk
    ) -> None:
        found = sign_in(partner).get("/choices/people/", {"q": ""}).json()["results"]
        assert [row["text"] for row in found] == ["Paul Partner"]
        hint = sign_in(agent).get("/choices/people/", {"q": "novak"}).json()["results"][0]["hint"]
        assert hint == "Retail operations · caller"
        assert sign_in(caller).get("/choices/people/").status_code == 403

    def test_teams_services_categories(self, sign_in: Signed, agent: User, desk: Desk) -> None:
        client = sign_in(agent)

        def texts(what: str, typed: str) -> list[str]:
            rows = client.get(f"/choices/{what}/", {"q": typed}).json()["results"]
            return [row["text"] for row in rows]

        assert texts("teams", "serv") == ["Service desk"]
        assert texts("services", "erp") == ["ERP Finance"]
        assert texts("categories", "vpn") == ["VPN"]
        assert texts("services", "no such thing") == []
