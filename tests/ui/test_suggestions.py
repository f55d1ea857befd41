"""Suggestions under the search field: by keyboard and mouse, in order, and never in the way."""

from __future__ import annotations

import datetime as dt
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.ui.desk import ROOT, Desk

pytestmark = pytest.mark.browser
ASKED = "GET /search/suggest/"
FOUND = [
    {"text": "Printer jams", "hint": "INC0000001", "url": "/incidents/INC0000001/", "label": "I"},
    {"text": "Pria Novak", "hint": "Clerk", "url": "", "label": "People"},
    {"text": "<b>Print</b> server", "hint": "INC0000002", "url": "/incidents/INC0000002/",
     "label": "I"},
]  # fmt: skip


@pytest.fixture
def asked(desk: Desk) -> list[str]:
    """What was asked for, in order; answered with FOUND."""
    texts: list[str] = []

    def answer(route: Route) -> None:
        texts.append(parse_qs(urlsplit(route.request.url).query)["q"][0])
        route.fulfill(content_type="application/json", body=json.dumps(FOUND))

    desk.answers[ASKED] = answer
    return texts


@pytest.fixture
def page(desk: Desk, asked: list[str]) -> Page:
    page = desk.show("<p id='below'>Below</p>")
    expect(page.get_by_role("combobox", name="Search")).to_have_attribute("aria-expanded", "false")
    return page


def test_arrows_walk_and_enter_opens(desk: Desk, page: Page, asked: list[str]) -> None:
    field = page.get_by_role("combobox", name="Search")
    place = page.locator("#below").bounding_box()
    page.clock.install()
    page.clock.pause_at(dt.datetime.now() + dt.timedelta(hours=1))
    page.keyboard.press("/")
    page.keyboard.type("prin")
    assert asked == []
    page.clock.run_for(150)
    options = page.get_by_role("option")
    expect(options).to_have_count(2)  # what has no page is no destination
    assert asked == ["prin"], "one question for a word typed at once"
    assert page.locator("#below").bounding_box() == place
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(options.last).to_have_text("INC0000002<b>Print</b> serverI")
    for key, chosen in (("ArrowDown", 0), ("ArrowDown", 1), ("ArrowDown", None), ("ArrowUp", 1)):
        page.keyboard.press(key)
        expect(page.locator("[role=option][aria-selected=true]")).to_have_count(
            0 if chosen is None else 1
        )
        if chosen is not None:
            expect(options.nth(chosen)).to_have_attribute("aria-selected", "true")
            active = options.nth(chosen).get_attribute("id") or ""
            expect(field).to_have_attribute("aria-activedescendant", active)
    expect(field).to_be_focused()
    expect(field).to_have_value("prin")
    page.keyboard.press("Enter")
    page.wait_for_url("**/incidents/INC0000002/")
    assert not [one for one in desk.requests if one.startswith("GET /search/ ")]


def test_enter_without_a_choice_searches(desk: Desk, page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("prin")
    expect(page.get_by_role("option")).to_have_count(2)
    page.keyboard.press("Enter")
    page.wait_for_url("**/search/?q=prin")


def test_new_text_forgets_the_choice(page: Page) -> None:
    page.get_by_role("combobox", name="Search").fill("prin")
    expect(page.get_by_role("option")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.type("t")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search/?q=print")


def test_escape_closes_and_keeps_the_text(page: Page, asked: list[str]) -> None:
    field = page.get_by_role("combobox", name="Search")
    field.fill("prin")
    expect(page.get_by_role("option")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_have_count(0)
    expect(field).to_have_value("prin")
    expect(field).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option")).to_have_count(2)
    page.keyboard.press("Tab")
    expect(page.get_by_role("listbox")).to_have_count(0)
    assert asked == ["prin", "prin"]


def test_a_click_opens_and_one_latin_letter_asks_nothing(page: Page, asked: list[str]) -> None:
    field = page.get_by_role("combobox", name="Search")
    field.fill("p")
    field.fill("打")
    page.get_by_role("option", name="Printer jams").click()
    page.wait_for_url("**/incidents/INC0000001/")
    assert asked == ["打"]


def test_an_older_answer_never_replaces_a_newer_one(desk: Desk) -> None:
    held: list[Route] = []

    def answer(route: Route) -> None:
        if "q=prin" in route.request.url and "q=printer" not in route.request.url:
            held.append(route)
            return
        route.fulfill(content_type="application/json", body=json.dumps(FOUND[:1]))

    desk.answers[ASKED] = answer
    page = desk.show("<p>x</p>")
    field = page.get_by_role("combobox", name="Search")
    with page.expect_event("requestfailed") as given_up:
        with page.expect_request("**/suggest/?q=prin"):
            field.fill("prin")
        field.fill("printer")
    assert given_up.value.url.endswith("q=prin")
    expect(page.get_by_role("option")).to_have_count(1)


@pytest.mark.parametrize(
    "answer",
    [(500, "text/html", "boom"), (200, "text/html", "<!doctype html>Sign in"),
     (200, "application/json", "[]")],
)  # fmt: skip
def test_no_answer_leaves_a_field_that_searches(desk: Desk, answer: tuple[int, str, str]) -> None:
    desk.answers[ASKED] = answer
    page = desk.show("<p>x</p>")
    with page.expect_response("**/suggest/**"):
        page.get_by_role("combobox", name="Search").fill("prin")
    expect(page.get_by_role("listbox")).to_have_count(0)
    expect(page.locator(".toast")).to_have_count(0)
    page.keyboard.press("Enter")
    page.wait_for_url("**/search/?q=prin")


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_axe_finds_nothing_and_nothing_sticks_out(
    desk: Desk, page: Page, width: int, look: str
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if look == "dark" else "light")
    field = page.get_by_role("combobox", name="Search")
    field.fill("prin")
    expect(page.get_by_role("option")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    box = page.get_by_role("listbox").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["width"] >= 340
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    axe = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
    desk.answers["GET /axe.js"] = (200, "text/javascript", axe)
    page.add_script_tag(url="/axe.js")
    found = page.evaluate("axe.run('.search').then((result) => result.violations)")
    assert [(item["id"], [node["target"] for node in item["nodes"]]) for item in found] == []
