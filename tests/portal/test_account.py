"""What a person keeps for themselves: preferences, language, password, tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client

from spine.audit.models import Entry
from spine.kit.clock import now
from spine.people.models import ApiToken, User

Signed = Callable[[User], Client]
Words = Callable[[Any], str]
KEY = re.compile(r'value="(ek_[\w-]+)"')
NEW = "three plain words"


@pytest.fixture(autouse=True)
def _count_anew() -> Iterator[None]:
    """Nothing counted yet, at the beginning of a window: none ends within a test."""
    cache.clear()
    with time_machine.travel(now().replace(minute=0, second=1), tick=True):
        yield


def test_callers_stay_in_the_portal_and_staff_at_the_desk(
    portal: Client, sign_in: Signed, agent: User
) -> None:
    assert 'class="portal-top"' in portal.get("/profile/").content.decode()
    assert 'class="portal-top"' not in sign_in(agent).get("/profile/").content.decode()


def test_language_and_zone_hold_from_the_next_page_on(portal: Client, caller: User) -> None:
    given = {"language": "zh-hans", "timezone": "Asia/Shanghai"}
    assert portal.post("/profile/preferences/", given).status_code == 302
    caller.refresh_from_db()
    assert (caller.language, caller.timezone) == ("zh-hans", "Asia/Shanghai")
    page = portal.get("/profile/").content.decode()
    assert '<html lang="zh-hans"' in page
    # Each language in its own words, so that whoever can't read this page finds theirs.
    assert ">English</option>" in page
    assert ">简体中文</option>" in page


@pytest.mark.parametrize(
    "given",
    [
        {"language": "tlh", "timezone": "UTC"},
        {"language": "en", "timezone": "Mars/Olympus"},
        {"language": "en", "timezone": "../../etc/passwd"},
        {"language": "en", "timezone": "UTC\x00"},
        {"language": "en"},
    ],
)
def test_strange_preferences_are_refused(
    given: dict[str, str], portal: Client, caller: User
) -> None:
    assert portal.post("/profile/preferences/", given).status_code == 400
    caller.refresh_from_db()
    assert (caller.language, caller.timezone) == ("en", "UTC")


def test_the_menu_sets_the_language_for_the_person_and_before_sign_in(
    portal: Client, caller: User, db: None
) -> None:
    response = portal.post("/language/", {"language": "zh-hans", "next": "/portal/?a=1"})
    assert response.headers["Location"] == "/portal/?a=1"
    caller.refresh_from_db()
    assert caller.language == "zh-hans"

    visitor = Client()
    assert '<html lang="en"' in visitor.get("/login/").content.decode()
    visitor.post("/language/", {"language": "zh-hans", "next": "/login/"})
    assert '<html lang="zh-hans"' in visitor.get("/login/").content.decode()


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:x", ""])
def test_the_menu_leads_nowhere_else(target: str, portal: Client) -> None:
    response = portal.post("/language/", {"language": "en", "next": target})
    assert response.headers["Location"] in {"/", ""}


def test_a_new_password_keeps_this_session_and_ends_the_others(
    caller: User, db: None, words: Words
) -> None:
    here, elsewhere = Client(), Client()
    for client in (here, elsewhere):
        client.post("/login/", {"username": "caller", "password": "demo"})
        assert client.get("/profile/").status_code == 200
    changed = here.post("/profile/password/", {"current": "demo", "new": NEW}, follow=True)
    assert "Your password is changed." in changed.content.decode()
    assert here.get("/portal/").status_code == 200
    assert elsewhere.get("/portal/").status_code == 302
    caller.refresh_from_db()
    assert caller.check_password(NEW)
    entry = Entry.objects.get(verb="user.password_changed")
    assert NEW not in f"{entry.changes}{entry.data}"


def test_a_password_is_taken_to_the_letter(caller: User, db: None) -> None:
    client = Client()
    client.force_login(caller, backend="spine.people.backends.PeopleBackend")
    spaced = "  three plain words  "
    client.post("/profile/password/", {"current": "demo", "new": spaced})
    door = Client()
    assert door.post("/login/", {"username": "caller", "password": spaced}).status_code == 302


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"current": "wrong", "new": NEW}, "This is not your present password."),
        ({"current": "demo", "new": "short"}, "too short"),
        ({"current": "demo", "new": "password"}, "too common"),
        ({"current": "demo", "new": ""}, "This field is required."),
        ({"current": "demo", "new": "a\x00bcdefghi"}, "Null characters are not allowed."),
        ({"current": "demo", "new": "x" * 1001}, "at most 1000 characters"),
    ],
)
def test_a_bad_password_is_refused(
    given: dict[str, str], said: str, portal: Client, caller: User, words: Words
) -> None:
    response = portal.post("/profile/password/", given)
    assert response.status_code == 400
    assert said in words(response)
    caller.refresh_from_db()
    assert caller.check_password("demo")


def test_a_borrowed_session_does_not_guess_the_password(portal: Client, words: Words) -> None:
    given = {"current": "wrong", "new": NEW}
    said = [words(portal.post("/profile/password/", given)) for _try in range(11)]
    assert "This is not your present password." in said[9]
    assert "Too many attempts. Try again in" in said[10]
    right = words(portal.post("/profile/password/", {"current": "demo", "new": NEW}))
    assert "Too many attempts." in right


def make_token(client: Client, **values: Any) -> tuple[str, Any]:
    given = {"name": "Nightly export", "scope": "read", "days": 30, **values}
    response = client.post("/profile/tokens/", given)
    found = KEY.search(response.content.decode())
    return (found.group(1) if found else ""), response


def test_a_token_is_shown_once_works_and_ends(portal: Client, caller: User, words: Words) -> None:
    key, response = make_token(portal)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert "shown this once" in words(response)
    page = portal.get("/profile/").content.decode()
    assert key not in page
    assert "Nightly export" in page
    token = ApiToken.objects.get()
    assert key not in f"{token.digest}{token.hint}"

    api = Client()
    headers = {"authorization": f"Token {key}"}
    assert api.get("/api/v1/incidents/", headers=headers).status_code == 200
    refused = api.post(
        "/api/v1/incidents/", {"title": "x"}, content_type="application/json", headers=headers
    )
    assert refused.status_code == 403

    with time_machine.travel(now() + timedelta(days=31), tick=True):
        ended = api.get("/api/v1/incidents/", headers=headers)
        assert ended.status_code == 401
        assert ended.json()["code"] == "token_expired"

    assert portal.post(f"/profile/tokens/{token.uuid}/revoke/").status_code == 302
    assert api.get("/api/v1/incidents/", headers=headers).status_code == 401
    assert "revoked" in words(portal.get("/profile/"))


def test_a_token_may_write_where_it_was_made_to(portal: Client, caller: User) -> None:
    key, _response = make_token(portal, scope="write")
    made = Client().post(
        "/api/v1/incidents/",
        {"title": "By a script"},
        content_type="application/json",
        headers={"authorization": f"Token {key}"},
    )
    assert made.status_code == 201
    assert made.json()["caller"]["username"] == "caller"


@pytest.mark.parametrize(
    "bad",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": "a\x00b"},
        {"scope": "admin"},
        {"days": 0},
        {"days": 99999},
        {"days": "x"},
    ],
)
def test_a_strange_token_is_not_made(bad: dict[str, Any], portal: Client) -> None:
    key, response = make_token(portal, **bad)
    assert (key, response.status_code) == ("", 400)
    assert not ApiToken.objects.exists()


def test_nobody_revokes_the_token_of_another(
    portal: Client, sign_in: Signed, other_caller: User
) -> None:
    make_token(portal)
    token = ApiToken.objects.get()
    response = sign_in(other_caller).post(f"/profile/tokens/{token.uuid}/revoke/")
    assert response.status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None
