"""An agent's day with one incident, in a real browser: from the list to the close by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from playwright.sync_api import Page, expect

from incidents import actions
from incidents.models import Incident
from incidents.tasks import auto_close
from spine.kit.clock import now
from spine.people.models import Team, User
from spine.threads.models import Attachment, Comment
from spine.tickets.tasks import sweep_wake_ups
from tests.pages.busy import picture

# What a paste of a picture from the clipboard hands to the page.
PASTE = """
(element, octets) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(octets)], "shot.png", { type: "image/png" }));
  const how = { clipboardData: data, bubbles: true, cancelable: true };
  element.dispatchEvent(new ClipboardEvent("paste", how));
}
"""


@pytest.fixture
def incident(make_incident: Callable[..., Incident], team: Team) -> Incident:
    return make_incident(assignment_group=team)


def fresh(incident: Incident) -> Incident:
    found: Incident = Incident.objects.get(pk=incident.pk)
    return found


def open_move(page: Page, label: str) -> Any:
    page.locator(".moves").get_by_role("button", name=label, exact=True).click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_be_visible()
    return dialog


def test_from_the_list_to_the_close(
    visit: Callable[..., Any], agent: User, caller: User, incident: Incident
) -> None:
    person = visit(agent)
    person.page.clock.install()
    page = person.go("/incidents/")

    # Keyboard: down to the row, Enter opens it, "a" takes it.
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(incident.title)
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_contain_text("is yours")
    expect(page.locator("#part-words .state")).to_have_text("In Progress")
    expect(page.locator("#timeline")).to_contain_text("Mei Chen took it · began work")
    assert fresh(incident).assignee == agent

    # A work note: "c" goes to the editor, the tab says who will read it.
    page.keyboard.press("c")
    page.get_by_role("button", name="Work note").click()
    expect(page.get_by_text("Only staff will see this")).to_be_visible()
    page.keyboard.type("Pool is at its **limit**.")
    page.keyboard.press("Control+Enter")
    note = page.locator(".msg.note")
    expect(note).to_contain_text("Pool is at its limit.")
    expect(note.locator("strong")).to_have_text("limit")

    # A reply with a pasted picture.
    page.get_by_role("button", name="Reply").click()
    expect(page.get_by_text("Anna Novak will get this")).to_be_visible()
    area = page.locator("#editor textarea")
    area.fill("This is what we see:\n")
    area.evaluate(PASTE, list(picture()))
    expect(area).to_have_value(re.compile(r"!\[shot\.png\]\(attachment:shot\.png\)"))
    page.get_by_role("button", name="Send").click()
    shown = page.locator(".msg.mine img[src^='/attachments/']")
    expect(shown).to_be_visible()
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320
    expect(area).to_have_value("")
    assert Attachment.objects.get().comment.visibility == "public"

    # Impact and urgency: the priority follows while choosing, and is stored.
    page.get_by_role("link", name="Change the classification").click()
    dialog = page.locator("dialog[open]")
    dialog.locator("[name=impact][value='1']").check()
    dialog.locator("[name=urgency][value='1']").check()
    expect(dialog.locator("#priority-preview")).to_contain_text("P1 Critical")
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("#part-words .pri")).to_have_text("P1 Critical")
    expect(page.locator("#timeline")).to_contain_text("by the matrix")

    # Hold for the caller: refused without a word to them, and nothing typed is lost.
    dialog = open_move(page, "Put on hold")
    dialog.get_by_label("What are you waiting for?").select_option("awaiting_caller")
    wake = (now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    dialog.get_by_label("Wake it at").fill(wake)
    dialog.get_by_role("button", name="Put on hold").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Tell the caller what you need from them.")
    expect(dialog.get_by_label("Wake it at")).to_have_value(wake)
    dialog.get_by_label("Message to the caller").fill("Which shops are hit?")
    dialog.get_by_role("button", name="Put on hold").click()
    expect(page.locator("#part-words .state")).to_have_text("On Hold")
    expect(page.locator("#timeline")).to_contain_text("Which shops are hit?")
    assert fresh(incident).hold_reason == "awaiting_caller"

    # The follow-up time comes: it is back at work, and the open page says so by itself.
    with time_machine.travel(now() + timedelta(days=2)):
        sweep_wake_ups()
    assert fresh(incident).state == "in_progress"
    page.clock.fast_forward(30_000)
    expect(page.locator("#part-words .state")).to_have_text("In Progress")
    expect(page.locator("#timeline")).to_contain_text("the follow-up time came, back to work")

    # Resolve, reopen, resolve again.
    for round_number in (1, 2):
        dialog = open_move(page, "Resolve")
        dialog.get_by_label("How was it solved?").select_option("solution_provided")
        dialog.get_by_label("What was done").fill(f"Pool enlarged, round {round_number}.")
        dialog.get_by_role("button", name="Resolve").click()
        expect(page.locator("#part-words .state")).to_have_text("Resolved")
        expect(page.locator(".msg.solution").last).to_contain_text(f"round {round_number}")
        if round_number == 1:
            dialog = open_move(page, "Reopen")
            dialog.get_by_label("What is still wrong?").fill("One shop is still down.")
            dialog.get_by_role("button", name="Reopen").click()
            expect(page.locator("#part-words .state")).to_have_text("In Progress")
            expect(page.locator(".tag.warn")).to_have_text("Reopened once")

    # Nobody answers: it closes by itself, and no move is left.
    with time_machine.travel(now() + timedelta(days=15)):
        auto_close()
    page.reload()
    expect(page.locator("#part-words .state")).to_have_text("Closed")
    expect(page.locator("#timeline")).to_contain_text("closed it by itself")
    expect(page.locator(".moves .btn")).to_have_count(0)
    expect(page.locator("#editor").get_by_role("button", name="Reply")).to_have_count(0)
    expect(page.locator("#editor").get_by_role("button", name="Work note")).to_be_visible()
    assert Comment.objects.filter(visibility="note").count() == 1


def test_a_refusal_says_why(
    visit: Callable[..., Any], auditor: User, agent: User, incident: Incident
) -> None:
    started = actions.take(incident, actor=agent)
    page = visit(auditor).go(f"/incidents/{incident.number}/")
    expect(page.locator(".moves a, .moves form")).to_have_count(0)
    page.get_by_role("button", name="More moves").click()
    menu = page.locator("#more-moves")
    hold = menu.get_by_role("button", name="Put on hold")
    expect(hold).to_have_attribute("aria-disabled", "true")
    expect(hold).to_contain_text("Only agents work on incidents.")
    expect(page.locator("[data-editor]")).to_have_count(0)
    page.goto(page.url + "moves/hold/")
    expect(page.get_by_role("alert")).to_contain_text("Only agents work on incidents.")
    assert fresh(incident).version == started.version


def test_what_two_people_typed_is_put_side_by_side(
    visit: Callable[..., Any], agent: User, lead: User, incident: Incident
) -> None:
    page = visit(agent).go(f"/incidents/{incident.number}/")
    page.get_by_role("link", name="Edit title and description").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Title").fill("Top-ups fail in three shops")
    actions.update_incident(incident, actor=lead, values={"title": "Card top-ups fail"})
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Somebody saved before you")
    expect(dialog).to_contain_text("By Jonas Ortiz")
    assert fresh(incident).title == "Card top-ups fail"
    dialog.get_by_role("radio", name="Yours").check()
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Top-ups fail in three shops")
    assert fresh(incident).title == "Top-ups fail in three shops"


def test_a_draft_survives_a_closed_tab(
    visit: Callable[..., Any], agent: User, incident: Incident
) -> None:
    person = visit(agent)
    page = person.go(f"/incidents/{incident.number}/")
    page.locator("#editor textarea").fill("Half a sentence")
    expect(page.locator("[data-draft-note]")).to_contain_text("Draft kept")
    page.close()
    again = person.context.new_page()
    again.goto(f"{person.base}/incidents/{incident.number}/")
    expect(again.locator("#editor textarea")).to_have_value("Half a sentence")
    again.get_by_role("button", name="Send").click()
    expect(again.locator("#timeline")).to_contain_text("Half a sentence")
    again.reload()
    expect(again.locator("#editor textarea")).to_have_value("")


def test_a_list_that_stays_true_does_not_move(
    visit: Callable[..., Any], agent: User, lead: User, team: Team, make_incident: Any
) -> None:
    first = make_incident(assignment_group=team, title="First of all")
    person = visit(agent)
    person.page.clock.install()
    page = person.go("/incidents/?view=all")
    actions.update_incident(first, actor=lead, values={"title": "First, said better"})
    make_incident(assignment_group=team, title="A second one")
    with page.expect_response(re.compile(r"rows=1")):
        page.clock.fast_forward(30_000)
    expect(page.locator(f"#row-{first.number}")).to_contain_text("First, said better")
    expect(page.locator(".list tbody tr")).to_have_count(1)
    page.get_by_role("button", name="1 new").click()
    expect(page.locator(".list tbody tr")).to_have_count(2)


def test_keys_act_on_the_row_one_is_at(
    visit: Callable[..., Any], agent: User, team: Team, make_incident: Any
) -> None:
    first, second = (make_incident(assignment_group=team) for _ in range(2))
    page = visit(agent).go("/incidents/?view=all&ordering=opened_at")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("a")
    row = page.locator(f"#row-{second.number}")
    expect(row).to_contain_text("Mei Chen")
    expect(page.locator(".toast")).to_contain_text(f"{second.number} is yours")
    expect(row.locator(".row-link")).to_be_focused()
    assert fresh(second).assignee == agent
    assert fresh(first).assignee is None
    page.keyboard.press("c")
    expect(page.get_by_role("heading", level=1)).to_contain_text(second.title)
    expect(page.locator("#editor textarea")).to_be_focused()


def test_a_lead_assigns_several_at_once(
    visit: Callable[..., Any], lead: User, team: Team, make_incident: Any
) -> None:
    numbers = [make_incident(assignment_group=team).number for _ in range(3)]
    page = visit(lead).go("/incidents/?view=unassigned")
    page.get_by_label("Select all").check()
    bar = page.locator("[data-bulk]")
    expect(bar).to_contain_text("3 selected")
    bar.get_by_role("button", name="Take").click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("3 incidents selected")
    dialog.get_by_role("button", name="Take them").click()
    expect(page.locator(".toast")).to_contain_text("3 incidents done")
    expect(page.locator(".list tbody tr")).to_have_count(0)
    rows = Incident.objects.filter(number__in=numbers)
    assert {row.assignee_id for row in rows} == {lead.pk}


def test_a_filter_is_added_from_the_panel(
    visit: Callable[..., Any], agent: User, team: Team, make_incident: Any
) -> None:
    make_incident(assignment_group=team, impact=1, urgency=1, title="Burning")
    make_incident(assignment_group=team, title="Smouldering")
    page = visit(agent).go("/incidents/?view=team")
    page.get_by_role("button", name="Filter", exact=True).click()
    panel = page.locator("#filter-panel")
    panel.get_by_label("P1").check()
    panel.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"\?view=team&priority__in=1$"))
    expect(page.locator(".list tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Remove filter Priority").click()
    expect(page.locator(".list tbody tr")).to_have_count(2)
