"""The checks, in the order in which a person would look."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core.cache import cache
from django.core.mail import get_connection
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Min, Q
from django.utils import timezone

from itsm import embedded
from itsm.celery import app
from itsm.demo import DEMO_ACCOUNTS
from itsm.demo import PASSWORD as DEMO_PASSWORD
from itsm.doctor import heartbeat
from itsm.doctor.result import Finding, failed, ok, warning
from spine.outbox.models import Delivery
from spine.people.models import User
from spine.threads import installation
from spine.threads.folder import INSTALLATION, RESTORE

SERVE = "start the platform with `manage.py serve` (or `make demo`)"
PING_SECONDS = 3.0
LATE_SECONDS = 300
LONG_QUEUE = 1000
CLOCK_SECONDS = 2.0
LOW_MEGABYTES, EMPTY_MEGABYTES = 1000, 200


def servers() -> Finding:
    """Which servers are in use, and where the embedded ones had to be placed."""
    given = [
        name
        for name, own in (
            ("DATABASE_URL", settings.EMBEDDED_DATABASE),
            ("REDIS_URL", settings.EMBEDDED_REDIS),
        )
        if not own
    ]
    if len(given) == 2:
        return ok("PostgreSQL and Redis as DATABASE_URL and REDIS_URL say")
    try:
        embedded.ensure_running(settings.DATA_DIR)
    except embedded.EmbeddedError as error:
        return failed(str(error), f"see {embedded.paths(settings.DATA_DIR).log_dir}")
    now = embedded.status(settings.DATA_DIR)
    also = f"; {given[0]} names the other" if given else ""
    return ok("; ".join(filter(None, (f"embedded, in {settings.DATA_DIR}{also}", now.note))))


def database() -> Finding:
    began = time.perf_counter()
    try:
        with connection.cursor() as cursor:
            cursor.execute("select current_setting('server_version'), pg_is_in_recovery()")
            version, replica = cursor.fetchone()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return failed(_first_line(error), "check DATABASE_URL and that the server runs")
    spent = (time.perf_counter() - began) * 1000
    if replica:
        return failed("the database is a read-only replica", "point DATABASE_URL at the primary")
    return ok(f"PostgreSQL {version}, answered in {spent:.0f} ms")


def migrations() -> Finding:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        names = ", ".join(f"{m.app_label}.{m.name}" for m, _ in pending[:3])
        return failed(f"{len(pending)} not applied: {names}", "run `manage.py migrate`")
    return ok(f"{len(executor.loader.applied_migrations)} applied")


def broker() -> Finding:
    client = _redis()
    began = time.perf_counter()
    client.ping()
    facts = client.info("memory")
    spent = (time.perf_counter() - began) * 1000
    used, limit = int(facts["used_memory"]), int(facts.get("maxmemory") or 0)
    if limit and used > 0.9 * limit:
        return failed(
            f"Redis uses {used // 1048576} of {limit // 1048576} MB",
            "raise its maxmemory, or find which queue grows",
        )
    return ok(f"Redis {client.info('server')['redis_version']}, answered in {spent:.0f} ms")


def workers() -> Finding:
    answers = app.control.inspect(timeout=PING_SECONDS).ping() or {}
    if not answers:
        return failed("no worker answers", SERVE)
    return ok(f"{len(answers)} answering: {', '.join(sorted(answers))}")


def beat() -> Finding:
    age = heartbeat.age_seconds()
    if age is None:
        return failed("no heartbeat within a day", SERVE)
    if age > heartbeat.STALE_SECONDS:
        return failed(f"the last heartbeat is {age:.0f} s old", f"{SERVE}; one beat, no more")
    return ok(f"last heartbeat {age:.0f} s ago")


def queue() -> Finding:
    """Tasks that wait in the broker, and promised deliveries that are overdue or given up."""
    with app.connection_for_read() as link:
        channel: Any = link.default_channel
        waiting = int(channel.client.llen(app.conf.task_default_queue))
    pending = Q(state=Delivery.State.PENDING, wake_at__lte=timezone.now())
    facts = Delivery.objects.aggregate(
        oldest=Min("wake_at", filter=pending),
        dead=Count("id", filter=Q(state=Delivery.State.DEAD)),
    )
    lag = (timezone.now() - facts["oldest"]).total_seconds() if facts["oldest"] else 0.0
    seen = f"{waiting} tasks waiting, deliveries {lag:.0f} s behind"
    if lag > LATE_SECONDS or waiting > LONG_QUEUE:
        return failed(seen, "start more workers (`celery -A itsm worker`) or see their log")
    if facts["dead"]:
        return warning(f"{seen}, {facts['dead']} given up", "see the deliveries' last error")
    return ok(seen)


def mail() -> Finding:
    backend = settings.EMAIL_BACKEND
    if "smtp" not in backend:
        return ok(f"kept on the mailbox page ({backend.rsplit('.', 1)[-1]})")
    link = get_connection(fail_silently=False, timeout=5)
    try:
        link.open()
    except OSError as error:  # smtplib's errors are OSErrors, too
        return failed(
            f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}: {_first_line(error)}",
            "check EMAIL_URL and the mail server",
        )
    finally:
        link.close()
    return ok(f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT} accepts us")


def storage() -> Finding:
    folder = Path(settings.MEDIA_ROOT)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    except OSError as error:
        return failed(f"{folder}: {error.strerror}", "let the platform's account write there")
    if strangers := installation.strangers(folder):
        return failed(
            f"{folder} holds files of another database ({', '.join(sorted(strangers))}): "
            "orphans are not swept",
            "give each database its own ITSM_DATA_DIR; if all the files are this one's, "
            f"delete {folder / INSTALLATION}",
        )
    if left := sorted(path.name for path in folder.glob(f"{RESTORE}*")):
        return warning(
            f"a restore runs or was broken off: {folder / left[0]}",
            "if none runs, take what you miss from `replaced` in there and delete the folder",
        )
    free = min(shutil.disk_usage(p).free for p in (folder, settings.DATA_DIR)) // 1048576
    if free < EMPTY_MEGABYTES:
        return failed(f"{free} MB free in {folder}", "free some space or use a larger disk")
    if free < LOW_MEGABYTES:
        return warning(f"{free} MB free in {folder}", "free some space soon")
    return ok(f"{folder} is writable, {free / 1024:.0f} GB free")


def accounts() -> Finding:
    """The demo's accounts have a published password: none of them may open a real database."""
    if settings.DEMO:
        return ok("the demo's accounts are wanted here")
    names = [account.username for account in DEMO_ACCOUNTS]
    rows = User.objects.filter(username__in=names, is_active=True).order_by("username")
    # Not User.check_password, which may write the hash anew.
    open_to_all = [
        username
        for username, encoded in rows.values_list("username", "password")
        if check_password(DEMO_PASSWORD, encoded)
    ]
    if open_to_all:
        return failed(
            f"anybody can sign in with the demo's password as: {', '.join(open_to_all)}",
            "deactivate these accounts or give them passwords of their own",
        )
    return ok("none has the demo's password")


