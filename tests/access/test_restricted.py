"""In a restricted queue one's own ticket stays in sight, and nothing of what its members write."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from incidents.actions import comment_on
from notify.audience import may_read_notes
from spine.outbox import draining
from spine.people.actions import create_token
from spine.people.models import Team
from spine.people.reach import forget_reach
from spine.search import listeners
from spine.search.engine import search
from spine.search.matching import matching
from spine.tickets.models import Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def closed(home, lead):
    made = Team.objects.create(name="Human resources", organization=home, restricted=True)
    made.members.add(lead)
    return made


@pytest.fixture
def own(closed, agent, lead, make_incident):
    """The agent is the caller of a ticket in a queue that is closed to the agent."""
    ticket = make_incident(
        title="Payroll", caller=agent, actor=lead, assignment_group=closed,
    )  # fmt: skip
    comment_on(
        ticket, actor=lead, body="Suspect zanzibar", visibility="note",
        files=[ContentFile(b"secret", name="secret.txt")],
    )  # fmt: skip
    while draining.drain_once(listeners.index):
        pass
    forget_reach(agent)
    return ticket


@pytest.fixture
def api():
    def make(user):
        _token, key = create_token(actor=user, name="test", scope="write")
        client = Client(raise_request_exception=False)
        client.defaults["HTTP_AUTHORIZATION"] = f"Token {key}"
        return client

    return make


def test_its_caller_is_no_agent_there(own, api, agent, lead):
    at = f"/api/v1/incidents/{own.number}/"
    assert api(agent).get(at).status_code == 200
    assert b"zanzibar" not in api(agent).get(f"{at}comments/").content
    assert b"zanzibar" in api(lead).get(f"{at}comments/").content
    change = {"data": '{"title": "Mine"}', "content_type": "application/json"}
    assert api(agent).patch(at, **change).status_code == 403
    assert api(lead).patch(at, **change).status_code == 200
    assert api(agent).get("/api/v1/attachments/").json()["results"] == []
    assert len(api(lead).get("/api/v1/attachments/").json()["results"]) == 1
    assert not may_read_notes(agent, own)


def test_no_page_shows_its_notes(own, sign_in, agent, lead):
    assert b"zanzibar" not in sign_in(agent).get(f"/incidents/{own.number}/").content
    assert b"zanzibar" in sign_in(lead).get(f"/incidents/{own.number}/").content


def test_search_does_not_tell_its_notes(own, agent, lead):
    assert [search(user, "zanzibar").count for user in (agent, lead)] == [0, 1]
    (group,) = search(agent, "payroll").groups
    assert "zanzibar" not in str(group.found)
    for user, number in ((agent, 0), (lead, 1)):
        seen = Ticket.objects.visible_to(user)
        assert seen.filter(matching(user, "incident", "zanzibar")).count() == number
        assert seen.filter(matching(user, "incident", "payroll -zanzibar")).count() == 1 - number
