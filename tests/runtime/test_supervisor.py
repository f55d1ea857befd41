"""The supervisor restarts what crashes and leaves no process, however it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from itsm.embedded.process import alive
from itsm.supervisor.port import obstacle
from tests.runtime.harness import ITSM, wait_for

# A parent with a child of its own, like a web server with its workers.
CHILD = """
import os, sys, time
from itsm.embedded.process import die_with_parent
if pid := os.fork():
    print("grandchild", pid, flush=True)
else:
    die_with_parent(9)
time.sleep(600)
"""

PARENT = """
import sys
from pathlib import Path
from itsm.supervisor import Child, Supervisor
children = [Child(n, (sys.executable, "-c", sys.argv[2])) for n in ("web", "beat")]
sys.exit(Supervisor(children, state_file=Path(sys.argv[1]), first_delay=0.01).run())
"""


class Supervised:
    def __init__(self, folder: Path, child: str = CHILD) -> None:
        self.state = folder / "serve.json"
        self.output = folder / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PARENT, str(self.state), child],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ITSM.parent,
                start_new_session=True,
            )

    def children(self) -> dict[str, int]:
        try:
            found: dict[str, int] = json.loads(self.state.read_text())["children"]
        except (OSError, ValueError):
            return {}
        return found

    def lines(self) -> list[str]:
        return self.output.read_text().splitlines()

    def grandchildren(self) -> list[int]:
        return [int(line.split()[-1]) for line in self.lines() if "| grandchild" in line]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    made: list[Supervised] = []

    def go(child: str = CHILD) -> Supervised:
        supervised = Supervised(tmp_path, child)
        made.append(supervised)
        return supervised

    yield go
    for supervised in made:
        supervised.process.kill()
        supervised.process.wait()


def all_pids(supervised: Supervised) -> list[int]:
    return [
        supervised.process.pid,
        *supervised.children().values(),
        *supervised.grandchildren(),
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all(start: Callable[..., Supervised], number: signal.Signals) -> None:
    supervised = start()
    wait_for(lambda: len(supervised.grandchildren()) == 2)
    everyone = all_pids(supervised)
    os.kill(supervised.process.pid, number)
    assert supervised.process.wait(timeout=20) == 0
    wait_for(lambda: not any(alive(pid) for pid in everyone))
    assert not supervised.state.exists()


def test_a_killed_supervisor_leaves_nobody(start: Callable[..., Supervised]) -> None:
    supervised = start()
    wait_for(lambda: len(supervised.grandchildren()) == 2)
    everyone = all_pids(supervised)
    supervised.process.kill()
    supervised.process.wait()
    wait_for(lambda: not any(alive(pid) for pid in everyone))


def test_a_killed_child_comes_back_and_its_own_children_end(
    start: Callable[..., Supervised],
) -> None:
    supervised = start()
    wait_for(lambda: len(supervised.grandchildren()) == 2)
    before, old = supervised.children(), supervised.grandchildren()
    os.kill(before["web"], signal.SIGKILL)
    wait_for(lambda: len(supervised.grandchildren()) == 3)
    assert supervised.children()["beat"] == before["beat"]
    assert supervised.children()["web"] != before["web"]
    assert any("web  | ended by SIGKILL; starts again" in line for line in supervised.lines())
    wait_for(lambda: sum(alive(pid) for pid in old) == 1)


def test_back_off_grows(start: Callable[..., Supervised]) -> None:
    supervised = start("raise SystemExit(3)")
    wait_for(lambda: any("starts again in 0.08 s" in line for line in supervised.lines()))
    assert "ended with code 3; starts again in 0.02 s" in supervised.output.read_text()


def test_a_child_that_ignores_sigterm_is_ended(
    start: Callable[..., Supervised],
) -> None:
    stubborn = "import signal; signal.signal(15, signal.SIG_IGN);" + CHILD
    supervised = start(stubborn)
    wait_for(lambda: len(supervised.grandchildren()) == 2)
    everyone = all_pids(supervised)
    # The second signal does not wait for the grace period.
    while supervised.process.poll() is None:
        os.kill(supervised.process.pid, signal.SIGINT)
        try:
            supervised.process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            continue
    wait_for(lambda: not any(alive(pid) for pid in everyone))


def test_a_port_in_use_names_who_and_how_to_choose_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = obstacle("127.0.0.1", port)
        assert line.startswith(f"Port {port} is in use by ")
        assert str(os.getpid()) in line
        assert f"ITSM_PORT={port + 1}" in line
        assert "\n" not in line
    assert obstacle("127.0.0.1", port) == ""
