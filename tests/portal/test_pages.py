"""The portal's pages: one's own tickets and nobody else's, in plain words, at a bounded cost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from incidents import actions
from incidents.models import Incident
from spine.kit.clock import now
from spine.people.models import Team, User
from spine.sla.defaults import ensure_defaults
from spine.tickets import actions as tickets

Make = Callable[..., Incident]
Signed = Callable[[User], Client]
Words = Callable[[Any], str]

SOLVED = {"close_code": "solution_provided", "close_notes": "Restarted the pool."}
ASK = {"hold_reason": "awaiting_caller", "comment": "Which shop is it?"}
PAGES = ["/portal/", "/portal/new/", "/portal/tickets/", "/portal/suggest/?title=pay"]


@pytest.mark.parametrize("path", PAGES)
def test_whoever_is_not_signed_in_is_sent_to_the_door(path: str, db: None) -> None:
    response = Client().get(path)
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/login/?next=/portal/")


@pytest.mark.parametrize("path", PAGES)
def test_nobody_sees_a_word_of_somebody_elses_ticket(
    path: str, sign_in: Signed, other_caller: User, make_incident: Make, words: Words
) -> None:
    ticket = make_incident()
    page = words(sign_in(other_caller).get(path))
    assert ticket.number not in page
    assert "502" not in page


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""),
        ("post", "reply/"),
        ("post", "confirm/"),
        ("post", "reopen/"),
        ("post", "cancel/"),
    ],
)
def test_a_strangers_number_is_as_good_as_none(
    method: str, path: str, sign_in: Signed, other_caller: User, agent: User, make_incident: Make
) -> None:
    ticket = make_incident()
    for user in (other_caller, agent):
        client = sign_in(user)
        theirs = getattr(client, method)(f"/portal/tickets/{ticket.number}/{path}", {"body": "x"})
        missing = getattr(client, method)(f"/portal/tickets/INC0999999/{path}", {"body": "x"})
        assert theirs.status_code == missing.status_code == 404
    ticket.refresh_from_db()
    assert (ticket.state, ticket.thread_id) == ("new", None)


def test_the_start_page_puts_first_what_waits_for_the_reader(
    portal: Client, agent: User, make_incident: Make, words: Words
) -> None:
    asked = make_incident(title="Asked about")
    actions.move_incident(actions.take(asked, actor=agent), "hold", actor=agent, values=ASK)
    solved = actions.take(make_incident(title="Solved one"), actor=agent)
    actions.move_incident(solved, "resolve", actor=agent, values=SOLVED)
    make_incident(title="Newest of all")
    canceled = make_incident(title="Not needed")
    actions.move_incident(canceled, "cancel", actor=agent, values={"reason": "Twice"})

    page = words(portal.get("/portal/"))

    places = [page.index(part) for part in ("Waiting for you", "Under way", "Newest of all")]
    assert places == sorted(places)
    for title in ("Asked about", "Solved one"):
        assert places[0] < page.index(title) < places[1]
    assert "Not needed" not in page
    assert "We need an answer from you." in page
    assert "Did it help?" in page


def test_an_empty_start_page_says_how_to_begin(portal: Client, words: Words) -> None:
    response = portal.get("/portal/")
    assert "Nothing open" in words(response)
    assert 'href="/portal/new/"' in response.content.decode()


@pytest.mark.parametrize(
    ("name", "called"),
    [("Anna Novak", "Anna"), ("王小明", "王小明"), ("José Ruiz", "José Ruiz"), ("<b>x", "<b>x")],
)
def test_people_are_called_by_their_name(
    name: str, called: str, make_user: Callable[..., User], sign_in: Signed, words: Words
) -> None:
    page = words(sign_in(make_user("somebody", name=name)).get("/portal/"))
    assert f"What do you need, {called}?" in page


def test_who_has_it_and_by_when(
    portal: Client, system: User, agent: User, team: Team, make_incident: Make, words: Words
) -> None:
    ensure_defaults(system)
    with time_machine.travel(now().replace(hour=3, minute=0), tick=True):
        ticket = make_incident(impact=1, urgency=1)
        address = f"/portal/tickets/{ticket.number}/"
        page = words(portal.get(address))
        assert "We have it. Expect a first answer by" in page
        assert "Who has it Nobody yet" in page

        tickets.update(ticket, actor=agent, values={"assignment_group": team})
        page = words(portal.get(address))
        assert "Service desk has it." in page
        assert "Who has it Service desk" in page

        ticket = actions.take(ticket, actor=agent)
        page = words(portal.get(address))
        assert "Mei Chen works on it. Expect a solution by" in page

    assert ticket.due_at is not None
    with time_machine.travel(ticket.due_at + timedelta(minutes=1), tick=True):
        client = portal
        client.force_login(ticket.caller, backend="spine.people.backends.PeopleBackend")
        page = words(client.get(address))
        assert "It takes longer than we promised." in page
        assert "Expect a solution" not in page


def test_a_reply_of_staff_is_the_first_answer(
    portal: Client, system: User, agent: User, make_incident: Make, words: Words
) -> None:
    ensure_defaults(system)
    ticket = make_incident(impact=1, urgency=1)
    actions.comment_on(ticket, actor=agent, body="We look at it.")
    page = words(portal.get(f"/portal/tickets/{ticket.number}/"))
    assert "first answer" not in page
    assert "Expect a solution by" in page


def test_opener_and_watcher_read_for_whom_it_is(
    sign_in: Signed,
    agent: User,
    caller: User,
    other_caller: User,
    make_incident: Make,
    words: Words,
) -> None:
    ticket = make_incident(actor=agent, caller=caller, title="By phone")
    tickets.watch(ticket, actor=agent, user=other_caller)
    address = f"/portal/tickets/{ticket.number}/"

    own = words(sign_in(caller).get(address))
    assert "For You" in own
    assert "Reported by Mei Chen" in own
    assert "Mei Chen for you" in own  # whose words the report is

    opener = words(sign_in(agent).get(address))
    assert "For Anna Novak Reported by You" in opener

    watcher = words(sign_in(other_caller).get(address))
    assert "For Anna Novak Reported by Mei Chen" in watcher
    assert "You follow this ticket." in watcher
    assert "for Anna Novak" in words(sign_in(other_caller).get("/portal/tickets/"))
    assert "for Anna Novak" not in words(sign_in(caller).get("/portal/tickets/"))


def test_what_awaits_the_caller_is_not_asked_of_others(
    sign_in: Signed, agent: User, other_caller: User, make_incident: Make, words: Words
) -> None:
    ticket = make_incident()
    tickets.watch(ticket, actor=agent, user=other_caller)
    actions.move_incident(actions.take(ticket, actor=agent), "hold", actor=agent, values=ASK)
    watcher = words(sign_in(other_caller).get(f"/portal/tickets/{ticket.number}/"))
    assert "Waiting for an answer from Anna Novak." in watcher
    assert "We need an answer from you" not in watcher
    assert "Waiting for you" not in words(sign_in(other_caller).get("/portal/"))


def test_my_tickets_by_page_and_by_word(
    portal: Client, agent: User, make_incident: Make, words: Words
) -> None:
    made = [make_incident(title=f"Printer {place}") for place in range(27)]
    odd = make_incident(title="Badge reader", description="The north door")
    actions.move_incident(odd, "cancel", actor=agent, values={"reason": "Twice"})

    first = portal.get("/portal/tickets/")
    assert made[-1].number in words(first)
    assert odd.number not in words(first)
    older = first.content.decode().partition('rel="next" href="')[2].partition('"')[0]
    second = words(portal.get("/portal/tickets/" + older.replace("&amp;", "&")))
    seen = [one.number in words(first) for one in made]
    assert [one.number in second for one in made] == [not each for each in seen]
    assert sum(seen) == 25

    assert odd.number in words(portal.get("/portal/tickets/?show=closed"))
    assert odd.number in words(portal.get("/portal/tickets/?show=closed&q=north+badge"))
    assert odd.number in words(portal.get(f"/portal/tickets/?show=closed&q={odd.number.lower()}"))
    assert odd.number not in words(portal.get("/portal/tickets/?q=badge"))
    found = words(portal.get("/portal/tickets/?q=printer+26"))
    assert made[26].number in found
    assert made[5].number not in found


@pytest.mark.parametrize("cursor", ["x", "%ff", "..", "a" * 3000, "eyJhIjoxfQ"])
def test_a_broken_cursor_is_refused_in_words(cursor: str, portal: Client) -> None:
    response = portal.get(f"/portal/tickets/?cursor={cursor}")
    assert response.status_code == 400
    assert "<html" in response.content.decode()


@pytest.mark.parametrize("rows", [2, 20])
def test_the_pages_ask_the_database_the_same_whatever_stands_there(
    rows: int,
    portal: Client,
    system: User,
    agent: User,
    make_incident: Make,
    count_queries: Callable[[str], Any],
) -> None:
    ensure_defaults(system)
    for place in range(rows):
        ticket = make_incident(title=f"Printer {place}")
        if place % 2:
            actions.take(ticket, actor=agent)
            actions.comment_on(ticket, actor=agent, body="We look at it.")
    talked = make_incident(title="Much said of it")
    for place in range(rows):
        actions.comment_on(talked, actor=agent, body=f"Word {place}")
    portal.get("/portal/")
    for name, path in {
        "portal:home": "/portal/",
        "portal:tickets": "/portal/tickets/",
        "portal:ticket": f"/portal/tickets/{talked.number}/",
        "portal:new": "/portal/new/",
        "portal:suggest": "/portal/suggest/?title=printer",
    }.items():
        with count_queries(name):
            assert portal.get(path).status_code == 200
