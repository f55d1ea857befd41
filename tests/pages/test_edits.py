"""Forms of a record: what is saved, what two people do to one field, what is refused."""

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
from tests.pages.busy import Desk
from tests.pages.test_record import DIALOG, fresh, url, words

Signed = Callable[[User], Client]


@pytest.fixture
def client(sign_in: Signed, agent: User) -> Client:
    return sign_in(agent)


@pytest.fixture
def incident(desk: Desk) -> Incident:
    return next(one for one in desk.incidents if one.title.startswith("Dashboards"))


def fields(page: Any) -> dict[str, str]:
    """What a browser would send of the first form with a version."""
    text = page.content.decode()
    sent: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]+>", text):
        name = re.search(r'name="([^"]+)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if name is None or name[1] in {"q", "next", "csrfmiddlewaretoken", "sig", "seen"}:
            continue
        if 'type="radio"' in tag and "checked" not in tag:
            continue
        if "_typed" not in name[1]:
            sent[name[1]] = html.unescape(value[1]) if value else ""
    for name, body in re.findall(r'<textarea name="([^"]+)"[^>]*>(.*?)</textarea>', text, re.S):
        sent[name] = html.unescape(body).removeprefix("\n")
    for name, body in re.findall(r'<select name="([^"]+)"[^>]*>(.*?)</select>', text, re.S):
        chosen = re.search(r'value="([^"]*)" selected', body)
        sent[name] = chosen[1] if chosen else ""
    return sent


def test_impact_and_urgency_bring_their_priority(client: Client, incident: Incident) -> None:
    form = fields(client.get(url(incident, "edit/class/")))
    assert (form["impact"], form["urgency"], incident.priority) == ("2", "2", 3)
    response = client.post(url(incident, "edit/class/"), {**form, "impact": "1", "urgency": "1"})
    assert response.status_code == 302
    assert fresh(incident).priority == 1
    preview = client.get("/incidents/priority/?impact=1&urgency=2")
    assert "P2 High" in words(preview)
    assert "Choose impact and urgency" in words(client.get("/incidents/priority/?impact=9"))


def test_a_priority_by_hand_needs_a_reason_and_can_be_given_back(
    client: Client, incident: Incident
) -> None:
    form = fields(client.get(url(incident, "edit/class/")))
    assert form["priority"] == ""
    response = client.post(url(incident, "edit/class/"), {**form, "priority": "1"})
    assert response.status_code == 400
    assert "Overriding the priority needs a reason." in words(response)
    sent = {**form, "priority": "1", "priority_reason": "The board is waiting"}
    assert client.post(url(incident, "edit/class/"), sent).status_code == 302
    saved = fresh(incident)
    assert (saved.priority, saved.priority_reason) == (1, "The board is waiting")
    page = words(client.get(url(incident)))
    assert "P1 by hand" in page
    assert "The board is waiting" in page
    form = fields(client.get(url(incident, "edit/class/")))
    assert form["priority"] == "1"
    assert client.post(url(incident, "edit/class/"), {**form, "priority": ""}).status_code == 302
    saved = fresh(incident)
    assert (saved.priority, saved.priority_reason) == (3, "")


def test_a_category_of_either_level_is_one_choice(
    client: Client, incident: Incident, desk: Desk
) -> None:
    page = client.get(url(incident, "edit/class/"))
    assert "Network › VPN" in page.content.decode()
    form = fields(page)
    client.post(url(incident, "edit/class/"), {**form, "category": str(desk.subcategory.uuid)})
    saved = fresh(incident)
    assert (saved.category, saved.subcategory) == (desk.category, desk.subcategory)


def test_a_person_outside_the_team_is_refused_beside_the_field(
    client: Client, incident: Incident, make_user: Callable[..., User]
) -> None:
    stranger = make_user("stranger", "agent", name="Sten Stranger")
    form = fields(client.get(url(incident, "edit/who/")))
    sent = {**form, "assignee": str(stranger.uuid)}
    response = client.post(url(incident, "edit/who/"), sent, headers=DIALOG)
    assert response.status_code == 422
    assert "Sten Stranger is not in Service desk." in words(response)
    assert f'<option value="{stranger.uuid}" selected>' in response.content.decode()


def test_without_scripts_a_name_is_typed(client: Client, incident: Incident, lead: User) -> None:
    form = fields(client.get(url(incident, "edit/who/")))
    sent = {**form, "assignee_typed": "lead", "caller_typed": "caller"}
    assert client.post(url(incident, "edit/who/"), sent).status_code == 302
    assert fresh(incident).assignee == lead
    refused = client.post(
        url(incident, "edit/who/"),
        {**fields(client.get(url(incident, "edit/who/"))), "assignee_typed": "no one"},
    )
    assert refused.status_code == 422
    assert "There is no “no one” here" in words(refused)


class TestTwoPeople:
    def stale(self, client: Client, incident: Incident, other: User, **theirs: Any) -> Any:
        """A form opened before the other person saved."""
        form = fields(client.get(url(incident, "edit/words/")))
        actions.update_incident(incident, actor=other, values=theirs)
        return form

    def test_both_changed_one_field(self, client: Client, incident: Incident, lead: User) -> None:
        form = self.stale(client, incident, lead, title="Dashboards slow for everybody")
        sent = {**form, "title": "Dashboards slow in Chromium 140"}
        response = client.post(url(incident, "edit/words/"), sent)
        assert response.status_code == 412
        assert fresh(incident).title == "Dashboards slow for everybody"  # nothing overwritten
        page = words(response)
        assert "Somebody saved before you" in page
        assert "By Jonas Ortiz" in page
        assert "Dashboards slow for everybody" in page
        assert "Dashboards slow in Chromium 140" in page
        # The form now stands on what is stored: sent as it is, mine is kept.
        again = fields(response)
        assert again["title"] == "Dashboards slow in Chromium 140"
        assert client.post(url(incident, "edit/words/"), again).status_code == 302
        assert fresh(incident).title == "Dashboards slow in Chromium 140"

    def test_theirs_may_be_chosen(self, client: Client, incident: Incident, lead: User) -> None:
        form = self.stale(client, incident, lead, title="Theirs")
        response = client.post(url(incident, "edit/words/"), {**form, "title": "Mine"})
        chosen = {**fields(response), "title": "Theirs"}
        version = fresh(incident).version
        assert client.post(url(incident, "edit/words/"), chosen).status_code == 302
        saved = fresh(incident)
        assert saved.title == "Theirs"
        assert saved.version == version  # nothing of mine was left to save

    def test_each_changed_another_field(
        self, client: Client, incident: Incident, lead: User
    ) -> None:
        form = self.stale(client, incident, lead, title="Their title")
        sent = {**form, "description": "My description"}
        response = client.post(url(incident, "edit/words/"), sent, headers=DIALOG)
        assert response.status_code == 422
        assert "Their changes are filled in below, yours are kept." in words(response)
        again = fields(response)
        assert again["title"] == "Their title"
        assert again["description"] == "My description"
        client.post(url(incident, "edit/words/"), again)
        saved = fresh(incident)
        assert (saved.title, saved.description) == ("Their title", "My description")

    def test_long_texts_show_what_differs(
        self, client: Client, incident: Incident, lead: User
    ) -> None:
        long = "The dashboards take a minute to open since the release. " * 3
        actions.update_incident(incident, actor=lead, values={"description": long})
        form = self.stale(client, incident, lead, description=long.replace("minute", "long time"))
        sent = {**form, "description": long.replace("release", "upgrade")}
        page = client.post(url(incident, "edit/words/"), sent).content.decode()
        assert "<ins>upgrade." in page
        assert "<del>release." in page

    def test_a_move_on_an_older_page_says_what_changed(
        self, client: Client, incident: Incident, lead: User
    ) -> None:
        sent = {
            "version": incident.version,
            "close_code": "solution_provided",
            "close_notes": "Index rebuilt.",
        }
        actions.update_incident(incident, actor=lead, values={"impact": 1, "urgency": 1})
        response = client.post(url(incident, "moves/resolve/"), sent, headers=DIALOG)
        assert response.status_code == 422
        page = words(response)
        assert "Somebody changed this meanwhile" in page
        assert "Jonas Ortiz" in page
        assert "priority P3 → P1" in page
        again = fields(response)
        assert again["close_notes"] == "Index rebuilt."
        assert client.post(url(incident, "moves/resolve/"), again).status_code == 302
        assert fresh(incident).state == "resolved"

    def test_two_resolve_at_once(self, client: Client, incident: Incident, lead: User) -> None:
        sent = {"close_code": "solution_provided", "close_notes": "Mine."}
        actions.move_incident(incident, "resolve", actor=lead, values=sent)
        response = client.post(url(incident, "moves/resolve/"), sent, headers=DIALOG)
        assert response.status_code == 422
        assert "is not open in the state “Resolved”" in words(response)
        assert "Mine." in response.content.decode()


class TestNew:
    def sent(self, who: User, **more: Any) -> dict[str, Any]:
        return {
            "caller": str(who.uuid),
            "channel": "phone",
            "title": "Screen stays black after docking",
            "description": "Since **Monday**.",
            "impact": "3",
            "urgency": "2",
            **more,
        }

    def test_an_agent_opens_one_for_a_caller(
        self, client: Client, desk: Desk, caller: User, agent: User
    ) -> None:
        sent = self.sent(
            caller,
            service=str(desk.services["Printing"].uuid),
            category=str(desk.subcategory.uuid),
            assignment_group=str(desk.team.uuid),
            assignee=str(agent.uuid),
            attachments=[SimpleUploadedFile("dock.log", b"no signal")],
        )
        response = client.post("/incidents/new/", sent)
        assert response.status_code == 302
        made = Incident.objects.get(title="Screen stays black after docking")
        assert response["Location"] == url(made)
        assert (made.caller, made.opened_by, made.assignee) == (caller, agent, agent)
        assert (made.channel, made.priority) == ("phone", 4)
        assert (made.category, made.subcategory) == (desk.category, desk.subcategory)
        assert Attachment.objects.get(thread=made.thread).name == "dock.log"

    def test_an_error_keeps_all_that_was_typed(
        self, client: Client, desk: Desk, caller: User
    ) -> None:
        log = SimpleUploadedFile("dock.log", b"no signal")
        sent = self.sent(caller, title="", attachments=[log], service="No such service")
        response = client.post("/incidents/new/", sent)
        assert response.status_code == 422
        page = response.content.decode()
        assert "Since **Monday**." in page
        assert f'<option value="{caller.uuid}" selected>Anna Novak</option>' in page
        assert "This was not saved yet." in page
        assert "There is no “No such service” here" in page
        assert "Choose the files again" in page
        assert not Incident.objects.filter(description="Since **Monday**.").exists()

    def test_the_caller_is_oneself_unless_said(self, client: Client, agent: User) -> None:
        page = client.get("/incidents/new/").content.decode()
        assert f'<option value="{agent.uuid}" selected>Mei Chen</option>' in page

    def test_an_auditor_is_told_why_not(self, sign_in: Signed, auditor: User, caller: User) -> None:
        response = sign_in(auditor).post("/incidents/new/", self.sent(caller))
        assert response.status_code == 403
        assert "An auditor's account reads and exports; it changes nothing." in words(response)
        assert "Since **Monday**." in response.content.decode()

    def test_similar_ones_are_named_while_typing(self, client: Client, desk: Desk) -> None:
        page = words(client.get("/incidents/new/similar/", {"title": "label printer down"}))
        assert "Label printer in Warehouse 3" in page
        assert words(client.get("/incidents/new/similar/", {"title": "zzzzzz"})) == ""

    def test_markdown_is_previewed(self, client: Client) -> None:
        page = client.post("/incidents/preview/", {"body": "**bold** <script>x</script>"})
        assert "<strong>bold</strong>" in page.content.decode()
        assert "<script>x" not in page.content.decode()


@pytest.mark.parametrize(
    "sent",
    [
        {"title": "x" * 300},
        {"title": "a\x00b"},
        {"impact": "9"},
        {"impact": ""},
        {"caller": "00000000-0000-0000-0000-000000000000"},
        {"caller": "not a uuid \x00"},
        {"channel": "pigeon"},
        {"assignee": "' or 1=1 --"},
    ],
)
def test_bad_input_is_said_and_nothing_is_made(
    client: Client, caller: User, sent: dict[str, str]
) -> None:
    given = TestNew().sent(caller, **sent)
    response = client.post("/incidents/new/", given)
    assert response.status_code in {400, 422}
    assert "This was not saved yet." in words(response)
    assert not Incident.objects.exists()


def test_a_version_that_is_none(client: Client, incident: Incident) -> None:
    form = fields(client.get(url(incident, "edit/words/")))
    for version in ("", "x", "-1", "99999999999999999999"):
        sent = {**form, "title": "Other", "version": version}
        response = client.post(url(incident, "edit/words/"), sent)
        assert response.status_code in {412, 422}
    assert fresh(incident).title == incident.title
