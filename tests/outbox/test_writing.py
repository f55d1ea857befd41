"""Deliveries come with the entries, in the same transaction, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery import current_app
from django.core.cache import cache
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from itsm import wiring
from spine.audit.models import Entry
from spine.audit.operations import operation as audit_operation
from spine.outbox import nudge, registry
from spine.outbox.models import Delivery
from spine.outbox.operations import operation
from spine.outbox.registry import Listener
from spine.people.models import User

pytestmark = pytest.mark.django_db


def ignore(_delivery: Delivery) -> None:
    """A listener that does nothing."""


INDEX = Listener(name="index", verbs=("user.*", "organization.*"), handle=ignore)
MAIL = Listener(name="mail", verbs=("user.touched",), handle=ignore)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tasks that were sent to the broker."""
    names: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **_options: names.append(name))
    monkeypatch.setattr(nudge, "_paused_until", 0.0)
    cache.delete(nudge.PENDING_KEY)
    return names


def test_each_listener_gets_what_it_subscribed_to(mei: User, listen: Any) -> None:
    listen(INDEX, MAIL)
    with operation(mei, "x", source="api") as op:
        op.record(target=mei, verb="user.touched", changes={"title": ["a", "b"], "name": [1, 2]})
        op.record(target=mei, verb="user.renamed")
        op.record(target=mei, verb="token.created")
    found = list(Delivery.objects.values_list("listener", "verb"))
    assert found == [("index", "user.touched"), ("mail", "user.touched"), ("index", "user.renamed")]
    delivery = Delivery.objects.earliest("id")
    assert delivery.entry == Entry.objects.get(verb="user.touched", operation=op.id)
    assert (delivery.target_type, delivery.target_id) == ("people.user", str(mei.pk))
    assert delivery.payload == {
        "actor": mei.pk,
        "source": "api",
        "operation": str(op.id),
        "fields": ["name", "title"],
    }
    assert (delivery.state, delivery.attempts, delivery.leased_until) == ("pending", 0, None)


def test_a_rollback_takes_the_deliveries_and_the_nudge(mei: User, listen: Any) -> None:
    listen(INDEX)
    before = len(connection.run_on_commit)

    def fail() -> None:
        with transaction.atomic():
            with operation(mei, "x") as op:
                op.record(target=mei, verb="user.touched")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not Delivery.objects.exists()
    assert len(connection.run_on_commit) == before


@pytest.mark.django_db(transaction=True)
def test_writing_costs_one_query_more(mei: User, listen: Any, sent: list[str]) -> None:
    listen(INDEX, MAIL)
    with CaptureQueriesContext(connection) as queries, operation(mei, "x") as op:
        for _number in range(20):
            op.record(target=mei, verb="user.touched")
    statements = [query["sql"].split(" (")[0] for query in queries.captured_queries]
    assert statements == [
        "BEGIN",
        f"SELECT set_config('evenkeel.operation', '{op.id}', true)",
        "INSERT INTO audit_entry",
        "INSERT INTO outbox_delivery",
        "COMMIT",
    ]
    assert Delivery.objects.count() == 40


def test_joined_to_a_plain_operation_both_deliver(mei: User, listen: Any) -> None:
    listen(INDEX)
    with audit_operation(mei, "plain") as outer:
        outer.record(target=mei, verb="user.outer")
        with operation(mei, "delivering") as inner:
            inner.record(target=mei, verb="user.inner")
    assert set(Delivery.objects.values_list("verb", flat=True)) == {"user.outer", "user.inner"}


@pytest.mark.django_db(transaction=True)
def test_one_nudge_for_a_transaction_and_one_until_the_drain_begins(
    mei: User, listen: Any, tell: Callable[..., Any], sent: list[str]
) -> None:
    listen(INDEX)
    with transaction.atomic():
        for _number in range(5):
            tell(mei)
        assert sent == []
    assert sent == ["outbox.drain"]
    tell(mei)
    assert sent == ["outbox.drain"], "the drain that was asked for will see this one, too"
    nudge.drain_begins()
    tell(mei)
    assert sent == ["outbox.drain"] * 2
    tell(mei, verb="token.created")
    nudge.drain_begins()
    tell(mei, verb="token.created")
    assert sent == ["outbox.drain"] * 2, "nothing was written for any listener"


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_costs_the_write_nothing(
    mei: User, listen: Any, tell: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(INDEX)
    calls: list[str] = []

    def refuse(*_args: Any, **_options: Any) -> bool:
        calls.append("add")
        raise ConnectionError("refused")

    monkeypatch.setattr(nudge, "_paused_until", 0.0)
    monkeypatch.setattr(cache, "add", refuse)
    for _number in range(10):
        tell(mei)
    assert Delivery.objects.count() == 10
    assert calls == ["add"], "after a failure it is not even tried for a while"


def test_wiring_tells_what_is_wrong(settings: Any) -> None:
    settings.LISTENERS = [
        "tests.outbox.test_writing.INDEX",
        "tests.outbox.test_writing.INDEX",
        "tests.outbox.test_writing.ignore",
        "tests.outbox.no_such_module.LISTENER",
    ]
    found, wrong = wiring.resolve(settings.LISTENERS)
    assert found == [INDEX]
    assert [message.id for message in wrong] == ["itsm.E003", "itsm.E002", "itsm.E001"]
    assert [message.id for message in wiring.check_listeners(None)] == [m.id for m in wrong]


def test_names_are_unique(listen: Any) -> None:
    with pytest.raises(ValueError, match="Two listeners"):
        registry.install([INDEX, INDEX])
