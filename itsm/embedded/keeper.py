"""The keeper: the one process that starts, restarts and stops the two servers.

Started detached by the first user with the keeper lock already in its hands; it ends when it gets
the users' lock exclusively, that is, when no user is left however they ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import stat
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from itsm.embedded.layout import EmbeddedError, EmbeddedPaths, Placement, paths, place
from itsm.embedded.process import free_megabytes, own
from itsm.embedded.servers import Postgres, Redis

NEEDED_MEGABYTES = 100
CRASHES_ALLOWED = 10
CRASH_WINDOW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """What the starter hands over as JSON."""

    data_dir: str
    postgres_bin: str
    redis: str
    lock_fd: int
    durable: bool


class Keeper:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.where: EmbeddedPaths = paths(job.data_dir)
        self.placement: Placement | None = None
        self.postgres: Postgres | None = None
        self.redis: Redis | None = None
        self.users_fd = os.open(self.where.users_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.wake_read, self.wake_write = os.pipe()
        self.alone = threading.Event()
        self.crashes: deque[float] = deque(maxlen=CRASHES_ALLOWED)

    def run(self) -> int:
        for fd in (self.wake_read, self.wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        try:
            self._start()
            threading.Thread(target=self._wait_until_alone, daemon=True).start()
            while not (self.alone.is_set() or stop.is_set()):
                select.select([self.wake_read], [], [])
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake_read, 4096)
                self._restart_crashed()
        except (EmbeddedError, OSError) as error:
            self._stop()
            self._say("failed", _one_line(error, self.where))
            return 1
        self._stop()
        self._say("stopped")
        return 0

    def let_go(self) -> None:
        # In this order: a user that gets the users' lock must find the keeper's lock free.
        fcntl.flock(self.job.lock_fd, fcntl.LOCK_UN)
        os.close(self.users_fd)

    def _start(self) -> None:
        before = _previous_pids(self.where)
        self._say("starting")
        if (free := free_megabytes(self.where.data_dir)) < NEEDED_MEGABYTES:
            raise EmbeddedError(
                f"The disk that holds {self.where.data_dir} is full ({free} MB free, "
                f"{NEEDED_MEGABYTES} needed): free some space or set ITSM_DATA_DIR."
            )
        placement = place(self.where, Path(self.job.postgres_bin), Path(self.job.redis))
        self.placement = placement
        self._prepare_folders(placement)
        self.postgres = Postgres(self.where, placement, durable=self.job.durable)
        self.redis = Redis(self.where, placement)
        self.redis.start(leftover=before.get("redis", 0))
        self.postgres.start()
        self._say("ready")

    def _prepare_folders(self, placement: Placement) -> None:
        folder = self.where.socket_dir
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        facts = folder.lstat()
        ours = {
            os.geteuid(),
            placement.account.pw_uid if placement.account else os.geteuid(),
        }
        # The temp folder is open to all: someone else's folder could catch our connections.
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid not in ours:
            raise EmbeddedError(f"{folder} belongs to someone else: remove it.")
        own(folder, placement.account)
        folder.chmod(0o700)
        owner = self.where.data_dir.stat().st_uid
        if placement.account is not None and owner == placement.account.pw_uid:
            # The data folder's owner may go on without root: locks and logs must open for writing.
            for made in (self.where.run_dir, self.where.log_dir):
                for path in (made, *made.iterdir()):
                    own(path, placement.account)

    def _restart_crashed(self) -> None:
        for server in (self.redis, self.postgres):
            if server is None or server.process is None or server.process.poll() is None:
                continue
            now = time.monotonic()
            if (
                len(self.crashes) == CRASHES_ALLOWED
                and now - self.crashes[0] < CRASH_WINDOW_SECONDS
            ):
                raise EmbeddedError(f"A server keeps crashing (log: {server.log_path})")
            self.crashes.append(now)
            self._say("starting")
            server.process = None
            server.start()
            self._say("ready")

    def _wait_until_alone(self) -> None:
        fcntl.flock(self.users_fd, fcntl.LOCK_EX)
        self.alone.set()
        os.write(self.wake_write, b"x")

    def _stop(self) -> None:
        for server in (self.postgres, self.redis):
            if server is not None:
                server.stop()
        self.where.redis_socket.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.where.socket_dir.rmdir()

    def _say(self, state: str, message: str = "") -> None:
        pids = {"keeper": os.getpid()}
        for name, server in (("postgres", self.postgres), ("redis", self.redis)):
            if server is not None and server.process is not None:
                pids[name] = server.process.pid
        word: dict[str, Any] = {
            "state": state,
            "message": message,
            "note": self.placement.note if self.placement else "",
            "cluster": str(self.placement.cluster) if self.placement else "",
            "pids": pids,
            "at": time.time(),
        }
        aside = self.where.state_file.with_suffix(".new")
        with contextlib.suppress(OSError):  # a full disk must not keep the servers from stopping
            aside.write_text(json.dumps(word))
            aside.replace(self.where.state_file)


def _previous_pids(where: EmbeddedPaths) -> dict[str, int]:
    try:
        found: dict[str, int] = json.loads(where.state_file.read_text())["pids"]
    except (OSError, ValueError, KeyError):
        return {}
    return found


def _one_line(error: Exception, where: EmbeddedPaths) -> str:
    if isinstance(error, OSError):
        place_of = error.filename or where.data_dir
        return f"{error.strerror or error}: {place_of}. Mend it or set ITSM_DATA_DIR."
    return str(error)


def main() -> None:
    job = Job(**json.loads(sys.argv[2]))
    if os.fork():
        # The starter waits for this half only; the other is nobody's child and leaves no zombie.
        os._exit(0)
    keeper = Keeper(job)
    code = 1
    try:
        code = keeper.run()
    finally:
        keeper.let_go()
    sys.exit(code)
