"""kill -9 of anything: it recovers by itself or at the next start, and nobody is left behind."""

from __future__ import annotations

import os
import signal
import socket
import time

import pytest

from tests.faults.platform import Platform
from tests.runtime.harness import wait_for

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

KEPT = "create table kept as select 7 as x"
RECOVERY_SECONDS = 90.0


def nobody_left(platform: Platform) -> None:
    wait_for(lambda: not platform.processes(), 30)


@pytest.mark.parametrize(
    "victim",
    [
        *("web", "web process", "worker", "worker process", "beat"),
        *("postgres", "redis", "keeper"),
    ],
)
def test_a_killed_part_comes_back_by_itself(platform: Platform, victim: str) -> None:
    platform.start()
    platform.sql(KEPT)
    old = platform.victims()[victim]
    os.kill(old, signal.SIGKILL)
    # Another process in its place first: a heartbeat that was on its way would prove nothing.
    wait_for(lambda: platform.victims().get(victim, old) != old, RECOVERY_SECONDS)
    platform.forget_beats()
    wait_for(platform.works, RECOVERY_SECONDS)
    assert platform.sql("select x from kept") == "7"
    assert platform.stop() == 0
    nobody_left(platform)


def test_a_killed_supervisor_takes_everything_along(platform: Platform) -> None:
    platform.start()
    platform.sql(KEPT)
    assert platform.process is not None
    platform.process.kill()
    platform.process.wait()
    nobody_left(platform)
    platform.start()
    assert platform.sql("select x from kept") == "7"
    assert platform.stop(signal.SIGTERM) == 0
    nobody_left(platform)


def test_everything_killed_at_once(platform: Platform) -> None:
    platform.start()
    platform.sql(KEPT)
    for pid in platform.processes():
        os.kill(pid, signal.SIGKILL)
    assert platform.process is not None
    platform.process.wait()
    nobody_left(platform)
    platform.start()
    assert platform.sql("select x from kept") == "7"
    assert platform.manage("doctor").returncode == 0
    assert platform.stop() == 0
    nobody_left(platform)


@pytest.mark.parametrize("after", [0.05, 0.5, 1.5, 3.0])
def test_interrupted_while_starting(platform: Platform, after: float) -> None:
    platform.launch()
    time.sleep(after)  # the moment is the point of the test
    platform.stop()
    nobody_left(platform)


def test_a_second_serve_of_the_same_data_is_refused(platform: Platform) -> None:
    platform.start()
    refused = platform.manage("serve", "--port", "0", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("CommandError: This data folder is already served")
    assert refused.stderr.count("\n") == 1
    assert platform.ready()
    assert platform.stop() == 0
    nobody_left(platform)


def test_a_port_in_use_is_one_line(platform: Platform) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", platform.port))
        taken.listen()
        refused = platform.manage("serve", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"CommandError: Port {platform.port} is in use by ")
    assert refused.stderr.count("\n") == 1
    nobody_left(platform)


def test_an_open_command_keeps_the_servers_after_serve(platform: Platform) -> None:
    platform.start()
    other = platform.manage  # any command is a user of the servers
    assert platform.stop() == 0
    assert "PostgreSQL" in other("doctor", "--only", "database").stdout
    nobody_left(platform)
