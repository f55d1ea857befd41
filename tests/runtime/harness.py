"""Processes that use embedded servers, and what is left of them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from itsm import embedded
from itsm.embedded.client import LIGHT_PACKAGE
from itsm.embedded.process import alive

ITSM = Path(embedded.__file__).resolve().parent.parent

# Holds the servers like any command does, tells when they answer, and goes on a line of input.
USER = f"""
{LIGHT_PACKAGE}
from itsm import embedded
embedded.ensure_running(sys.argv[2], durable=False)
print("ready", flush=True)
sys.stdin.readline()
"""


class User:
    """A process that uses the servers of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(ITSM), str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )

    def ready(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line != "ready\n":
            raise AssertionError(self.process.communicate()[1])

    def error(self) -> str:
        return self.process.communicate()[1]

    def leave(self) -> None:
        self.process.communicate("\n")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was awaited did not come"
        time.sleep(0.01)


def stopped(data_dir: Path) -> bool:
    """No process of this data folder is left: neither keeper nor servers."""
    return not any(alive(pid) for pid in pids(data_dir).values()) and not leftovers(data_dir)


def pids(data_dir: Path) -> dict[str, int]:
    return embedded.status(data_dir).pids


def leftovers(data_dir: Path) -> list[str]:
    """Command lines that name the folder or its sockets, whoever runs them (users excepted)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            mine = str(data_dir) in command or str(embedded.paths(data_dir).socket_dir) in command
            if mine and int(entry.name) != os.getpid() and USER not in command:
                found.append(command)
    return found


def psql(data_dir: Path, sql: str) -> str:
    done = subprocess.run(
        [
            str(embedded.postgres_binaries() / "psql"),
            *(
                "-X",
                "-h",
                str(embedded.paths(data_dir).postgres_socket_dir),
                "-U",
                "evenkeel",
            ),
            *("-v", "ON_ERROR_STOP=1", "-Atc", sql, "evenkeel"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
