"""A ticket's page: the story as its caller may read it, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from incidents import actions
from incidents.models import Incident
from spine.people.models import User
from spine.threads.models import Attachment
from tests.pages.busy import picture
from tests.portal.test_pages import ASK, SOLVED

Make = Callable[..., Incident]
Signed = Callable[[User], Client]
Words = Callable[[Any], str]


def address(ticket: Incident, path: str = "") -> str:
    return f"/portal/tickets/{ticket.number}/{path}"


def png(name: str) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, picture(), "image/png")


def test_work_notes_and_their_files_never_show(
    portal: Client, sign_in: Signed, agent: User, make_incident: Make
) -> None:
    """Neither on the page, nor by the file's address, nor in what is found - nor for an agent who
    looks at their own ticket here."""
    for client, ticket in (
        (portal, make_incident()),
        (sign_in(agent), make_incident(caller=agent)),
    ):
        actions.comment_on(
            ticket,
            actor=agent,
            body="SECRETNOTE ![inner.png](attachment:inner.png)",
            visibility="note",
            files=[png("inner.png")],
        )
        actions.comment_on(
            ticket, actor=agent, body="Look: ![inner.png](attachment:inner.png)", files=[]
        )
        file = Attachment.objects.latest("id")
        for path in (
            address(ticket),
            "/portal/",
            "/portal/tickets/",
            "/portal/tickets/?q=SECRETNOTE",
            "/portal/suggest/?title=SECRETNOTE",
        ):
            page = client.get(path).content.decode()
            assert str(file.uuid) not in page
            assert "inner.png</a>" not in page
            if "SECRETNOTE" in path:
                assert f'href="{address(ticket)}' not in page
            else:
                assert "SECRETNOTE" not in page
    theirs, of_agent = Attachment.objects.filter(name="inner.png").order_by("id")
    assert portal.get(f"/attachments/{theirs.uuid}/").status_code == 403
    assert portal.get(f"/attachments/{of_agent.uuid}/").status_code == 404


def test_the_story_in_the_readers_words(
    portal: Client, agent: User, caller: User, make_incident: Make, words: Words
) -> None:
    ticket = actions.take(make_incident(), actor=agent)
    actions.update_incident(ticket, actor=agent, values={"impact": 1})
    actions.move_incident(ticket, "hold", actor=agent, values=ASK)
    actions.comment_on(ticket, actor=caller, body="The one in Brno.")
    actions.move_incident(ticket, "resolve", actor=agent, values=SOLVED)
    page = words(portal.get(address(ticket)))
    story = [
        "You", "One in three fails.", "Mei Chen began work", "Which shop is it?",
        "Mei Chen waits for an answer", "The one in Brno.", "Solution", "Restarted the pool.",
    ]  # fmt: skip
    places = [page.index(part) for part in story]
    assert places == sorted(places)
    assert "Anna Novak" not in page
    assert "impact" not in page.lower()


def test_a_second_solution_does_not_rewrite_the_first(
    portal: Client, agent: User, caller: User, make_incident: Make, words: Words
) -> None:
    ticket = actions.take(make_incident(), actor=agent)
    actions.move_incident(ticket, "resolve", actor=agent, values=SOLVED)
    portal.post(address(ticket, "reopen/"), {"comment": "Still fails"})
    page = words(portal.get(address(ticket)))
    assert "Restarted the pool." in page
    assert "Still fails" in page
    again = {"close_code": "workaround_provided", "close_notes": "Use the other shop."}
    actions.move_incident(ticket, "resolve", actor=agent, values=again)
    page = words(portal.get(address(ticket)))
    assert page.index("Restarted the pool.") < page.index("Still fails")
    assert page.index("Still fails") < page.index("Use the other shop.")
    assert "Workaround provided" in page


def test_the_callers_reply_resumes_what_awaits_them(
    portal: Client, agent: User, make_incident: Make
) -> None:
    ticket = actions.take(make_incident(), actor=agent)
    actions.move_incident(ticket, "hold", actor=agent, values=ASK)
    response = portal.post(address(ticket, "reply/"), {"body": "Brno", "files": [png("a.png")]})
    ticket.refresh_from_db()
    assert ticket.state == "in_progress"
    made = ticket.thread.comments.get(body="Brno")  # type: ignore[union-attr]
    assert response.headers["Location"] == f"{address(ticket)}#comment-{made.uuid}"
    assert made.channel == "portal"
    assert Attachment.objects.get(comment=made).name == "a.png"
    assert f'id="comment-{made.uuid}"' in portal.get(address(ticket)).content.decode()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "Write something first."),
        ("  \n ", "Write something first."),
        ("x" * 100_001, "At most 100000 characters."),
        ("a\x00b", "The text holds a NUL character."),
    ],
)
def test_a_refused_reply_is_kept(
    body: str, said: str, portal: Client, make_incident: Make, words: Words
) -> None:
    ticket = make_incident()
    response = portal.post(address(ticket, "reply/"), {"body": body})
    assert response.status_code == 400
    assert said in words(response)
    assert body.strip() in response.content.decode()
    assert "choose the files again" not in words(response)
    ticket.refresh_from_db()
    assert ticket.thread is None or not ticket.thread.comments.exists()


def test_a_file_too_large_costs_no_reply(
    portal: Client, make_incident: Make, settings: Any, words: Words
) -> None:
    settings.ATTACHMENT_MAX_BYTES = 1000
    ticket = make_incident()
    huge = SimpleUploadedFile("film.mp4", b"0" * 1001, "video/mp4")
    response = portal.post(address(ticket, "reply/"), {"body": "See here", "files": [huge]})
    assert response.status_code == 413
    assert "See here" in response.content.decode()
    assert "choose the files again" in words(response)


def test_it_helped(portal: Client, agent: User, make_incident: Make, words: Words) -> None:
    ticket = actions.take(make_incident(), actor=agent)
    actions.move_incident(ticket, "resolve", actor=agent, values=SOLVED)
    page = words(portal.get(address(ticket)))
    assert "Did it help?" in page
    assert "closes by itself after 5 working days" in page
    assert portal.post(address(ticket, "confirm/")).status_code == 302
    ticket.refresh_from_db()
    assert ticket.state == "closed"
    assert ticket.confirmed_at is not None
    page = words(portal.get(address(ticket)))
    assert "You said that it helped" in page
    assert "Report it again" in page


def test_reopening_needs_words_and_keeps_them(
    portal: Client, agent: User, make_incident: Make, words: Words
) -> None:
    ticket = actions.take(make_incident(), actor=agent)
    actions.move_incident(ticket, "resolve", actor=agent, values=SOLVED)
    refused = portal.post(address(ticket, "reopen/"), {"comment": ""})
    assert refused.status_code == 400
    assert "<details open" in refused.content.decode()
    long = portal.post(address(ticket, "reopen/"), {"comment": "kept " * 30_000})
    assert long.status_code == 400
    assert "kept kept" in long.content.decode()
    assert portal.post(address(ticket, "reopen/"), {"comment": "No"}).status_code == 302
    ticket.refresh_from_db()
    assert (ticket.state, ticket.reopen_count) == ("in_progress", 1)


def test_canceling_is_offered_until_work_begins(
    portal: Client, agent: User, make_incident: Make, words: Words
) -> None:
    ticket = make_incident()
    assert "I no longer need this" in words(portal.get(address(ticket)))
    started = actions.take(make_incident(), actor=agent)
    assert "I no longer need this" not in words(portal.get(address(started)))
    refused = portal.post(address(started, "cancel/"), {"reason": "Found it"})
    assert refused.status_code == 403
    assert "Work has started." in words(refused)

    assert portal.post(address(ticket, "cancel/"), {"reason": "<i>Found</i>"}).status_code == 302
    ticket.refresh_from_db()
    assert (ticket.state, ticket.close_notes) == ("canceled", "<i>Found</i>")
    page = portal.get(address(ticket))
    assert "You canceled it: <i>Found</i>" in words(page)
    assert "<i>Found" not in page.content.decode()


def test_a_page_that_was_open_too_long(
    portal: Client, agent: User, make_incident: Make, words: Words
) -> None:
    """What happened meanwhile is said, and what was typed is kept."""
    ticket = actions.take(make_incident(), actor=agent)
    actions.move_incident(ticket, "resolve", actor=agent, values=SOLVED)
    portal.post(address(ticket, "confirm/"))
    late = portal.post(address(ticket, "reply/"), {"body": "One more thing"})
    assert late.status_code == 403
    assert "It is closed." in words(late)
    assert "One more thing" in late.content.decode()
    assert portal.post(address(ticket, "confirm/")).status_code == 409
    assert portal.post(address(ticket, "reopen/"), {"comment": "No"}).status_code == 409


@pytest.mark.parametrize("code", ["resolve", "close", "hold", "start", "assign", "x"])
def test_only_the_callers_own_moves_have_an_address(
    code: str, portal: Client, make_incident: Make
) -> None:
    ticket = make_incident()
    assert portal.post(address(ticket, f"{code}/"), SOLVED).status_code == 404
    ticket.refresh_from_db()
    assert ticket.state == "new"


def test_moves_are_never_made_by_following_a_link(portal: Client, make_incident: Make) -> None:
    ticket = make_incident()
    for path in ("cancel/", "confirm/", "reply/"):
        assert portal.get(address(ticket, path)).status_code == 405


def test_an_old_ticket_of_another_system_shows_its_solution(
    portal: Client, make_incident: Make, words: Words
) -> None:
    ticket = make_incident()
    Incident.objects.filter(pk=ticket.pk).update(
        state="closed", active=False, close_code="user_error", close_notes="Plugged it in."
    )
    page = words(portal.get(address(ticket)))
    assert "Service desk Solution User error" in page
    assert "Plugged it in." in page
