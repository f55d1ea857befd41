"""A real Celery worker, killed with SIGKILL in the middle of a sweep: none lost, none repeated."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection

from itsm.celery import app
from spine.audit.models import Entry
from spine.kit.clock import now
from spine.people.models import User
from spine.sla.defaults import ensure_defaults
from spine.tickets.models import ClockStage, TicketClock

ROOT = Path(__file__).resolve().parents[2]
GATE = 727_001
TICKETS = 30

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def worker(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "celery", "-A", "itsm", "worker"),
            *("--pool", "prefork", "--concurrency", "1", "--loglevel", "ERROR"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """The worker and its children, at once and without a chance to clean up."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(20)


def wait_for(condition: Callable[[], Any], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.05)


def scalar(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
    return row[0] if row else None


@pytest.fixture
def gate() -> Iterator[None]:
    """The 20th stage that is written waits at a lock that this test holds: the middle."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            create sequence stage_counter;
            create function hold_in_the_middle() returns trigger language plpgsql as $$
            begin
                if nextval('stage_counter') = 20 then
                    perform pg_advisory_xact_lock({GATE});
                end if;
                return new;
            end $$;
            create trigger hold_in_the_middle before insert on tickets_clockstage
                for each row execute function hold_in_the_middle();
            select pg_advisory_lock({GATE});
            """
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select pg_advisory_unlock_all();
            drop trigger hold_in_the_middle on tickets_clockstage;
            drop function hold_in_the_middle();
            drop sequence stage_counter;
            """
        )


def waiting_at_the_gate() -> bool:
    return bool(
        scalar(
            "select count(*) from pg_locks l join pg_database d on d.oid = l.database"
            f" where l.locktype = 'advisory' and l.objid = {GATE} and not l.granted"
            " and d.datname = current_database()"
        )
    )


def test_a_worker_killed_in_the_middle_of_a_sweep(
    system: User,
    make_incident: Callable[..., Any],
    child_environment: dict[str, str],
    gate: None,
) -> None:
    ensure_defaults(system)
    with time_machine.travel(now() - timedelta(days=60), tick=False):
        incidents = [make_incident() for _number in range(TICKETS)]
    due = TicketClock.objects.filter(wake_at__lte=now()).count()
    assert due == TICKETS * 2
    sweep = app.signature("tickets.sweep_clocks")
    with worker(child_environment) as process:
        sweep.apply_async()
        wait_for(waiting_at_the_gate)
        kill(process)
    # The server notices that its client is gone when it is let through the gate; nothing stays.
    scalar("select pg_advisory_unlock_all()")
    wait_for(lambda: not waiting_at_the_gate())
    assert ClockStage.objects.count() == 0
    with worker(child_environment):
        sweep.apply_async()
        wait_for(lambda: ClockStage.objects.count() == TICKETS * 6)
        wait_for(lambda: not TicketClock.objects.filter(wake_at__lte=now()).exists())
    for incident in incidents:
        entries = Entry.objects.for_target(incident).filter(verb__startswith="incident.sla_")
        told = [(entry.data["metric"], entry.data["percent"]) for entry in entries.order_by("id")]
        assert sorted(told) == sorted(set(told))
        assert len(told) == 6
        for metric in ("response", "resolution"):
            assert [percent for name, percent in told if name == metric] == [50, 75, 100]
