"""Listeners of the tests' own, and people to act."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from spine.audit.operations import Operation as AuditOperation
from spine.outbox import registry
from spine.outbox.models import Delivery
from spine.outbox.operations import operation
from spine.outbox.registry import Listener
from spine.people.models import Organization, User


@pytest.fixture
def listen() -> Iterator[Callable[..., None]]:
    """Installs these listeners instead of the real ones, for one test."""
    before = registry.installed()

    def put(*listeners: Listener) -> None:
        registry.install(listeners)

    put()
    yield put
    registry.install(before)


@pytest.fixture
def mei(db: None) -> User:
    home, _made = Organization.objects.get_or_create(code="home", defaults={"name": "Northwind"})
    return User.objects.create(username="mei", name="Mei Chen", organization=home)


@pytest.fixture
def people(mei: User) -> list[User]:
    return [
        User.objects.create(username=f"p{number}", name="P", organization=mei.organization)
        for number in range(8)
    ]


@pytest.fixture
def tell(mei: User) -> Callable[..., AuditOperation]:
    """Records one verb on each of these targets."""

    def record(*targets: User, verb: str = "user.touched") -> AuditOperation:
        with operation(mei, "test") as op:
            for target in targets:
                op.record(target=target, verb=verb, changes={"title": ["a", "b"]})
        return op

    return record


def states() -> dict[str, int]:
    found: dict[str, int] = {}
    for state in Delivery.objects.values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found
