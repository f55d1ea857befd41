"""The search field of the top bar against the real search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from incidents.models import Incident
from spine.outbox import draining
from spine.people.models import User
from spine.search import listeners
from spine.search.models import Document


def _index() -> None:
    while draining.drain_once(listeners.index):
        pass


def test_a_few_letters_and_two_keys_open_a_record(
    visit: Callable[..., Any], agent: User, make_incident: Callable[..., Incident]
) -> None:
    made = make_incident(title="三楼打印机无法连接")
    make_incident(title="Mail is slow")
    _index()
    assert Document.objects.filter(kind="incident").count() == 2
    page = visit(agent).go("/incidents/?view=all")
    page.keyboard.press("Control+k")
    with page.expect_response(lambda one: "/search/suggest/" in one.url) as answered:
        page.keyboard.insert_text("打印")
    assert [one["value"] for one in answered.value.json()] == [made.number]
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/incidents/{made.number}/")


def test_without_scripts_the_form_searches(
    visit: Callable[..., Any], agent: User, make_incident: Callable[..., Incident]
) -> None:
    make_incident(title="Walrus in the server room")
    make_incident(title="Walrus in the car park")
    _index()
    page = visit(agent, java_script_enabled=False).go("/incidents/?view=all")
    field = page.locator("header.top input[name=q]")
    assert field.get_attribute("role") is None, "no combobox where nothing can open"
    field.fill("walrus")
    field.press("Enter")
    page.wait_for_url("**/search/?q=walrus")
    expect(page.get_by_role("main")).to_contain_text("car park")
