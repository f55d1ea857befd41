"""The loop that keeps children running, and leaves no process when it ends."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from itsm.embedded.process import alive, command_line, die_with_parent
from itsm.supervisor.children import Child

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
STEADY_SECONDS = 30.0  # a child that ran this long starts again without a delay
GRACE_SECONDS = 10.0
WATCH_SECONDS = 1.0


@dataclass(slots=True)
class _Running:
    child: Child
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float = 0.0


class Supervisor:
    """Runs `children` until told to stop by SIGINT, SIGTERM or SIGHUP; a second one stops hard.

    `state_file` names the processes, for the doctor and for a start after a crash on systems
    where the kernel does not end a killed parent's children. `watch` is called every second.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        state_file: Path,
        facts: Mapping[str, object] | None = None,
        write: Callable[[str], None] | None = None,
        first_delay: float = FIRST_DELAY_SECONDS,
        watch: Callable[[], None] | None = None,
    ) -> None:
        self.running = [_Running(child) for child in children]
        self.state_file = state_file
        self.facts = dict(facts or {})
        self.write = write or _to_stdout
        self.first_delay = first_delay
        self.watch = watch
        self.stops = 0
        self.wake_read, self.wake_write = os.pipe()
        self.width = max(len(child.name) for child in children)

    def run(self, *, on_started: Callable[[], None] | None = None) -> int:
        """Block until stopped; return 0. `on_started` runs once in a thread of its own."""
        self._end_leftovers()
        self._take_signals()
        if on_started is not None:
            threading.Thread(target=on_started, daemon=True).start()
        try:
            while not self.stops:
                self._start_due()
                self._sleep()
                if self.watch is not None:
                    self.watch()
                self._reap()
        finally:
            self._stop_all()
            self.state_file.unlink(missing_ok=True)
        return 0

    def stop(self) -> None:
        self.stops += 1
        os.write(self.wake_write, b"s")

    def _take_signals(self) -> None:
        for fd in (self.wake_read, self.wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self._told())

    def _told(self) -> None:
        self.stops += 1

    def _sleep(self) -> None:
        waiting = [r.due for r in self.running if r.process is None]
        timeout = max(0.0, min(waiting) - time.monotonic()) if waiting else WATCH_SECONDS
        if self.watch is not None:
            timeout = min(timeout, WATCH_SECONDS)
        if not self.stops:
            select.select([self.wake_read], [], [], timeout)
        with contextlib.suppress(BlockingIOError):
            os.read(self.wake_read, 4096)

    def _start_due(self) -> None:
        started = False
        for entry in self.running:
            if entry.process is None and entry.due <= time.monotonic():
                self._start(entry)
                started = True
        if started:
            pids = {r.child.name: r.process.pid for r in self.running if r.process}
            word = {**self.facts, "pid": os.getpid(), "children": pids}
            self.state_file.write_text(json.dumps(word))

    def _start(self, entry: _Running) -> None:
        # A session of its own: the terminal's Ctrl-C reaches the supervisor alone, and what a
        # child leaves behind can be ended as a group.
        entry.process = subprocess.Popen(
            entry.child.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        entry.started = time.monotonic()
        threading.Thread(
            target=self._copy, args=(entry.child.name, entry.process), daemon=True
        ).start()

    def _copy(self, name: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.write(f"{name:<{self.width}} | {line.decode(errors='replace').rstrip()}")

    def _reap(self) -> None:
        for entry in self.running:
            process = entry.process
            if process is None or process.poll() is None:
                continue
            _kill_group(process.pid)
            entry.process = None
            now = time.monotonic()
            entry.failures = 0 if now - entry.started > STEADY_SECONDS else entry.failures + 1
            delay = min(
                LONGEST_DELAY_SECONDS,
                self.first_delay * 2 ** max(0, entry.failures - 1),
            )
            entry.due = now + (delay if entry.failures else 0.0)
            if not self.stops:
                how = _ending(process.returncode)
                self.write(f"{entry.child.name:<{self.width}} | {how}; starts again in {delay:g} s")

    def _stop_all(self) -> None:
        left = [r.process for r in self.running if r.process is not None]
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        before = self.stops
        deadline = time.monotonic() + GRACE_SECONDS
        while any(p.poll() is None for p in left):
            if time.monotonic() > deadline or self.stops > before:
                break
            time.sleep(0.02)
        for process in left:
            _kill_group(process.pid)
            process.wait()

    def _end_leftovers(self) -> None:
        try:
            old: dict[str, int] = json.loads(self.state_file.read_text())["children"]
        except (OSError, ValueError, KeyError):
            return
        names = {entry.child.name: entry.child.command for entry in self.running}
        for name, pid in old.items():
            # The number may belong to a stranger by now: only a command of ours is ended.
            if name in names and alive(pid) and names[name][2] in command_line(pid):
                _kill_group(pid)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _ending(code: int) -> str:
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"


def _to_stdout(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