def clock() -> Finding:
    """Due times come from this clock and from the database's: they must agree."""
    with connection.cursor() as cursor:
        before = datetime.now(UTC)
        cursor.execute("select clock_timestamp()")
        there = cursor.fetchone()[0]
        after = datetime.now(UTC)
    off = max((before - there).total_seconds(), (there - after).total_seconds(), 0.0)
    if off > CLOCK_SECONDS:
        return failed(
            f"this machine and the database differ by {off:.1f} s", "synchronise both by NTP"
        )
    return ok(f"agrees with the database to {max(off, 0.001):.3f} s")


CHECKS: list[tuple[str, Callable[[], Finding]]] = [
    ("servers", servers),
    ("database", database),
    ("migrations", migrations),
    ("broker", broker),
    ("workers", workers),
    ("beat", beat),
    ("queue", queue),
    ("mail", mail),
    ("storage", storage),
    ("clock", clock),
    ("accounts", accounts),
]


def examine(only: Sequence[str] = ()) -> list[tuple[str, Finding]]:
    """Run every check, or those named; one that breaks is a finding and stops no other."""
    found = []
    if settings.EMBEDDED_DATABASE or settings.EMBEDDED_REDIS:
        with contextlib.suppress(embedded.EmbeddedError):  # the first check tells
            embedded.ensure_running(settings.DATA_DIR)
    for name, check in CHECKS:
        if only and name not in only:
            continue
        try:
            finding = check()
        except Exception as error:  # noqa: BLE001 - see the docstring
            finding = failed(
                _first_line(error), FIX_WHEN_BROKEN.get(name, "mend the ones above first")
            )
        found.append((name, finding))
    return found


FIX_WHEN_BROKEN = {"broker": "check REDIS_URL and that Redis runs"}


def _redis() -> Any:
    return cache._cache.get_client(None, write=True)  # type: ignore[attr-defined]


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
