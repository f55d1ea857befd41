"""What the scripts do, in a real browser under the real Content-Security-Policy."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from spine.ui import times
from tests.ui.desk import DIST, Desk

pytestmark = pytest.mark.browser

LIST = """
<form data-list>{% load ui %}<div class="card list-wrap"><table class="list">
<thead><tr>
<th class="c-check"><label><input type="checkbox" data-pick-all aria-label="All"></label></th>
<th>Number</th><th class="c-title">Title</th></tr></thead>
<tbody data-live="/rows/" data-live-every="5">{{ rows|safe }}</tbody></table></div>
{% include "ui/bulk.html" with actions=actions only %}</form><span data-live-note></span>
"""
EDITOR = """
{% with action="/comments/" draft_key="INC1" may_note=True target="#out" swap="innerHTML" %}
{% include "ui/editor.html" %}{% endwith %}
<div id="out"></div>
"""
FIRST = (("INC1", "Printer", 1), ("INC2", "网络故障", 1), ("INC3", "Mail", 1))


def test_keys_walk_pick_and_open(desk: Desk, rows: Callable[..., str]) -> None:
    page = desk.show(LIST, rows=rows(*FIRST))
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="网络故障")).to_be_focused()
    page.keyboard.press("x")
    expect(page.locator("[data-count]")).to_have_text("1 selected")
    page.keyboard.press("k")
    expect(page.get_by_role("link", name="Printer")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/records/INC1/")


def test_keys_leave_a_typing_person_alone(desk: Desk, rows: Callable[..., str]) -> None:
    page = desk.show(LIST, rows=rows(*FIRST))
    page.keyboard.press("/")
    page.keyboard.type("jjk?")
    expect(page.get_by_role("combobox", name="Search")).to_have_value("jjk?")
    expect(page.locator("#keys-dialog")).not_to_be_visible()


def test_shift_picks_a_range_and_all_picks_all(desk: Desk, rows: Callable[..., str]) -> None:
    page = desk.show(LIST, rows=rows(*FIRST))
    page.get_by_label("Select INC1").click()
    page.get_by_label("Select INC3").click(modifiers=["Shift"])
    expect(page.locator("[data-count]")).to_have_text("3 selected")
    expect(page.get_by_label("All")).to_be_checked()
    page.locator("[data-clear]").click()
    expect(page.locator("[data-bulk]")).to_be_hidden()


def test_a_live_list_changes_in_place_and_holds_back_what_is_new(
    desk: Desk, rows: Callable[..., str]
) -> None:
    page = desk.show(LIST, rows=rows(*FIRST))
    page.get_by_label("Select INC2").check()
    changed = rows(("INC9", "New one", 1), ("INC1", "Printer on fire", 2), ("INC2", "网络故障", 2))
    desk.answers["GET /rows/"] = (200, "text/html; charset=utf-8", changed)
    expect(page.get_by_role("link", name="Printer on fire")).to_be_visible(timeout=15_000)
    expect(page.get_by_label("Select INC2")).to_be_checked()
    expect(page.get_by_role("link", name="New one")).to_have_count(0)
    expect(page.locator("#row-INC3")).to_have_class(re.compile("gone"))
    page.get_by_role("button", name="1 new").click()
    expect(page.locator("tbody tr").first).to_have_id("row-INC9")
    expect(page.locator("#row-INC3")).to_have_count(0)
    expect(page.get_by_label("Select INC2")).to_be_checked()


def test_a_draft_survives_and_goes_when_sent(desk: Desk) -> None:
    page = desk.show(EDITOR)
    page.get_by_role("button", name="Work note").click()
    page.keyboard.type("half a thought 想法")
    expect(page.locator("[data-draft-note]")).to_contain_text("Draft kept")
    page.reload()
    area = page.locator("textarea")
    expect(area).to_have_value("half a thought 想法")
    expect(page.locator("form.editor")).to_have_class(re.compile("note"))
    sent: list[str] = []

    def take(route: Route) -> None:
        sent.append((route.request.post_data_buffer or b"").decode("utf-8", "replace"))
        assert route.request.headers["x-csrftoken"] == "token"
        route.fulfill(status=200, content_type="text/html", body="<p>ok</p>")

    desk.answers["POST /comments/"] = take
    area.focus()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#out")).to_have_text("ok")
    assert "half a thought" in sent[0]
    assert re.search(r'name="visibility"\s+note', sent[0])
    expect(area).to_have_value("")
    page.reload()
    expect(page.locator("textarea")).to_have_value("")


def test_an_answer_that_brings_a_new_editor_brings_no_old_draft(desk: Desk) -> None:
    source = EDITOR.replace("#out", "closest form").replace("innerHTML", "outerHTML")
    page = desk.show(source)
    editor = page.locator("form.editor").evaluate("(form) => form.outerHTML")
    desk.answers["POST /comments/"] = (200, "text/html", editor)
    page.locator("textarea").fill("done and sent")
    expect(page.locator("[data-draft-note]")).to_contain_text("Draft kept")
    with page.expect_response("**/comments/"):
        page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-draft-note]")).to_be_hidden()
    expect(page.locator("textarea")).to_have_value("")
    assert page.evaluate("localStorage.length") == 0


def test_a_failure_says_what_is_kept_and_keeps_it(desk: Desk) -> None:
    page = desk.show(EDITOR)
    desk.answers["POST /comments/"] = (500, "text/html", "<!doctype html><h1>boom</h1>")
    page.locator("textarea").fill("precious")
    page.get_by_role("button", name="Send").click()
    toast = page.locator(".toast.bad")
    expect(toast).to_contain_text("Something broke on our side.")
    expect(toast).to_contain_text("what you typed is kept")
    expect(page.locator("textarea")).to_have_value("precious")
    assert "boom" not in page.content()


PASTE = """(area) => {
  const data = new DataTransfer();
  data.items.add(new File(["not looked at"], "screen shot (1).png", { type: "image/png" }));
  const paste = { clipboardData: data, bubbles: true, cancelable: true };
  area.dispatchEvent(new ClipboardEvent("paste", paste));
}"""


def test_a_pasted_picture_becomes_a_file_and_a_reference(desk: Desk) -> None:
    page = desk.show(EDITOR)
    area = page.locator("textarea")
    area.fill("see")
    area.evaluate(PASTE)
    expect(area).to_have_value("see\n![screen-shot-1.png](attachment:screen-shot-1.png)\n")
    assert page.locator("input[type=file]").evaluate("(e) => [...e.files].map((f) => f.name)") == [
        "screen-shot-1.png"
    ]
    area.evaluate(PASTE)
    expect(page.locator(".file")).to_have_count(2)
    page.get_by_role("button", name="Remove screen-shot-1.png").click()
    expect(page.locator(".file .name")).to_have_text("screen-shot-1-2.png")
    assert "screen-shot-1.png" not in area.input_value()
    assert "screen-shot-1-2.png" in area.input_value()


def test_a_remote_combobox_asks_and_sends_the_choice(desk: Desk) -> None:
    found = '[{"value": "u7", "text": "李伟", "hint": "网络运维组"}]'
    desk.answers["GET /people.json"] = (200, "application/json; charset=utf-8", found)
    page = desk.show(
        '<form><div class="field"><label for="who">Caller</label>'
        '<select id="who" name="who" data-combobox data-src="/people.json"></select></div></form>'
    )
    page.wait_for_selector(".ts-control")
    page.get_by_role("combobox", name="Caller").click()
    expect(page.get_by_role("combobox", name="Caller")).to_be_focused()
    page.keyboard.type("liwei")
    page.get_by_role("option", name=re.compile("李伟")).click()
    assert page.locator("#who").input_value() == "u7"


def test_a_local_combobox_narrows_as_one_types(desk: Desk) -> None:
    page = desk.show(
        '<form><div class="field"><label for="who">Caller</label>'
        '<select id="who" name="who" data-combobox><option value="a">Mei Chen</option>'
        '<option value="b">Jonas Ortiz</option></select></div></form>'
    )
    page.wait_for_selector(".ts-control")
    page.get_by_role("combobox", name="Caller").click()
    expect(page.get_by_role("combobox", name="Caller")).to_be_focused()
    page.keyboard.type("jon")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    assert page.locator("#who").input_value() == "b"


def test_a_dialog_opens_with_its_form_and_closes_on_success(desk: Desk) -> None:
    form = (
        '<form hx-post="/hold/" hx-target="#dialog-slot"><header><h2 id="dialog-title">Hold</h2>'
        '</header><div class="body"><input name="why" aria-label="Why"></div>'
        '<footer><button class="btn primary">Put on hold</button></footer></form>'
    )
    page = desk.show('<button hx-get="/hold/" hx-target="#dialog-slot">Open</button>')
    desk.answers["GET /hold/"] = (200, "text/html", form)
    refused = form.replace('name="why"', 'name="why" aria-invalid="true"')
    desk.answers["POST /hold/"] = (422, "text/html", refused)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("dialog", name="Hold")).to_be_visible()
    expect(page.get_by_label("Why")).to_be_focused()
    page.get_by_role("button", name="Put on hold").click()
    expect(page.locator("[aria-invalid=true]")).to_be_focused()

    def accept(route: Route) -> None:
        events = '{"closeDialog": {}, "toast": {"text": "Put on hold", "undo": "/undo/"}}'
        route.fulfill(status=204, headers={"HX-Trigger": events})

    desk.answers["POST /hold/"] = accept
    desk.answers["POST /undo/"] = (204, "text/plain", "")
    page.get_by_role("button", name="Put on hold").click()
    expect(page.locator("#dialog")).not_to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("Undone")
    assert "POST /undo/" in desk.requests


def test_a_lost_session_is_told_not_pasted_in(desk: Desk) -> None:
    page = desk.show(
        '<button hx-get="/part/" hx-target="#out">Load</button><div id="out">old</div>'
    )
    # what a followed redirect looks like from inside; a real one would leave the stand-in server
    page.evaluate(
        "Object.defineProperty(XMLHttpRequest.prototype, 'responseURL',"
        " { get: () => 'http://evenkeel.test/login/?next=/part/' })"
    )
    desk.answers["GET /part/"] = (200, "text/html", "<!doctype html><title>Sign in</title>")
    page.get_by_role("button", name="Load").click()
    expect(page.locator(".toast.bad")).to_contain_text("You have been signed out.")
    expect(page.locator("#out")).to_have_text("old")


def test_a_form_is_sent_once(desk: Desk) -> None:
    page = desk.show(
        '<form method="post" action="/new/"><button class="btn">Create</button></form>'
    )
    # an answer that stays on the page, as a download does
    desk.answers["POST /new/"] = (204, "text/plain", "")
    button = page.get_by_role("button", name="Create")
    with page.expect_request("**/new/"):
        button.click()
    expect(button).to_have_attribute("aria-busy", "true")
    button.dispatch_event("click")
    with page.expect_response("**/after/"):
        page.evaluate("fetch('/after/').then(() => null)")
    assert desk.requests.count("POST /new/") == 1


def test_unsaved_input_is_not_left_by_accident(desk: Desk) -> None:
    page = desk.show('<form data-guard><input aria-label="Title"></form><a href="/away/">Away</a>')
    page.get_by_label("Title").fill("half")
    # the listener keeps Playwright from answering by itself
    page.on("dialog", lambda dialog: dialog.dismiss())
    with page.expect_event("dialog") as asked:
        page.get_by_role("link", name="Away").click(no_wait_after=True)
    assert asked.value.type == "beforeunload"
    assert page.url.endswith("/page/")


def test_the_token_of_a_newer_session_is_used(desk: Desk) -> None:
    page = desk.show('<button hx-post="/do/" hx-swap="none">Do</button>')
    page.evaluate("document.cookie = 'csrftoken=newer; Path=/'")
    desk.answers["POST /do/"] = (204, "text/plain", "")
    with page.expect_request("**/do/") as request:
        page.get_by_role("button", name="Do").click()
    assert request.value.headers["x-csrftoken"] == "newer"


def test_the_theme_is_kept_for_the_server(desk: Desk) -> None:
    page = desk.show("<p>x</p>")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator('[popovertarget="account-menu"]').click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    cookies: list[Any] = page.context.cookies()
    assert [cookie["value"] for cookie in cookies if cookie["name"] == "theme"] == ["dark"]


def test_the_drawer_reaches_every_destination_on_a_phone(desk: Desk) -> None:
    desk.page.set_viewport_size({"width": 375, "height": 700})
    nav = [{"label": "Desk", "items": [{"label": "Risks", "url": "/risks/", "icon": "risk"}]}]
    page = desk.show("<p>x</p>", nav=nav)
    expect(page.get_by_role("link", name="Risks")).to_have_count(0)
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Risks").click()
    page.wait_for_url("**/risks/")


def test_the_page_says_times_as_the_server_does(desk: Desk) -> None:
    """Python and JavaScript share msgids and rounding."""
    desk.page.clock.install()
    page = desk.show(
        '<time data-due datetime="{{ at }}">server</time>',
        at=desk.page.evaluate("new Date(Date.now() + 130 * 60000).toISOString()"),
    )
    page.clock.run_for(21_000)
    expect(page.locator("time")).to_have_text(f"{times.span(130 * 60 - 21)} left")


def test_first_visit_stays_within_its_budget(desk: Desk, rows: Callable[..., str]) -> None:
    """200 KB compressed and 6 requests for a list, the page itself included."""
    many = rows(
        *((f"INC{n:07}", "Payments API returns 502 for card top-ups", 1) for n in range(50))
    )
    page = desk.show(LIST, rows=many)
    page.wait_for_load_state("networkidle")
    asked = [request for request in desk.requests if request != "GET /rows/"]
    assert len(asked) <= 6, asked
    files = [request.removeprefix("GET /static/") for request in asked if "/static/" in request]
    octets = sum(
        len(data) if name.endswith("woff2") else len(gzip.compress(data))
        for name in files
        for data in [(DIST / name).read_bytes()]
    ) + len(gzip.compress(page.content().encode()))
    assert octets <= 150_000, octets
