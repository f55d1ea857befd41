"""Each delivery at least once, in order for its target, whatever dies in between."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.models.functions import Now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spine.outbox import actions, draining, leases, tasks
from spine.outbox.draining import backoff, drain, drain_once
from spine.outbox.health import health
from spine.outbox.models import Delivery
from spine.outbox.registry import Listener, Undeliverable
from spine.people.models import User
from tests.audit.contract import assert_audited
from tests.outbox.conftest import states

pytestmark = pytest.mark.django_db(transaction=True)


class Box:
    """A listener's memory: what came, in order, and what it is to fail at."""

    def __init__(self) -> None:
        self.got: list[Delivery] = []
        self.fail: Callable[[Delivery], Exception | None] = lambda _delivery: None
        self.lock = threading.Lock()

    def one(self, delivery: Delivery) -> None:
        error = self.fail(delivery)
        if error is not None:
            raise error
        with self.lock:
            self.got.append(delivery)

    def many(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            error = self.fail(delivery)
            if error is not None:
                raise error
        with self.lock:
            self.got += deliveries

    @property
    def ids(self) -> list[int]:
        return [delivery.id for delivery in self.got]


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def plain(box: Box, listen: Any) -> Listener:
    listener = Listener(name="box", verbs=("user.*",), handle=box.one, max_attempts=3)
    listen(listener)
    return listener


def come_due() -> None:
    """As if the time until the next attempt, or the end of a lease, had passed."""
    Delivery.objects.filter(state="pending").update(wake_at=Now() - timedelta(seconds=1))


def test_what_was_recorded_is_handled_once(
    plain: Listener, box: Box, people: list[User], tell: Any
) -> None:
    op = tell(*people)
    assert drain() == (8, True)
    assert drain() == (0, True)
    assert [delivery.payload["operation"] for delivery in box.got] == [str(op.id)] * 8
    assert states() == {"done": 8}
    assert Delivery.objects.filter(done_at__isnull=True).count() == 0


def test_threads_that_drain_at_once_handle_each_once_and_in_order(
    plain: Listener, box: Box, people: list[User], tell: Any
) -> None:
    for _round in range(12):
        tell(*people)
    barrier = threading.Barrier(4)
    failures: list[Exception] = []

    def work() -> None:
        try:
            barrier.wait(20)
            while states().get("pending"):
                drain_once(plain)
        except Exception as error:  # noqa: BLE001 - told by the main thread
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert set(Counter(box.ids).values()) == {1}
    assert len(box.ids) == 96
    for person in people:
        own = [delivery.id for delivery in box.got if delivery.target_id == str(person.pk)]
        assert own == sorted(own)


def test_a_lane_is_taken_by_one_worker_only(
    plain: Listener, mei: User, people: list[User], tell: Any
) -> None:
    tell(mei, mei, mei)
    first = leases.claim("box", limit=10, lease=60)
    assert len(first) == 3
    tell(mei, people[0])
    # The lane of `mei` is held: what came later for it has to wait, another target has not.
    second = leases.claim("box", limit=10, lease=60)
    assert [delivery.target_id for delivery in second] == [str(people[0].pk)]
    leases.mark_done(first)
    assert len(leases.claim("box", limit=10, lease=60)) == 1


def test_a_worker_killed_in_the_middle_loses_nothing(
    plain: Listener, box: Box, mei: User, tell: Any
) -> None:
    tell(mei, mei, mei)
    claimed = leases.claim("box", limit=10, lease=60)
    box.one(claimed[0])
    leases.mark_done(claimed[:1])
    # Killed here. Until the lease ends nobody touches the rest.
    assert drain() == (0, True)
    come_due()
    assert drain() == (2, True)
    assert box.ids == [delivery.id for delivery in claimed]
    assert states() == {"done": 3}


def test_a_worker_that_was_overtaken_changes_nothing_any_more(
    plain: Listener, box: Box, mei: User, tell: Any
) -> None:
    tell(mei)
    slow = leases.claim("box", limit=10, lease=60)
    come_due()
    other = leases.claim("box", limit=10, lease=60)
    assert [delivery.id for delivery in other] == [delivery.id for delivery in slow]
    leases.mark_done(slow)
    assert states() == {"pending": 1}
    assert not leases.renew(slow, 60)
    leases.put_off(slow[0], [], seconds=0, error="late")
    assert Delivery.objects.get().last_error == ""
    assert leases.renew(other, 60)
    leases.mark_done(other)
    assert states() == {"done": 1}


def test_failure_backs_off_and_holds_its_lane(
    plain: Listener, box: Box, mei: User, people: list[User], tell: Any
) -> None:
    tell(mei, mei, people[0])
    first = Delivery.objects.earliest("id")
    box.fail = lambda delivery: OSError("mail server away") if delivery.id == first.id else None
    drain()
    assert [delivery.target_id for delivery in box.got] == [str(people[0].pk)]
    first.refresh_from_db()
    assert (first.state, first.attempts, first.leased_until) == ("pending", 1, None)
    assert first.last_error == "OSError: mail server away"
    assert first.wake_at > first.created_at + timedelta(seconds=1)
    behind = Delivery.objects.filter(target_id=str(mei.pk)).latest("id")
    assert (behind.state, behind.attempts) == ("pending", 0)
    # Even if the one behind comes due first, it waits for the one before it.
    Delivery.objects.filter(pk=behind.pk).update(wake_at=Now() - timedelta(seconds=1))
    assert drain() == (0, True)
    box.fail = lambda _delivery: None
    come_due()
    drain()
    assert box.ids[1:] == [first.id, behind.id]


def test_after_so_many_attempts_it_is_dead_shown_and_retriable(
    plain: Listener, box: Box, mei: User, tell: Any
) -> None:
    tell(mei, mei)
    first = Delivery.objects.earliest("id")
    box.fail = lambda delivery: ValueError("no such box") if delivery.id == first.id else None
    for _attempt in range(3):
        come_due()
        drain()
    first.refresh_from_db()
    assert (first.state, first.attempts) == ("dead", 3)
    assert first.last_error == "ValueError: no such box"
    assert health()["dead"] == 1
    # A dead one does not hold up its lane for ever.
    come_due()
    drain()
    assert len(box.ids) == 1
    box.fail = lambda _delivery: None
    assert actions.retry_dead(actor=mei, listener="other") == 0
    assert actions.retry_dead(actor=mei) == 1
    assert_audited(first, "outbox.retried", actor=mei, data={"attempts": 3})
    drain()
    assert box.ids[-1] == first.id
    assert states() == {"done": 2}


def test_undeliverable_is_dead_at_once(plain: Listener, box: Box, mei: User, tell: Any) -> None:
    tell(mei)
    box.fail = lambda _delivery: Undeliverable("no address")
    drain()
    assert states() == {"dead": 1}
    assert Delivery.objects.get().attempts == 1


def test_one_that_kills_its_worker_ends_up_dead_alone(
    plain: Listener, box: Box, mei: User, tell: Any
) -> None:
    tell(mei, mei)
    poison = Delivery.objects.earliest("id")
    for _attempt in range(3):
        claimed = leases.claim("box", limit=10, lease=60)
        assert claimed[0].id == poison.id
        come_due()
    drain()
    poison.refresh_from_db()
    assert (poison.state, poison.attempts) == ("dead", 4)
    come_due()
    drain()
    assert states() == {"dead": 1, "done": 1}


def test_a_batch_listener_gets_them_together_and_one_failure_alone(
    box: Box, listen: Any, people: list[User], tell: Any
) -> None:
    calls: list[int] = []

    def handle(deliveries: list[Delivery]) -> None:
        calls.append(len(deliveries))
        box.many(deliveries)

    listen(Listener(name="box", verbs=("user.*",), handle=handle, batch=True))
    tell(*people)
    drain()
    assert calls == [8]
    tell(*people)
    box.fail = lambda delivery: OSError() if delivery.target_id == str(people[2].pk) else None
    drain()
    assert calls == [8, 8] + [1] * 8
    assert states() == {"done": 15, "pending": 1}


def test_a_slow_listener_keeps_its_lease(
    box: Box, listen: Any, people: list[User], tell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(draining.time, "monotonic", lambda: clock[0])
    renewed: list[int] = []
    real = leases.renew

    def renew(left: Any, lease: float) -> bool:
        renewed.append(len(left))
        return real(left, lease)

    def handle(delivery: Delivery) -> None:
        clock[0] += 15
        box.one(delivery)

    monkeypatch.setattr(leases, "renew", renew)
    listen(Listener(name="box", verbs=("user.*",), handle=handle, lease=30))
    tell(*people[:4])
    drain(seconds=1000)
    assert renewed == [3, 2, 1]
    assert states() == {"done": 4}


def test_the_sweep_takes_what_no_nudge_came_for_and_prunes(
    plain: Listener, box: Box, mei: User, tell: Any
) -> None:
    tell(mei)
    assert tasks.sweep() == 1
    Delivery.objects.update(done_at=Now() - actions.DONE_KEPT - timedelta(seconds=1))
    tell(mei)
    tasks.sweep()
    assert len(box.ids) == 2
    assert list(Delivery.objects.values_list("id", flat=True)) == [box.ids[-1]]


def test_the_drain_asks_for_more_when_its_time_is_over(
    plain: Listener, people: list[User], tell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(*people)
    nudges: list[int] = []
    monkeypatch.setattr(tasks, "nudge", lambda: nudges.append(1))
    monkeypatch.setattr(draining, "PER_CLAIM", 2)
    monkeypatch.setattr(draining.drain, "__kwdefaults__", {"seconds": -1.0})
    assert tasks.drain() == 2
    assert nudges == [1]


def test_health_tells_lag_and_orphans(plain: Listener, listen: Any, mei: User, tell: Any) -> None:
    tell(mei)
    Delivery.objects.update(wake_at=Now() - timedelta(seconds=90))
    found = health()
    assert (found["pending"], found["orphaned"], found["dead"]) == (1, 0, 0)
    assert 89 < found["lag_seconds"] < 150
    listen()
    assert health()["orphaned"] == 1


def test_backoff_doubles_up_to_an_hour() -> None:
    for attempts in range(1, 40):
        expected = min(2.0**attempts, 3600.0)
        assert 0.8 * expected <= backoff(attempts) <= 1.2 * expected


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    targets=st.lists(st.integers(0, 3), min_size=1, max_size=15),
    outcomes=st.lists(st.sampled_from(["ok", "fail", "crash"]), max_size=25),
)
def test_whatever_fails_or_crashes_each_lane_is_handled_in_order(
    plain: Listener,
    box: Box,
    people: list[User],
    tell: Any,
    targets: list[int],
    outcomes: list[str],
) -> None:
    """Claims, failures and dead workers in any order: a lane's first success follows id order."""
    Delivery.objects.all().delete()
    box.got.clear()
    for target in targets:
        tell(people[target])
    script = iter(outcomes)

    class Killed(BaseException):
        pass

    def one(delivery: Delivery) -> None:
        step = next(script, "ok")
        if step == "crash":
            raise Killed
        if step == "fail":
            raise OSError
        box.got.append(delivery)

    listener = Listener(name="box", verbs=("user.*",), handle=one, max_attempts=1000)
    for _round in range(200):
        with suppress(Killed):
            drain_once(listener)
        if not Delivery.objects.filter(state="pending").exists():
            break
        come_due()
    assert states() == {"done": len(targets)}
    assert sorted(box.ids) == sorted(Delivery.objects.values_list("id", flat=True))
    for target in set(targets):
        own = [d.id for d in box.got if d.target_id == str(people[target].pk)]
        assert own == sorted(own)
