"""The desk with scripts off: everything an agent needs is a page and a form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from incidents.models import Incident
from spine.people.models import Team, User
from spine.threads.models import Comment


def test_an_incident_s_life_without_scripts(
    visit: Callable[..., Any], agent: User, team: Team, make_incident: Callable[..., Incident]
) -> None:
    incident = make_incident(assignment_group=team)
    page = visit(agent, java_script_enabled=False).go("/incidents/")
    page.get_by_role("link", name=incident.title).click()
    page.get_by_role("button", name="Take").click()
    expect(page.locator("#part-words .state")).to_have_text("In Progress")

    page.locator("#editor textarea").fill("For colleagues only.")
    page.get_by_label("Work note").check()
    page.locator("#editor [data-submit]").click()
    expect(page.locator(".msg.note")).to_contain_text("For colleagues only.")

    page.get_by_role("button", name="Put on hold").click()
    page.get_by_label("What are you waiting for?").select_option("awaiting_caller")
    page.get_by_role("button", name="Put on hold").click()
    expect(page.get_by_role("alert")).to_contain_text("Tell the caller what you need from them.")
    page.get_by_label("What are you waiting for?").select_option("awaiting_vendor")
    page.get_by_role("button", name="Put on hold").click()
    expect(page.locator("#part-words .state")).to_have_text("On Hold")

    page.get_by_role("link", name="Change who has it").click()
    page.get_by_label("Exact name").first.fill("lead")
    page.get_by_role("button", name="Save").click()
    stored = Incident.objects.get(pk=incident.pk)
    assert stored.state == "on_hold"
    assert Comment.objects.get().visibility == "note"
    expect(page.locator("#part-who")).to_contain_text("Jonas Ortiz")

    page.goto(page.url.partition("/incidents/")[0] + "/incidents/?view=team")
    page.goto(page.url.partition("?")[0] + "filter/?view=team")
    page.get_by_label("On Hold").check()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("link", name=incident.title)).to_be_visible()
