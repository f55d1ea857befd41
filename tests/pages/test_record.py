"""The record's page: what it shows to whom, what it offers, what it refuses and why."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.html import strip_tags

from incidents import actions
from incidents.models import Incident
from spine.kit.clock import now
from spine.people.models import User
from spine.threads.models import Attachment, Comment
from spine.tickets.models import ExternalReference, HistoryEvent, Ticket
from tests.pages.busy import Desk, tell_a_story

Signed = Callable[[User], Client]
HTMX = {"HX-Request": "true"}
DIALOG = {**HTMX, "HX-Target": "dialog-slot"}


def words(response: Any) -> str:
    """The page's text on one line."""
    return " ".join(html.unescape(strip_tags(response.content.decode())).split())


def url(incident: Incident, tail: str = "") -> str:
    return f"/incidents/{incident.number}/{tail}"


def fresh(incident: Incident) -> Incident:
    found: Incident = Incident.objects.get(pk=incident.pk)
    return found


@pytest.fixture
def client(sign_in: Signed, agent: User) -> Client:
    return sign_in(agent)


@pytest.fixture
def incident(desk: Desk, agent: User, caller: User) -> Incident:
    """P3 in progress with the agent, and a story."""
    found = next(one for one in desk.incidents if one.title.startswith("Dashboards"))
    return tell_a_story(found, agent, caller)


def test_it_tells_who_said_and_did_what(client: Client, incident: Incident) -> None:
    page = words(client.get(url(incident)))
    assert "Three of our shops can't take top-ups." in page
    assert "Pool on pay-db-02 is at its limit" in page
    assert "Mei Chen took it · began work" in page
    assert re.search(r"impact Medium →to High · urgency Medium →to High", page)
    assert re.search(r"priority P3 →to P1 by the matrix", page)
    assert "Answered in time" in page
    assert "Retail operations · Brno" in page
    assert "VIP" in page
    assert "Anna Novak will get this" in page


def test_a_picture_stands_in_the_text_and_a_log_below_it(
    client: Client, incident: Incident
) -> None:
    picture, log = Attachment.objects.order_by("pk")
    page = client.get(url(incident)).content.decode()
    assert f'<img src="/attachments/{picture.uuid}/"' in page
    assert page.count(f'href="/attachments/{log.uuid}/"') == 2  # below its note, and in the panel


def test_notes_and_their_files_stay_with_staff(
    sign_in: Signed, incident: Incident, caller: User, auditor: User
) -> None:
    log = Attachment.objects.get(internal=True)
    assert sign_in(auditor).get(f"/attachments/{log.uuid}/").status_code == 200
    refused = sign_in(caller).get(f"/attachments/{log.uuid}/")
    assert refused.status_code == 403
    assert "Work notes are for staff." in words(refused)


def test_an_attachment_goes_with_its_ticket(
    sign_in: Signed, incident: Incident, caller: User, other_caller: User, partner: User
) -> None:
    picture = Attachment.objects.get(internal=False)
    address = f"/attachments/{picture.uuid}/"
    shown = sign_in(caller).get(address)
    assert shown.status_code == 200
    assert shown["Content-Type"] == "image/png"
    assert "attachment" in sign_in(caller).get(f"{address}?download=1")["Content-Disposition"]
    assert sign_in(other_caller).get(address).status_code == 404
    assert sign_in(partner).get(address).status_code == 404
    assert Client().get(address).status_code == 302


def test_moves_are_those_of_state_and_person(
    sign_in: Signed, client: Client, incident: Incident, auditor: User, lead: User
) -> None:
    def offered(page: Any) -> set[str]:
        return set(re.findall(r'action="[^"]+/moves/(\w+)/"|href="[^"]+/moves/(\w+)/', page))

    page = client.get(url(incident)).content.decode()
    codes = {a or b for a, b in offered(page)}
    assert codes == {"hold", "resolve", "cancel"}
    assert 'class="btn primary"' in page[page.index("moves/resolve") - 200 :]
    # The auditor may do none of them, and each says why.
    page = sign_in(auditor).get(url(incident)).content.decode()
    assert not offered(page)
    assert page.count("Only agents work on incidents.") == 2
    assert "The caller or an agent cancels it." in page
    assert "Your role reads here, but does not write." in page
    assert "data-editor" not in page
    solved = actions.move_incident(
        incident,
        "resolve",
        actor=lead,
        values={"close_code": "solution_provided", "close_notes": "Done."},
    )
    page = client.get(url(solved)).content.decode()
    assert {a or b for a, b in offered(page)} == {"reopen"}
    assert "It closes by itself, or a team lead closes it." in page
    assert "Only the caller says whether it helped." in page
    page = sign_in(lead).get(url(solved)).content.decode()
    assert {a or b for a, b in offered(page)} == {"reopen", "close"}


