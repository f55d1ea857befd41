"""Which processes the platform consists of, and how each is started."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

CELERY = (sys.executable, "-m", "celery", "--quiet", "-A")


@dataclass(frozen=True, slots=True)
class Child:
    name: str
    command: tuple[str, ...]


def platform_children(
    *, host: str, port: int, web_workers: int, task_processes: int, run_dir: Path
) -> list[Child]:
    """Commands of web, worker and beat for this interpreter."""
    web = (
        *(
            sys.executable,
            "-m",
            "granian",
            "--interface",
            "wsgi",
            "itsm.supervisor.web:application",
        ),
        *("--host", host, "--port", str(port), "--workers", str(web_workers)),
        *("--blocking-threads", "4", "--backpressure", "64", "--log-level", "warning"),
        *(
            "--respawn-failed-workers",
            "--respawn-interval",
            "0.1",
            "--workers-kill-timeout",
            "5",
        ),
    )
    worker = (
        *(*CELERY, "itsm.supervisor.worker:app", "worker", "--loglevel", "WARNING"),
        *("--concurrency", str(task_processes), "--without-gossip", "--without-mingle"),
    )
    # No pid file: the supervisor's own lock keeps beat single, and a lock can't go stale.
    beat = (
        *(*CELERY, "itsm.supervisor.beat:app", "beat", "--loglevel", "WARNING"),
        *("--pidfile", "", "--schedule", str(run_dir / "beat-schedule")),
    )
    return [Child("web", web), Child("worker", worker), Child("beat", beat)]
