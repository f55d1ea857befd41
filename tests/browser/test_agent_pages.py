"""Every page of the desk as people see it: wide and narrow, light and dark, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from spine.people.models import User
from tests.pages.busy import open_desk, tell_a_story

OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def addresses(
    home: Any, system: User, agent: User, lead: User, caller: User, team: Any, make_user: Any
) -> list[str]:
    desk = open_desk(
        home=home, system=system, agent=agent, lead=lead, caller=caller, team=team,
        make_user=make_user,
    )  # fmt: skip
    told = tell_a_story(desk.incidents[0], agent, caller)
    record = f"/incidents/{told.number}/"
    return [
        "/desk/",
        "/incidents/?view=team",
        "/incidents/?view=all&priority__in=1,2&assignee=me",
        "/incidents/?view=mine&caller=other",
        "/incidents/filter/",
        "/incidents/new/",
        record,
        f"{record}moves/hold/",
        f"{record}moves/resolve/",
        f"{record}edit/class/",
        f"{record}edit/who/",
        f"{record}why/resolution/",
        "/incidents/INC9999999/",
    ]


def settled(page: Page) -> None:
    """Comboboxes have come to life, pictures are there."""
    page.wait_for_function(
        "() => [...document.querySelectorAll('select[data-combobox]')].every((s) => s.tomselect)"
    )


LOOKS = {
    "desk": {"width": 1280},
    "dark": {"width": 1920, "height": 1080, "color_scheme": "dark"},
    "phone": {"width": 375, "height": 812, "has_touch": True, "is_mobile": True},
    "chinese": {"width": 1280, "language": "zh-hans"},
}


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_and_nothing_sticks_out(
    visit: Callable[..., Any], agent: User, addresses: list[str], look: str
) -> None:
    options: dict[str, Any] = dict(LOOKS[look])
    if language := options.pop("language", ""):
        User.objects.filter(pk=agent.pk).update(language=language)
    person = visit(agent, **options)
    wrong = {}
    for address in addresses:
        page = person.go(address)
        settled(page)
        found = person.axe()
        if over := page.evaluate(OVERFLOW):
            found.append(f"the page is {over} px too wide")
        if found:
            wrong[address] = found
    assert not wrong


def test_axe_finds_nothing_in_dialogs_and_menus(
    visit: Callable[..., Any], agent: User, addresses: list[str]
) -> None:
    person = visit(agent)
    record = addresses[6]
    wrong = {}
    for part, opener in {
        "hold": "a[hx-get*='/moves/hold/']",
        "who": "a[hx-get$='/edit/who/']",
        "class": "a[hx-get$='/edit/class/']",
        "why": "a[hx-get*='/why/']",
    }.items():
        page = person.go(record)
        page.locator(opener).first.click()
        page.locator("dialog[open] footer").wait_for()
        settled(page)
        if found := person.axe():
            wrong[part] = found
    page = person.go(addresses[1])
    page.locator(".chip.add").click()
    page.locator("#filter-panel form").wait_for()
    settled(page)
    if found := person.axe():
        wrong["filters"] = found
    assert not wrong
