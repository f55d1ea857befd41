"""The list page: views, filters, order, pages, what it costs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils.http import urlencode

from incidents import actions
from spine.people.models import Team, User
from tests.pages.busy import Desk
from tests.triage import triaged

Signed = Callable[[User], Client]
NUMBERS = re.compile(r'id="row-(INC\d{7})"')


def numbers(response: Any) -> list[str]:
    return NUMBERS.findall(response.content.decode())


@pytest.fixture
def client(sign_in: Signed, agent: User) -> Client:
    return sign_in(agent)


def test_each_view_shows_its_rows(client: Client, desk: Desk, agent: User) -> None:
    by_state = {one.number: one for one in desk.incidents}
    shown = numbers(client.get("/incidents/?view=all"))
    assert set(shown) == set(by_state)
    mine = {one.number for one in desk.incidents if one.assignee_id == agent.pk and one.active}
    assert set(numbers(client.get("/incidents/?view=mine"))) == mine
    nobody = {one.number for one in desk.incidents if one.assignee_id is None}
    assert set(numbers(client.get("/incidents/?view=unassigned"))) == nobody
    held = {one.number for one in desk.incidents if one.state == "on_hold"}
    assert set(numbers(client.get("/incidents/?view=waiting"))) == held
    assert held
    solved = {one.number for one in desk.incidents if one.state == "resolved"}
    assert set(numbers(client.get("/incidents/?view=resolved"))) == solved
    assert solved


def test_my_team_is_the_first_view_and_knows_other_teams(
    client: Client, desk: Desk, caller: User
) -> None:
    foreign = actions.open_incident(
        actor=caller,
        values={"title": "Not ours", "channel": "portal"},
    )
    foreign = triaged(foreign, assignment_group=desk.other_team)
    shown = numbers(client.get("/incidents/"))
    assert foreign.number not in shown
    assert len(shown) == len(desk.incidents)


def test_breaching_today_holds_what_is_over_and_due_by_midnight(client: Client, desk: Desk) -> None:
    shown = numbers(client.get("/incidents/?view=today"))
    due = [one for one in desk.incidents if one.number in shown]
    assert due
    assert all(one.due_at is not None for one in due)
    assert any(one.breached or one.due_at for one in due)
    order = [next(one for one in due if one.number == number).due_at for number in shown]
    assert order == sorted(order)


def test_filters_become_chips_that_can_be_taken_away(client: Client, desk: Desk) -> None:
    page = client.get("/incidents/?view=all&priority__in=1,2&assignee=me").content.decode()
    assert "<b>P1, P2</b>" in page
    assert "<b>me</b>" in page
    assert 'href="/incidents/?view=all&amp;priority__in=1,2"' in page
    assert 'href="/incidents/?view=all&amp;assignee=me"' in page


def test_a_view_s_own_chip_goes_and_leaves_the_rest(client: Client, desk: Desk) -> None:
    page = client.get("/incidents/?view=mine").content.decode()
    # Without "assignee me" the list is what is open, whoever has it.
    assert 'href="/incidents/?active=true"' in page
    everybody = numbers(client.get("/incidents/?active=true"))
    assert len(everybody) == sum(one.active for one in desk.incidents)


def test_a_form_of_filters_is_kept_as_a_short_address(client: Client, desk: Desk) -> None:
    sent = [("view", "all"), ("state__in", "new"), ("state__in", "on_hold"), ("caller", "")]
    response = client.get(f"/incidents/?{urlencode(sent)}")
    assert response.status_code == 302
    assert response["Location"] == "/incidents/?view=all&state__in=new,on_hold"
    shown = numbers(client.get(response["Location"]))
    wanted = {one.number for one in desk.incidents if one.state in {"new", "on_hold"}}
    assert set(shown) == wanted


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("state=zzz", "not one of the available choices"),
        ("nonsense=1", "There is no parameter"),
        ("opened_at__gte=yesterday-ish", "Give a time"),
        ("assignee=nobody.of.this.name", "There is no"),
        ("ordering=-title", "cannot be ordered"),
        ("cursor=abc", "start again"),
        ("priority=1%27%20or%201=1", "whole number"),
    ],
)
def test_a_wrong_address_says_what_is_wrong(client: Client, query: str, said: str) -> None:
    response = client.get(f"/incidents/?{query}")
    assert response.status_code == 400
    assert said.lower() in response.content.decode().lower()
    assert "/incidents/" in response.content.decode()


def test_pages_go_on_and_back_without_a_gap(
    client: Client, open_busy_desk: Callable[..., Desk]
) -> None:
    desk = open_busy_desk(count=60)
    seen: list[str] = []
    url = "/incidents/?view=all"
    pages = 0
    while url:
        page = client.get(url)
        seen += numbers(page)
        pages += 1
        found = re.search(r'href="([^"]+)" rel="next"', page.content.decode())
        url = found.group(1).replace("&amp;", "&") if found else ""
    assert pages == 2
    assert sorted(seen) == sorted(one.number for one in desk.incidents)
    back = re.search(r'href="([^"]+)" rel="prev"', page.content.decode())
    assert back is not None
    first = numbers(client.get(back.group(1).replace("&amp;", "&")))
    assert first == seen[:50]


def test_sorting_is_offered_where_an_index_serves(client: Client, desk: Desk) -> None:
    open_list = client.get("/incidents/?view=team").content.decode()
    assert 'ordering=priority">Priority</a>' in open_list
    everything = client.get("/incidents/?view=all").content.decode()
    assert "ordering=priority" not in everything
    by_priority = client.get("/incidents/?view=team&ordering=priority")
    order = numbers(by_priority)
    levels = {one.number: one.priority for one in desk.incidents}
    assert [levels[number] for number in order] == sorted(levels[number] for number in order)
    assert 'aria-sort="ascending"' in by_priority.content.decode()


def test_live_rows_answer_304_until_something_changes(
    client: Client, desk: Desk, agent: User
) -> None:
    url = "/incidents/?view=team&rows=1"
    first = client.get(url)
    assert numbers(first)
    assert "<html" not in first.content.decode()
    again = client.get(url, headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304
    assert not again.content
    actions.update_incident(desk.incidents[0], actor=agent, values={"title": "Another title"})
    changed = client.get(url, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert "Another title" in changed.content.decode()


def test_another_organization_s_tickets_are_not_there(
    sign_in: Signed, desk: Desk, partner: User
) -> None:
    response = sign_in(partner).get("/incidents/?view=all")
    assert response.status_code == 200
    assert not numbers(response)
    assert sign_in(partner).get(f"/incidents/{desk.incidents[0].number}/").status_code == 404


def test_the_desk_is_for_staff(sign_in: Signed, caller: User) -> None:
    response = sign_in(caller).get("/incidents/")
    assert response.status_code == 403
    assert "Your own tickets are in the portal" in response.content.decode()
    assert Client().get("/incidents/").status_code == 302


def test_the_list_costs_what_was_reviewed(
    client: Client, open_busy_desk: Callable[..., Desk], count_queries: Any
) -> None:
    open_busy_desk(count=60)
    for url in ("/incidents/?view=team", "/incidents/?view=all&priority__in=1,2,3"):
        client.get(url)
    with count_queries("incidents:list"):
        page = client.get("/incidents/?view=team")
    assert len(numbers(page)) == 50
    assert len(page.content) <= 60_000
    with count_queries("incidents:list filtered"):
        client.get("/incidents/?view=all&priority__in=1,2,3")
    tag = client.get("/incidents/?view=team&rows=1")["ETag"]
    with count_queries("incidents:list rows unchanged"):
        client.get("/incidents/?view=team&rows=1", headers={"If-None-Match": tag})


class TestBulk:
    def picks(self, desk: Desk, count: int = 3) -> list[str]:
        return [one.number for one in desk.incidents if one.state == "new"][:count]

    def test_a_lead_assigns_several(self, sign_in: Signed, lead: User, desk: Desk) -> None:
        client = sign_in(lead)
        picked = self.picks(desk)
        form = client.get("/incidents/bulk/assign/", {"pick": picked})
        assert all(f'value="{number}"' in form.content.decode() for number in picked)
        response = client.post(
            "/incidents/bulk/assign/", {"pick": picked, "assignee": str(lead.uuid)}
        )
        assert response.status_code == 302
        rows = type(desk.incidents[0]).objects.filter(number__in=picked)
        assert {row.assignee_id for row in rows} == {lead.pk}

    def test_each_refusal_is_told_and_the_rest_is_done(
        self, sign_in: Signed, lead: User, desk: Desk, make_user: Callable[..., User]
    ) -> None:
        foreign = Team.objects.get(name="Platform")
        alone = make_user("alone", "agent", name="Al One")
        foreign.members.add(alone)
        picked = self.picks(desk, 2)
        actions.update_incident(
            type(desk.incidents[0]).objects.get(number=picked[0]),
            actor=lead,
            values={"assignment_group": foreign},
        )
        response = sign_in(lead).post(
            "/incidents/bulk/assign/", {"pick": picked, "assignee": str(alone.uuid)}
        )
        assert response.status_code == 409
        page = response.content.decode()
        assert "Al One is not in Service desk" in page
        assert picked[1] in page
        assert "1 incident done" in page

    def test_an_agent_is_told_why_not(self, sign_in: Signed, agent: User, desk: Desk) -> None:
        client = sign_in(agent)
        assert "bulk/take" not in client.get("/incidents/").content.decode()
        response = client.post("/incidents/bulk/take/", {"pick": self.picks(desk)})
        assert response.status_code == 403
        assert "Bulk work is for team leads." in response.content.decode()

    def test_nothing_picked_is_said(self, sign_in: Signed, lead: User, desk: Desk) -> None:
        response = sign_in(lead).post("/incidents/bulk/take/", {})
        assert response.status_code == 400
        assert "Select some incidents first." in response.content.decode()
