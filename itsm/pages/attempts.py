"""Guessing a password is slow; the person whose password it is, is not kept out by it.

Attempts are counted before the password is looked at, so that a hundred at once are no way around,
and an unknown name is treated like a known one. Who signed in before on this device carries a
signed cookie that says so: their attempts are counted by device and by nothing else. Attempts from
devices not known to the account are counted by account and address together, by account, and by
address. So a guesser elsewhere can use up the tries of strangers, never those of the owner
(OWASP's "device cookies").
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from redis.exceptions import RedisError

from spine.kit.clock import now
from spine.people.models import User

COOKIE = "device"
COOKIE_SECONDS = 365 * 86400
_SALT = "evenkeel.device"

log = logging.getLogger("evenkeel.sign_in")


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `attempts` without success in each window of `seconds`."""

    attempts: int
    seconds: int


BY_DEVICE = Allowance(10, 5 * 60)
BY_ACCOUNT_AND_ADDRESS = Allowance(5, 5 * 60)
BY_ACCOUNT = Allowance(50, 60 * 60)
# Many people sit behind one address: a typing error of each must not add up to a locked door.
BY_ADDRESS = Allowance(200, 15 * 60)


def address_of(request: HttpRequest) -> str:
    """The client's address. Behind proxies of one's own (`ITSM_PROXIES`, their number) it is what
    the outermost of them saw; without them the header is anybody's word and is not read."""
    proxies: int = settings.PROXIES
    if proxies:
        seen = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
        if len(seen) >= proxies and seen[-proxies]:
            return seen[-proxies][:64]
    return str(request.META.get("REMOTE_ADDR", ""))


class Attempts:
    """Tries that are counted together. Without the cache nothing is refused: a Redis that is away
    must not keep everybody out."""

    def __init__(self, counters: Sequence[tuple[str, Allowance]], who: str) -> None:
        self.counters = counters
        self.who = who

    @classmethod
    def to_sign_in(cls, request: HttpRequest, typed: str) -> Attempts:
        """typed: the name as it was given, known or not."""
        account = _plain(typed)
        address = address_of(request)
        device = _known_device(request, account)
        if device:
            return cls([(_key("device", device), BY_DEVICE)], address)
        return cls(
            [
                (_key("pair", account, address), BY_ACCOUNT_AND_ADDRESS),
                (_key("account", account), BY_ACCOUNT),
                (_key("address", address), BY_ADDRESS),
            ],
            address,
        )

    @classmethod
    def to_confirm(cls, user: User) -> Attempts:
        """A signed-in person gives their present password once more."""
        return cls([(_key("present", str(user.pk)), BY_DEVICE)], user.username)

    def begin(self) -> int:
        """Counts a try. Returns 0, or the seconds to wait where there are too many."""
        try:
            # The narrow counter first: what it refuses does not use up what others share.
            waits = (_count(key, allowance) for key, allowance in self.counters)
            wait = next((each for each in waits if each), 0)
        except RedisError:
            log.warning("sign-in attempts are not counted: the cache does not answer")
            return 0
        if wait:
            log.warning("sign-in refused for %d s: too many attempts from %s", wait, self.who)
        return wait

    def succeeded(self) -> None:
        """The password was right: what is counted for this client alone is forgotten, what is
        counted for many loses this one try."""
        try:
            for key, allowance in self.counters:
                if allowance in (BY_DEVICE, BY_ACCOUNT_AND_ADDRESS):
                    cache.delete(_now(key, allowance)[0])
                else:
                    _take_back(_now(key, allowance)[0])
        except RedisError:
            return


def remember_device(response: HttpResponse, user: User, typed: str) -> None:
    """After a sign-in: this device is known for the account, by every name of it."""
    names = {_plain(name) for name in (user.username, user.email, typed)} - {""}
    value = signing.dumps(
        {"names": sorted(map(_digest, names)), "device": secrets.token_urlsafe(12)}, salt=_SALT
    )
    response.set_cookie(
        COOKIE,
        value,
        max_age=COOKIE_SECONDS,
        path=settings.LOGIN_URL,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def _known_device(request: HttpRequest, account: str) -> str:
    """The device's own name if it is known for this account, else ""."""
    try:
        kept = signing.loads(request.COOKIES.get(COOKIE, ""), salt=_SALT, max_age=COOKIE_SECONDS)
    except signing.BadSignature:
        return ""
    return str(kept["device"]) if _digest(account) in kept["names"] else ""


def _plain(name: str) -> str:
    """One spelling of a name, as the sign-in form reads it."""
    return " ".join(unicodedata.normalize("NFKC", name[:1000]).split()).casefold()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _key(*parts: str) -> str:
    return f"sign-in:{parts[0]}:{_digest(chr(31).join(parts[1:]))}"


def _now(key: str, allowance: Allowance) -> tuple[str, int]:
    """(The counter of the window that runs now, the seconds until it ends)."""
    window, passed = divmod(int(now().timestamp()), allowance.seconds)
    return f"{key}:{window}", allowance.seconds - passed


def _count(key: str, allowance: Allowance) -> int:
    """One more; the seconds until the next window where there are too many, else 0."""
    counter, left = _now(key, allowance)
    cache.add(counter, 0, timeout=allowance.seconds)
    try:
        count = cache.incr(counter)
    except ValueError:
        return 0
    return left if count > allowance.attempts else 0


def _take_back(counter: str) -> None:
    try:
        cache.decr(counter)
    except ValueError:
        return