def test_a_refused_move_says_why(sign_in: Signed, incident: Incident, auditor: User) -> None:
    client = sign_in(auditor)
    page = client.get(url(incident, "moves/resolve/"))
    assert page.status_code == 403
    assert "Only agents work on incidents." in words(page)
    part = client.post(url(incident, "take/"), headers=HTMX)
    assert part.status_code == 403
    assert part.content.decode() == "Only agents work on incidents."
    assert part["Content-Type"].startswith("text/plain")
    assert fresh(incident).version == incident.version


def test_a_move_that_is_over_says_how_it_stands(client: Client, incident: Incident) -> None:
    response = client.post(url(incident, "moves/resume/"), {"version": incident.version})
    assert response.status_code == 409
    assert "“Resume” is not open in the state “In Progress”." in words(response)
    assert client.get(url(incident, "moves/no-such/")).status_code == 404


class TestHold:
    def test_waiting_for_the_caller_needs_words_to_them(
        self, client: Client, incident: Incident
    ) -> None:
        wake = (now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
        sent = {
            "version": incident.version,
            "hold_reason": "awaiting_caller",
            "follow_up_at": wake,
            "comment": "",
        }
        response = client.post(url(incident, "moves/hold/"), sent, headers=DIALOG)
        assert response.status_code == 422
        page = response.content.decode()
        assert "Tell the caller what you need from them." in page
        assert f'value="{wake}"' in page  # what was typed is still there
        assert '<option value="awaiting_caller" selected>' in page
        assert fresh(incident).state == "in_progress"
        sent["comment"] = "Which browser is it?"
        response = client.post(url(incident, "moves/hold/"), sent, headers=DIALOG)
        assert response.status_code == 200
        held = fresh(incident)
        assert (held.state, held.hold_reason) == ("on_hold", "awaiting_caller")
        assert held.follow_up_at is not None
        assert Comment.objects.filter(body="Which browser is it?", visibility="public").exists()

    def test_without_scripts_it_is_a_page(self, client: Client, incident: Incident) -> None:
        page = client.get(url(incident, "moves/hold/"))
        assert "<!doctype html>" in page.content.decode()
        sent = {"version": incident.version, "hold_reason": "awaiting_vendor"}
        response = client.post(url(incident, "moves/hold/"), sent)
        assert response["Location"] == url(incident)
        refused = client.post(url(incident, "moves/hold/"), {"hold_reason": "awaiting_caller"})
        assert refused.status_code in {400, 409}

    def test_a_follow_up_in_the_past_is_refused(self, client: Client, incident: Incident) -> None:
        sent = {"hold_reason": "awaiting_vendor", "follow_up_at": "2020-01-01T10:00"}
        response = client.post(url(incident, "moves/hold/"), sent)
        assert response.status_code == 400
        assert "The follow-up lies in the future, within a year." in words(response)
        assert 'value="2020-01-01T10:00"' in response.content.decode()


def test_an_answer_brings_only_the_parts_that_changed(client: Client, incident: Incident) -> None:
    page = client.get(url(incident)).content.decode()
    signatures = re.findall(r'name="sig" value="([^"]+)"', page)
    seen = re.findall(r'name="seen" id="seen" value="([^"]+)"', page)[0]
    assert {one.split(":")[0] for one in signatures} == {
        "head", "words", "due", "who", "class", "links", "files", "watchers", "mark",
    }  # fmt: skip
    nothing = client.get(url(incident, "live/"), {"sig": signatures, "seen": seen}, headers=HTMX)
    assert nothing.status_code == 204
    sent = {"body": "Rolled back.", "visibility": "public", "sig": signatures, "seen": seen}
    answer = client.post(url(incident, "comments/"), sent, headers=HTMX).content.decode()
    assert '<ol hx-swap-oob="beforeend:#timeline">' in answer
    assert "Rolled back." in answer
    assert "Three of our shops" not in answer
    assert 'id="part-who"' not in answer
    assert 'id="part-class"' not in answer
    assert '<div id="editor">' in answer
    # A page that shows something else than we think gets the whole story.
    sent = {"sig": signatures, "seen": "c1~c2~0123456789ab"}
    whole = client.get(url(incident, "live/"), sent, headers=HTMX).content.decode()
    assert 'id="part-timeline" hx-swap-oob="innerHTML"' in whole
    assert "Three of our shops" in whole


def test_a_refused_comment_keeps_its_words(client: Client, incident: Incident) -> None:
    long = "x" * 100_001
    sent = {"body": long, "visibility": "note", "files": SimpleUploadedFile("a.txt", b"a")}
    response = client.post(url(incident, "comments/"), sent, headers=HTMX)
    assert response.status_code == 422
    page = response.content.decode()
    assert long in page
    assert "At most 100000 characters." in page
    assert "Choose the files again." in page
    assert 'name="visibility" value="note"' in page
    whole = client.post(url(incident, "comments/"), {"body": long, "visibility": "public"})
    assert whole.status_code == 400
    assert long in whole.content.decode()


def test_hostile_markdown_is_harmless(client: Client, incident: Incident, agent: User) -> None:
    actions.comment_on(
        incident,
        actor=agent,
        body="<script>alert(1)</script> [x](javascript:alert(1)) <img src=x onerror=alert(1)>",
    )
    page = client.get(url(incident)).content.decode()
    assert "<script>alert" not in page
    assert 'href="javascript' not in page
    assert "<img src=x" not in page


def test_imported_history_keeps_the_source_s_words(client: Client, incident: Incident) -> None:
    Ticket.objects.filter(pk=incident.pk).update(external_source="snow", external_id="INC0000045")
    HistoryEvent.objects.create(
        ticket_id=incident.pk,
        position=1,
        at=now() - timedelta(days=400),
        actor_label="Resolved by 149",
        verb="updated",
        state_label="Awaiting User Info",
        changes={"priority": [3, 2]},
    )
    ExternalReference.objects.create(
        ticket_id=incident.pk, relation="caused_by", source="snow", external_id="CHG0000097"
    )
    page = words(client.get(url(incident)))
    assert "Resolved by 149 Awaiting User Info · priority P3 →to P2" in page
    assert "CHG0000097" in page
    assert "INC0000045" in page


def test_earlier_entries_wait_behind_a_link(
    client: Client, incident: Incident, agent: User
) -> None:
    for number in range(60):
        actions.comment_on(incident, actor=agent, body=f"word {number:02}", visibility="note")
    page = client.get(url(incident))
    assert "word 59" in words(page)
    assert "word 05" not in words(page)
    link = re.search(r'href="(\?entries=\d+)"', page.content.decode())
    assert link is not None
    assert "word 05" in words(client.get(url(incident) + link.group(1)))


def test_why_this_time_adds_up(client: Client, incident: Incident) -> None:
    page = client.get(url(incident, "why/resolution/"))
    text = words(page)
    assert "24x7" in text or "24×7" in text
    rows = re.findall(r'<td class="r">(?:<b>)?(\d+:\d\d:\d\d)', page.content.decode())
    seconds = [int(h) * 3600 + int(m) * 60 + int(s) for h, m, s in (r.split(":") for r in rows)]
    assert abs(sum(seconds[:-1]) - seconds[-1]) <= 1
    assert seconds[-1] == 4 * 3600  # P1: four hours
    assert client.get(url(incident, "why/nonsense/")).status_code == 404


def test_watching_goes_on_and_off(client: Client, incident: Incident, agent: User) -> None:
    assert "Nobody else follows this." in words(client.get(url(incident)))
    client.post(url(incident, "watch/"))
    assert "Stop watching" in words(client.get(url(incident)))
    client.post(url(incident, "watch/"))
    assert "Nobody else follows this." in words(client.get(url(incident)))


def test_the_record_costs_what_was_reviewed(
    client: Client, incident: Incident, agent: User, count_queries: Any
) -> None:
    for number in range(50):
        actions.comment_on(incident, actor=agent, body=f"**word** {number}", visibility="note")
    client.get(url(incident))
    with count_queries("incidents:record"):
        page = client.get(url(incident))
    assert page.content.count(b'<li class="entry"') >= 45
    signatures = re.findall(r'name="sig" value="([^"]+)"', page.content.decode())
    seen = re.findall(r'name="seen" id="seen" value="([^"]+)"', page.content.decode())[0]
    mark = re.findall(r'name="mark" value="([^"]+)"', page.content.decode())[0]
    sent = {"sig": signatures, "seen": seen, "mark": mark}
    with count_queries("incidents:live unchanged"):
        assert client.get(url(incident, "live/"), sent, headers=HTMX).status_code == 204
    actions.comment_on(incident, actor=agent, body="One more.", visibility="note")
    with count_queries("incidents:live"):
        answer = client.get(url(incident, "live/"), sent, headers=HTMX)
    assert "One more." in answer.content.decode()
