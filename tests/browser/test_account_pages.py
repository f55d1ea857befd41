"""Signing in and one's own settings, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from playwright.sync_api import expect

from spine.people.models import ApiToken, User


@pytest.fixture(autouse=True)
def _count_anew() -> None:
    cache.clear()


def test_in_and_out_by_keyboard(visit: Callable[..., Any], caller: User) -> None:
    person = visit()
    page = person.go("/portal/tickets/")
    expect(page).to_have_url(f"{person.base}/login/?next=/portal/tickets/")
    assert person.axe() == []
    expect(page.locator("#id_username")).to_be_focused()
    page.keyboard.type("caller")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is not right.")
    expect(page.locator("#id_username")).to_have_value("caller")
    assert person.axe() == []
    page.locator("#id_password").fill("demo")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{person.base}/portal/tickets/")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{person.base}/login/")
    person.go("/portal/")
    expect(page).to_have_url(f"{person.base}/login/?next=/portal/")


def test_the_language_is_switched_in_the_menu_and_kept(
    visit: Callable[..., Any], caller: User
) -> None:
    person = visit(caller)
    page = person.go("/portal/")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="简体中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(page).to_have_url(f"{person.base}/portal/")
    caller.refresh_from_db()
    assert caller.language == "zh-hans"
    assert person.axe() == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (375, "dark")])
def test_a_token_is_made_and_revoked(
    width: int, scheme: str, visit: Callable[..., Any], caller: User
) -> None:
    person = visit(caller, width=width, color_scheme=scheme)
    page = person.go("/profile/")
    assert person.axe() == []
    page.get_by_text("A new token").click()
    page.get_by_label("What is it for?").fill("Nightly export")
    page.get_by_role("button", name="Make a token").click()
    key = page.get_by_label("Token", exact=True)
    expect(key).to_have_value(re.compile("^ek_"))
    value = key.input_value()
    assert person.axe() == []
    ask = "(key) => fetch('/api/v1/incidents/', {credentials: 'omit', "
    ask += "headers: {Authorization: `Token ${key}`}}).then((answer) => answer.status)"
    assert page.evaluate(ask, value) == 200
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("revoked", exact=True)).to_have_count(1)
    assert ApiToken.objects.get().revoked_at is not None
    assert page.evaluate(ask, value) == 401


def test_the_password_is_changed_and_the_person_stays(
    visit: Callable[..., Any], caller: User
) -> None:
    person = visit(caller)
    page = person.go("/profile/")
    page.get_by_label("Present password").fill("demo")
    page.get_by_label("New password").fill("short")
    page.get_by_role("button", name="Change password").click()
    expect(page.locator(".errors")).to_be_visible()
    assert person.axe() == []
    page.get_by_label("Present password").fill("demo")
    page.get_by_label("New password").fill("three plain words")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()
    caller.refresh_from_db()
    assert caller.check_password("three plain words")
