"""Who listens to what. Filled once at start-up by the composition root (itsm/wiring.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any


class Undeliverable(Exception):
    """A listener's way to say that trying again is of no use; the delivery is given up at once."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Does something later about what was recorded.

    name: stable, unique; it is stored with every delivery. verbs: of the entries it wants, with
    wildcards ("incident.*"). handle: called outside any transaction with a `Delivery`, or with a
    list of them if `batch`; it must be idempotent, as a delivery may come again (with the same
    id). An exception means "try again later", `Undeliverable` "never again".
    max_attempts: after so many the delivery is dead until somebody retries it. lease: seconds a
    worker may stay silent before another one takes its deliveries; longer than any single `handle`.
    """

    name: str
    verbs: tuple[str, ...]
    handle: Callable[[Any], None]
    batch: bool = False
    max_attempts: int = 12
    lease: float = 60.0


_installed: dict[str, Listener] = {}


def install(listeners: Iterable[Listener]) -> None:
    """Replaces the listeners, in their order."""
    _installed.clear()
    for listener in listeners:
        if listener.name in _installed:
            raise ValueError(f"Two listeners are called {listener.name!r}.")
        _installed[listener.name] = listener
    listeners_of.cache_clear()


def installed() -> list[Listener]:
    return list(_installed.values())


@cache
def listeners_of(verb: str) -> tuple[str, ...]:
    """Names of the listeners that want entries of this verb."""
    return tuple(
        listener.name
        for listener in _installed.values()
        if any(fnmatchcase(verb, pattern) for pattern in listener.verbs)
    )
