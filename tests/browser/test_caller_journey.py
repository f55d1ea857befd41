"""A caller's way through one trouble, in a real browser and in both languages: report with a pasted
picture, answer what is asked, say that it is still wrong, say that it helped."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.utils import translation
from django.utils.translation import gettext
from playwright.sync_api import Page, expect

from incidents import actions
from incidents.models import Incident
from spine.people.models import Team, User
from spine.threads.models import Attachment, Comment
from tests.browser.test_agent_journey import PASTE
from tests.pages.busy import picture

SOLVED = {"close_code": "solution_provided", "close_notes": "Replaced the cable."}
ASK = {"hold_reason": "awaiting_caller", "comment": "Which room is it?"}
TITLE = {"en": "Screen stays black", "zh-hans": "显示器黑屏"}


def stored() -> Incident:
    found: Incident = Incident.objects.get()
    return found


def say(language: str, msgid: str, **values: Any) -> str:
    """The words of the interface, from the catalogue that the page reads."""
    with translation.override(language):
        return gettext(msgid) % values if values else gettext(msgid)


def paste_picture(page: Page, selector: str) -> None:
    page.locator(selector).evaluate(PASTE, list(picture()))


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("width", [1280, 375])
def test_from_the_report_to_the_thanks(
    language: str, width: int, visit: Callable[..., Any], agent: User, caller: User, team: Team
) -> None:
    User.objects.filter(pk=caller.pk).update(language=language)
    person = visit(caller, width=width)

    def w(msgid: str, **values: Any) -> str:
        return say(language, msgid, **values)

    # What was typed on the start page goes along into the form.
    page = person.go("/portal/")
    expect(page.locator("html")).to_have_attribute("lang", language)
    page.locator("input[name=title]").fill(TITLE[language])
    offer = page.locator("#hits .go")
    expect(offer).to_contain_text(TITLE[language])
    offer.click()
    expect(page.locator("#id_title")).to_have_value(TITLE[language])
    page.locator("#id_description").fill("Since **09:41**.")
    page.get_by_label(w("I can't work")).check()
    paste_picture(page, "#id_description")
    expect(page.locator("[data-drop-list] .file .name")).to_have_text("shot.png")
    assert person.axe() == []
    page.get_by_role("button", name=w("Send"), exact=True).click()

    ticket = stored()
    page.wait_for_url(f"**/portal/tickets/{ticket.number}/")
    assert (ticket.title, ticket.caller, ticket.priority) == (TITLE[language], caller, 2)
    assert Attachment.objects.get().name == "shot.png"
    expect(page.locator(".timeline .file img")).to_be_visible()
    expect(page.locator(".timeline strong")).to_have_text("09:41")

    # The agent asks; the answer, with a picture in the midst of it, resumes the work.
    ticket = actions.take(ticket, actor=agent)
    actions.move_incident(ticket, "hold", actor=agent, values=ASK)
    page = person.go("/portal/")
    page.get_by_role("link", name=re.compile(w("Answer"))).click()
    expect(page.locator(".now")).to_contain_text(w("We need an answer from you."))
    assert person.axe() == []
    page.locator("#editor-body").fill("4.12")
    page.locator("#editor-body").press("End")
    paste_picture(page, "#editor-body")
    expect(page.locator("#editor-body")).to_have_value(re.compile(r"4\.12\n!\[shot.*\]"))
    page.locator(".editor [data-submit]").click()
    expect(page.locator(".timeline .prose img")).to_be_visible()
    expect(page.locator(".now")).to_contain_text(w("%(who)s works on it.", who="Mei Chen"))
    assert stored().state == "in_progress"
    reply = Comment.objects.get(author=caller)
    assert reply.channel == "portal"
    assert page.url.endswith(f"#comment-{reply.uuid}")
    expect(page.locator("#editor-body")).to_have_value("")

    # Solved, still wrong, solved again, and it helped.
    actions.move_incident(stored(), "resolve", actor=agent, values=SOLVED)
    page.reload()
    expect(page.locator(".msg.solution")).to_contain_text("Replaced the cable.")
    assert person.axe() == []
    page.locator(".judge summary").click()
    page.locator("#reopen-comment").fill("Black again.")
    page.get_by_role("button", name=w("Open it again")).click()
    expect(page.locator(".timeline")).to_contain_text("Black again.")
    assert (stored().state, stored().reopen_count) == ("in_progress", 1)

    actions.move_incident(stored(), "resolve", actor=agent, values=SOLVED)
    page = person.go("/portal/")
    assert person.axe() == []
    page.locator(".yours .acts button").click()
    page.wait_for_url(f"**/portal/tickets/{ticket.number}/")
    expect(page.locator(".timeline")).to_contain_text(w("said that it helped"))
    assert stored().state == "closed"
    assert stored().confirmed_at is not None
    assert person.axe() == []


def test_all_of_it_without_scripts(
    visit: Callable[..., Any], agent: User, caller: User, team: Team, tmp_path: Any
) -> None:
    person = visit(caller, java_script_enabled=False)
    shot = tmp_path / "plain.png"
    shot.write_bytes(picture())

    page = person.go("/portal/")
    page.locator("input[name=title]").fill("Screen stays black")
    page.locator("input[name=title]").press("Enter")
    expect(page.locator("#id_title")).to_have_value("Screen stays black")
    page.get_by_label("I can't work").check()
    page.locator("#id_files").set_input_files(shot)
    page.get_by_role("button", name="Send").click()
    ticket = stored()
    page.wait_for_url(f"**/portal/tickets/{ticket.number}/")
    expect(page.locator(".timeline .file .name")).to_have_text("plain.png")

    actions.move_incident(actions.take(ticket, actor=agent), "hold", actor=agent, values=ASK)
    page.reload()
    page.locator("#editor-body").fill("4.12")
    files = page.locator(".editor input[type=file]:not([hidden])")
    expect(files).to_be_visible()
    files.set_input_files(shot)
    page.locator(".editor [data-submit]").click()
    expect(page.locator(".timeline")).to_contain_text("4.12")
    assert Attachment.objects.count() == 2
    assert stored().state == "in_progress"

    actions.move_incident(stored(), "resolve", actor=agent, values=SOLVED)
    page.reload()
    page.locator(".judge summary").click()
    page.locator("#reopen-comment").fill("Black again.")
    page.get_by_role("button", name="Open it again").click()
    assert stored().state == "in_progress"
    actions.move_incident(stored(), "resolve", actor=agent, values=SOLVED)
    page.reload()
    page.get_by_role("button", name="It helped").click()
    expect(page.locator(".timeline")).to_contain_text("You said that it helped")


def test_an_expired_form_costs_no_words(visit: Callable[..., Any], caller: User) -> None:
    """Signed in anew elsewhere, the form's token is no longer right: a page that says so, and on
    going back the words are there and can be sent."""
    person = visit(caller)
    page = person.go("/portal/new/")
    page.locator("#id_title").fill("Screen stays black")
    page.locator("#id_description").fill("Since this morning.")
    person.context.clear_cookies(name=django_settings.CSRF_COOKIE_NAME)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="This form has expired")).to_be_visible()
    assert person.axe() == []
    page.go_back()
    expect(page.locator("#id_title")).to_have_value("Screen stays black")
    expect(page.locator("#id_description")).to_have_value("Since this morning.")
    assert not Incident.objects.exists()
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".timeline")).to_contain_text("Since this morning.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_no_page_of_the_portal_keeps_anybody_out(
    scheme: str,
    width: int,
    visit: Callable[..., Any],
    agent: User,
    caller: User,
    other_caller: User,
    team: Team,
    make_incident: Callable[..., Incident],
) -> None:
    """axe on every page in either theme, and nothing wider than the screen."""
    fresh = make_incident(title="Label printer " + "without-a-break" * 12)
    asked = actions.take(make_incident(title="Badge reader"), actor=agent)
    actions.move_incident(asked, "hold", actor=agent, values=ASK)
    canceled = make_incident(title="Twice")
    actions.move_incident(canceled, "cancel", actor=caller, values={"reason": "Twice"})
    person = visit(caller, width=width, color_scheme=scheme)
    for path in (
        "/portal/",
        "/portal/new/?title=badge",
        "/portal/tickets/",
        "/portal/tickets/?q=nothing+says+this",
        "/portal/tickets/?show=closed",
        f"/portal/tickets/{fresh.number}/",
        f"/portal/tickets/{asked.number}/",
        f"/portal/tickets/{canceled.number}/",
        "/portal/tickets/INC0999999/",
    ):
        page = person.go(path)
        assert person.axe() == [], path
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{path} is {wide} px too wide"
    page = person.go("/portal/new/")
    page.locator("#id_title").evaluate("(field) => field.removeAttribute('required')")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".form-errors")).to_be_focused()
    assert person.axe() == []
    empty = visit(other_caller, width=width, color_scheme=scheme)
    empty.go("/portal/")
    assert empty.axe() == []
