"""The door: one answer for every wrong guess, and guessing is slow for the guesser alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import cache
from django.test import Client, RequestFactory
from redis.exceptions import ConnectionError as RedisAway

from itsm.pages import attempts
from itsm.pages.attempts import (
    BY_ACCOUNT_AND_ADDRESS,
    BY_DEVICE,
    Allowance,
    Attempts,
    address_of,
)
from spine.kit.clock import now
from spine.people.models import User

Words = Callable[[Any], str]
WRONG = "The name or the password is not right."
LATER = "Too many attempts. Try again in"


@pytest.fixture(autouse=True)
def _count_anew() -> Iterator[None]:
    """Nothing counted yet, at the beginning of a window: none ends within a test."""
    cache.clear()
    with time_machine.travel(now().replace(minute=0, second=1), tick=True):
        yield


def knock(client: Client, username: str = "caller", password: str = "wrong", **more: Any) -> Any:
    return client.post("/login/", {"username": username, "password": password}, **more)


def test_in_by_name_or_address(caller: User) -> None:
    for name in ("caller", "CALLER@example.com", "  caller "):
        client = Client()
        response = knock(client, name, "demo")
        assert (response.status_code, response.headers["Location"]) == (302, "/")
        assert client.get("/portal/").status_code == 200


@pytest.mark.parametrize(
    ("target", "leads"),
    [
        ("/portal/tickets/", "/portal/tickets/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_it_leads_back_but_nowhere_else(target: str, leads: str, caller: User) -> None:
    given = {"username": "caller", "password": "demo", "next": target}
    assert Client().post("/login/", given).headers["Location"] == leads


def test_every_wrong_guess_has_the_same_answer_after_the_same_work(
    caller: User,
    make_user: Callable[..., User],
    monkeypatch: pytest.MonkeyPatch,
    words: Words,
) -> None:
    """Known, unknown, left, without a password: same words, same number of hashes."""
    left = make_user("left")
    User.objects.filter(pk=left.pk).update(is_active=False)
    without = make_user("without")
    without.set_unusable_password()
    without.save()
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    answers = set()
    for name, password in (
        ("caller", "wrong"),
        ("nobody at all", "wrong"),
        ("nobody@example.com", "wrong"),
        ("left", "demo"),
        ("without", "wrong"),
        ("system", "wrong"),
    ):
        hashed.clear()
        response = knock(Client(), name, password)
        page = words(response).replace(name, "NAME")
        answers.add((response.status_code, WRONG in page, len(hashed)))
    assert answers == {(200, True, 1)}


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_not_answered(method: str, db: None) -> None:
    for client in (Client(), Client(enforce_csrf_checks=True)):
        assert getattr(client, method)("/login/").status_code == 405


def test_the_form_needs_its_token(caller: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert knock(client, "caller", "demo").status_code == 403
    assert client.get("/portal/").status_code == 302


@pytest.mark.parametrize("name", ["a\x00b", "x" * 5000, "' or 1=1 --", "\udcff", "", "{{7*7}}"])
def test_strange_names_are_wrong_names(name: str, db: None) -> None:
    sent = urlencode({"username": name, "password": "x"}, errors="surrogatepass")
    response = Client().post("/login/", sent, content_type="application/x-www-form-urlencoded")
    assert response.status_code == 200


def test_after_some_wrong_guesses_one_has_to_wait(caller: User, words: Words) -> None:
    client = Client()
    for _try in range(BY_ACCOUNT_AND_ADDRESS.attempts):
        assert WRONG in words(knock(client))
    refused = knock(client, "caller", "demo")
    assert refused.status_code == 429
    assert LATER in words(refused)
    assert WRONG not in words(refused)
    assert 'value="caller"' in refused.content.decode()
    assert 0 < int(refused.headers["Retry-After"]) <= BY_ACCOUNT_AND_ADDRESS.seconds
    with time_machine.travel(now() + timedelta(seconds=int(refused.headers["Retry-After"]))):
        assert knock(client, "caller", "demo").status_code == 302


def test_the_same_for_a_name_that_nobody_has(db: None) -> None:
    client = Client()
    found = [knock(client, "ghost").status_code for _try in range(7)]
    assert found == [200] * 5 + [429] * 2


@pytest.mark.parametrize("spelling", ["CALLER", "  caller", "ｃaller"])
def test_another_spelling_is_no_way_around(spelling: str, caller: User) -> None:
    client = Client()
    for _try in range(BY_ACCOUNT_AND_ADDRESS.attempts):
        knock(client)
    assert knock(client, spelling).status_code == 429


def test_success_forgets_the_wrong_guesses_before(caller: User) -> None:
    for _round in range(3):
        client = Client()
        for _try in range(BY_ACCOUNT_AND_ADDRESS.attempts - 1):
            assert knock(client).status_code == 200
        assert knock(client, "caller", "demo").status_code == 302


def test_nobody_else_is_kept_out(caller: User, other_caller: User) -> None:
    """Neither another account from there, nor the same account from elsewhere."""
    guesser = Client(REMOTE_ADDR="192.0.2.1")
    for _try in range(BY_ACCOUNT_AND_ADDRESS.attempts + 1):
        knock(guesser)
    assert knock(guesser, "caller", "demo").status_code == 429
    assert knock(Client(REMOTE_ADDR="192.0.2.1"), "other.caller", "demo").status_code == 302
    assert knock(Client(REMOTE_ADDR="192.0.2.2"), "caller", "demo").status_code == 302


def test_guessing_from_everywhere_keeps_strangers_out_and_the_owner_in(
    caller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "BY_ACCOUNT", Allowance(8, 60 * 60))
    own = Client(REMOTE_ADDR="198.51.100.7")
    assert knock(own, "caller", "demo").status_code == 302
    own.post("/logout/")

    for place in range(8):
        knock(Client(REMOTE_ADDR=f"192.0.2.{place}"))
    assert knock(Client(REMOTE_ADDR="203.0.113.9"), "caller", "demo").status_code == 429
    # The owner's browser is known, wherever it is now.
    assert knock(own, "caller", "demo", REMOTE_ADDR="203.0.113.9").status_code == 302


def test_one_address_tries_a_password_on_many_accounts(
    caller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "BY_ADDRESS", Allowance(8, 15 * 60))
    known = Client(REMOTE_ADDR="192.0.2.1")
    assert knock(known, "caller", "demo").status_code == 302
    known.post("/logout/")
    sprayer = Client(REMOTE_ADDR="192.0.2.1")
    for place in range(8):
        assert knock(sprayer, f"user{place}").status_code == 200
    assert knock(sprayer, "one.more").status_code == 429
    assert knock(known, "caller", "demo").status_code == 302


def test_a_known_device_is_no_free_ticket(caller: User, other_caller: User) -> None:
    client = Client()
    knock(client, "caller", "demo")
    client.post("/logout/")
    found = [knock(client).status_code for _try in range(BY_DEVICE.attempts + 1)]
    assert found == [200] * BY_DEVICE.attempts + [429]
    # It is known for one account, and a forged one for none.
    found = [knock(client, "other.caller").status_code for _try in range(6)]
    assert found == [200] * 5 + [429]
    forged = Client()
    forged.cookies[attempts.COOKIE] = "eyJuYW1lcyI6W119:x:y"
    assert [knock(forged).status_code for _try in range(6)][-1] == 429


def test_the_devices_cookie_is_for_the_door_alone(caller: User) -> None:
    client = Client()
    knock(client, "caller", "demo")
    cookie = client.cookies[attempts.COOKIE]
    assert cookie["path"] == "/login/"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert "caller" not in cookie.value


def test_many_at_once_do_not_get_past_the_count(db: None) -> None:
    request = RequestFactory().post("/login/", REMOTE_ADDR="192.0.2.77")
    allowed: list[int] = []
    start = threading.Barrier(20)

    def guess() -> None:
        start.wait()
        allowed.append(Attempts.to_sign_in(request, "caller").begin())

    threads = [threading.Thread(target=guess) for _number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert allowed.count(0) == BY_ACCOUNT_AND_ADDRESS.attempts


def test_without_the_cache_people_still_come_in(
    caller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: Any, **_more: Any) -> None:
        raise RedisAway("no answer")

    request = RequestFactory().post("/login/")
    monkeypatch.setattr(cache, "add", away)
    monkeypatch.setattr(cache, "incr", away)
    monkeypatch.setattr(cache, "delete", away)
    tries = Attempts.to_sign_in(request, "caller")
    assert tries.begin() == 0
    tries.succeeded()


@pytest.mark.parametrize(
    ("proxies", "header", "address"),
    [
        (0, "203.0.113.5", "192.0.2.9"),  # without a proxy the header is anybody's word
        (1, "203.0.113.5", "203.0.113.5"),
        (1, "6.6.6.6, 203.0.113.5", "203.0.113.5"),
        (2, "6.6.6.6, 203.0.113.5, 10.0.0.1", "203.0.113.5"),
        (2, "203.0.113.5", "192.0.2.9"),
        (1, "", "192.0.2.9"),
    ],
)
def test_whose_address_counts_behind_proxies(
    proxies: int, header: str, address: str, settings: Any
) -> None:
    settings.PROXIES = proxies
    request = RequestFactory().get(
        "/login/", REMOTE_ADDR="192.0.2.9", headers={"x-forwarded-for": header}
    )
    assert address_of(request) == address
