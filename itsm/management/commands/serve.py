"""`manage.py serve`: web, worker and beat in the foreground, on embedded servers or given ones."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import OperationalError

from itsm import embedded
from itsm.supervisor import Supervisor, platform_children
from itsm.supervisor.port import obstacle

DEMO_ACCOUNTS = (
    *(
        "agent",
        "lead",
        "change.manager",
        "cmdb.manager",
        "risk.manager",
        "approver",
        "auditor",
    ),
    *("admin", "caller", "partner", "exec"),
)


class Command(BaseCommand):
    help = "Run web, worker and beat together until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--web-workers", type=int, default=2)
        parser.add_argument("--task-processes", type=int, default=2)

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        run_dir = settings.DATA_DIR / "run"
        lock = _only_one(run_dir)
        if problem := obstacle(host, port):
            raise CommandError(problem)
        self._start_servers()
        supervisor = Supervisor(
            platform_children(
                host=host,
                port=port,
                web_workers=options["web_workers"],
                task_processes=options["task_processes"],
                run_dir=run_dir,
            ),
            state_file=run_dir / "serve.json",
            facts={"host": host, "port": port},
            # A worker that lost its broker asks for nothing, so nobody else would notice.
            watch=self._watch_servers if _uses_embedded() else None,
        )
        demo = _demo_accounts()
        # Children open their own; an open one here would keep a session for nothing.
        connections.close_all()
        try:
            supervisor.run(on_started=lambda: self._greet(host, port, demo))
        finally:
            os.close(lock)
            if _uses_embedded():
                embedded.release(settings.DATA_DIR, wait_seconds=30)
        self.stdout.write("Stopped.")

    def _start_servers(self) -> None:
        try:
            if _uses_embedded():
                embedded.ensure_running(settings.DATA_DIR)
            executor = MigrationExecutor(connection)
        except embedded.EmbeddedError as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            reason = str(error).strip().splitlines()[0]
            raise CommandError(
                f"The database does not answer ({reason}): check DATABASE_URL."
            ) from error
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if pending:
            raise CommandError(
                f"{len(pending)} migrations are not applied: run `manage.py migrate` first."
            )

    def _watch_servers(self) -> None:
        try:
            embedded.ensure_running(settings.DATA_DIR)
        except embedded.EmbeddedError as error:
            self.stderr.write(str(error))

    def _greet(self, host: str, port: int, demo: list[str]) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection((host, port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        self.stdout.write(
            f"\nEvenkeel is at {settings.BASE_URL if port == settings.PORT else f'http://{host}:{port}'}"
        )
        if demo:
            self.stdout.write(f"Demo accounts (password demo): {', '.join(demo)}")
        self.stdout.write("Ctrl-C stops everything.\n")
        # Whoever reads this through a pipe waits for the address.
        self.stdout.flush()


def _uses_embedded() -> bool:
    return bool(settings.EMBEDDED_DATABASE or settings.EMBEDDED_REDIS)


def _only_one(run_dir: Path) -> int:
    """Hold the lock that makes beat single for this data folder; the kernel drops it with us."""
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        fd = os.open(run_dir / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise CommandError(
            f"{run_dir} can't be written ({error.strerror}): mend it or set ITSM_DATA_DIR."
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise CommandError(
            f"This data folder is already served ({run_dir.parent}): stop that one, "
            "or set ITSM_DATA_DIR and ITSM_PORT for a second platform."
        ) from error
    return fd


def _demo_accounts() -> list[str]:
    if not settings.DEMO:
        return []
    from spine.people.models import User

    there = set(User.objects.filter(username__in=DEMO_ACCOUNTS).values_list("username", flat=True))
    return [name for name in DEMO_ACCOUNTS if name in there]
