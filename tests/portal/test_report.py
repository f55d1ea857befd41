"""Reporting in three fields: what is made of it, and what becomes of bad input."""

from __future__ import annotations

import html
import re
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

Make = Callable[..., Incident]
Words = Callable[[Any], str]
GIVEN = {"title": "Screen stays black", "description": "Since **09:41**.", "trouble": "stopped"}


def png(name: str = "screen.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, picture(), "image/png")


def test_three_fields_and_files_become_a_ticket(portal: Client, caller: User, words: Words) -> None:
    log = SimpleUploadedFile("boot.log", b"no signal\n", "text/plain")
    response = portal.post("/portal/new/", {**GIVEN, "files": [png(), log]}, follow=True)

    ticket = Incident.objects.get()
    assert response.redirect_chain == [(f"/portal/tickets/{ticket.number}/", 302)]
    assert (ticket.caller, ticket.opened_by, ticket.channel) == (caller, caller, "portal")
    assert (ticket.impact, ticket.urgency, ticket.priority) == (2, 1, 2)
    assert f"We have it: {ticket.number}." in response.content.decode()
    page = words(response)
    assert "Since 09:41 ." in page
    assert "screen.png" in page
    assert "boot.log" in page
    # The report itself says that it was made.
    assert "reported it" not in page
    for file in Attachment.objects.all():
        answer = portal.get(f"/attachments/{file.uuid}/")
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("trouble", "expected"), [("stopped", (2, 1)), ("slowed", (3, 2)), ("small", (3, 3))]
)
def test_how_bad_it_is(trouble: str, expected: tuple[int, int], portal: Client) -> None:
    portal.post("/portal/new/", {**GIVEN, "trouble": trouble})
    ticket = Incident.objects.get()
    assert (ticket.impact, ticket.urgency) == expected


def test_a_title_is_enough(portal: Client, words: Words) -> None:
    response = portal.post("/portal/new/", {"title": "Black", "trouble": "small"}, follow=True)
    assert "You reported it" in words(response)


def test_files_without_words_are_shown(portal: Client, words: Words) -> None:
    given = {"title": "See picture", "trouble": "small", "files": [png()]}
    assert "screen.png" in words(portal.post("/portal/new/", given, follow=True))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"title": ""}, "This field is required."),
        ({"title": "   "}, "This field is required."),
        ({"title": "x" * 256}, "at most 255 characters"),
        ({"title": "a\x00b"}, "Null characters are not allowed."),
        ({"description": "a\x00b"}, "Null characters are not allowed."),
        ({"description": "x" * 100_001}, "at most 100000 characters"),
        ({"trouble": "terrible"}, "Select a valid choice."),
        ({"trouble": ""}, "This field is required."),
    ],
)
def test_what_was_typed_is_kept_after_an_error(
    bad: dict[str, str], said: str, portal: Client, words: Words
) -> None:
    given: dict[str, Any] = {**GIVEN, "description": "Kept & <dear>", **bad, "files": [png()]}
    response = portal.post("/portal/new/", given)
    assert response.status_code == 400
    assert not Incident.objects.exists()
    page = html.unescape(response.content.decode())
    shown = words(response)
    assert said in shown
    assert "Please choose the files again" in shown
    for name in ("title", "description"):
        assert given[name].strip() in page
    if given["trouble"] == "stopped":
        assert re.search(r'<input[^>]*value="stopped"[^>]*checked', page)


def test_a_title_of_ten_megabytes_is_an_error_like_any_other(portal: Client) -> None:
    response = portal.post("/portal/new/", {**GIVEN, "title": "x" * 10_000_000})
    assert response.status_code == 400
    assert "at most 255 characters" in response.content.decode()


def test_a_form_beyond_all_measure_is_refused_with_words(portal: Client) -> None:
    response = portal.post("/portal/new/", {**GIVEN, "description": "x" * 13_000_000})
    assert response.status_code == 400
    assert "<html" in response.content.decode()
    assert not Incident.objects.exists()


def test_a_file_too_large_costs_no_words(portal: Client, settings: Any, words: Words) -> None:
    settings.ATTACHMENT_MAX_BYTES = 1000
    huge = SimpleUploadedFile("film.mp4", b"0" * 1001, "video/mp4")
    response = portal.post("/portal/new/", {**GIVEN, "files": [png("small.png"), huge]})
    assert response.status_code == 413
    page = words(response)
    assert "The file is larger than" in page
    assert "Please choose the files again" in page
    assert GIVEN["description"] in response.content.decode()
    assert not Incident.objects.exists()
    assert not Attachment.objects.exists()


def test_too_many_files_are_refused(portal: Client) -> None:
    files = [SimpleUploadedFile(f"{place}.txt", b"x", "text/plain") for place in range(21)]
    response = portal.post("/portal/new/", {**GIVEN, "files": files})
    assert response.status_code == 400
    assert not Incident.objects.exists()


@pytest.mark.parametrize(
    "name", ["", "files.png\x00.exe", "../../etc/passwd", "a" * 400 + ".png", "<img src=x>.png"]
)
def test_strange_file_names_end_as_labels(name: str, portal: Client) -> None:
    file = SimpleUploadedFile("x.png", picture(), "image/png")
    file.name = name or "x"
    response = portal.post("/portal/new/", {**GIVEN, "files": [file]}, follow=True)
    assert response.status_code in {200, 400}
    page = response.content.decode()
    assert "<img src=x>" not in page
    for kept in Attachment.objects.all():
        assert "/" not in kept.name
        assert "\x00" not in kept.name


def test_html_and_script_stay_words(portal: Client) -> None:
    evil = "<script>alert(1)</script> [x](javascript:alert(1)) ![p](https://evil.example/p.png)"
    given = {**GIVEN, "title": "<script>alert(2)</script>", "description": evil}
    page = portal.post("/portal/new/", given, follow=True).content.decode()
    main = page.partition("<main")[2]
    assert "<script>alert" not in main
    assert 'href="javascript' not in main
    assert '<img src="https://evil' not in main
    assert "&lt;script&gt;alert(2)" in main


def test_a_closed_ticket_is_reported_again_with_its_number(
    portal: Client, agent: User, make_incident: Make, other_caller: User, words: Words
) -> None:
    ticket = make_incident(title="Badge reader")
    actions.move_incident(ticket, "cancel", actor=agent, values={"reason": "Twice"})
    address = f"/portal/new/?again={ticket.number}"
    assert address in portal.get(f"/portal/tickets/{ticket.number}/").content.decode()
    page = portal.get(address).content.decode()
    assert 'value="Badge reader"' in page
    assert ticket.number in page

    theirs = make_incident(caller=other_caller, title="A secret of others")
    page = portal.get(f"/portal/new/?again={theirs.number}").content.decode()
    assert "secret" not in page


def test_a_forged_token_is_refused_with_a_way_back(caller: User, words: Words) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(caller, backend="spine.people.backends.PeopleBackend")
    response = client.post("/portal/new/", {**GIVEN, "csrfmiddlewaretoken": "forged" * 11})
    assert response.status_code == 403
    assert "This form has expired" in words(response)
    assert "what you typed is still there" in words(response)
    assert not Incident.objects.exists()
