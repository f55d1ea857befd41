"""The users' side: hold the shared lock, see to it that a keeper lives, wait until it is ready."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from itsm.embedded.layout import (
    EmbeddedError,
    EmbeddedPaths,
    paths,
    postgres_binaries,
    redis_binary,
)

__all__ = ["EmbeddedError", "Status", "ensure_running", "release", "status"]

# Crash recovery of a large database takes minutes; a keeper at work is waited for.
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.02
# A bare stand-in for the package `itsm`: its own __init__ would load Celery and Django.
LIGHT_PACKAGE = (
    "import sys, types; itsm = types.ModuleType('itsm'); itsm.__path__ = [sys.argv[1]]; "
    "sys.modules['itsm'] = itsm; "
)
KEEPER_CODE = f"{LIGHT_PACKAGE}from itsm.embedded.keeper import main; main()"

_held: dict[Path, int] = {}
_guard = threading.Lock()


@dataclass(frozen=True, slots=True)
class Status:
    """What the keeper last wrote: `starting`, `ready`, `failed`, `stopped`, or `absent`."""

    state: str
    message: str = ""
    note: str = ""
    cluster: str = ""
    pids: dict[str, int] = field(default_factory=dict)
    at: float = 0.0


def ensure_running(data_dir: Path | str, *, durable: bool | None = None) -> None:
    """Hold the servers of `data_dir` for the life of this process and return when they answer.

    Idempotent and cheap (two system calls and a small file) once they run. `durable=False` trades
    safety against power loss for speed, for tests; by default `ITSM_EMBEDDED_DURABLE` decides.
    Raises EmbeddedError with one line for a person.
    """
    where = paths(data_dir)
    if durable is None:
        durable = os.environ.get("ITSM_EMBEDDED_DURABLE", "1") != "0"
    with _guard:
        _hold(where)
    deadline = time.monotonic() + PATIENCE_SECONDS
    attempts = 0
    while True:
        lock = _try_lock(where.keeper_lock)
        if lock is not None:
            attempts += 1
            last = status(data_dir)
            try:
                if attempts > 1 and last.state == "failed":
                    raise EmbeddedError(last.message)
                if attempts > 3:
                    log = where.log_dir / "keeper.log"
                    raise EmbeddedError(f"The embedded servers do not start: see {log}.")
                _forget_last_word(where)
                _spawn_keeper(where, lock, durable=durable)
            finally:
                os.close(lock)
        if _ready(where):
            return
        if time.monotonic() > deadline:
            raise EmbeddedError(f"The embedded servers do not answer: see {where.log_dir}.")
        time.sleep(POLL_SECONDS)


def release(data_dir: Path | str, *, wait_seconds: float = 0.0) -> bool:
    """Let go of the servers; with a wait, return True once they have stopped.

    False means that another process still uses them, or that the wait was too short.
    """
    where = paths(data_dir)
    with _guard:
        held = _held.pop(where.data_dir, None)
        if held is not None:
            os.close(held)
    deadline = time.monotonic() + wait_seconds
    while wait_seconds and not _lock_is_free(where.keeper_lock):
        if time.monotonic() > deadline or _others_hold(where):
            return False
        time.sleep(POLL_SECONDS)
    return _lock_is_free(where.keeper_lock)


def status(data_dir: Path | str) -> Status:
    """The keeper's last word, for the doctor; never starts anything."""
    where = paths(data_dir)
    try:
        raw: dict[str, Any] = json.loads(where.state_file.read_text())
    except (FileNotFoundError, ValueError):
        return Status("absent")
    return Status(**{k: v for k, v in raw.items() if k in Status.__slots__})


def _hold(where: EmbeddedPaths) -> None:
    if where.data_dir in _held:
        return
    try:
        # Traversable but not listable: the servers may run under another account.
        where.data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
        where.run_dir.mkdir(mode=0o755, exist_ok=True)
        where.log_dir.mkdir(mode=0o755, exist_ok=True)
        fd = os.open(where.users_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise EmbeddedError(
            f"The data folder {where.data_dir} can't be used ({error.strerror}): "
            "mend its permissions or free space, or set ITSM_DATA_DIR to another folder."
        ) from error
    # Blocks only while a keeper, alone, is stopping the servers: they start again right after.
    fcntl.flock(fd, fcntl.LOCK_SH)
    _held[where.data_dir] = fd


def _try_lock(path: Path) -> int | None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _lock_is_free(path: Path) -> bool:
    # Reads the kernel's answer with a shared lock: two askers do not disturb each other.
    if not path.exists():
        return True
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def _others_hold(where: EmbeddedPaths) -> bool:
    """True when a user other than this process holds the servers (the keeper waits for it)."""
    pids = set()
    for line in _kernel_locks(where.users_lock):
        parts = line.split()
        if "->" not in parts and "READ" in parts:
            pids.add(int(parts[parts.index("READ") + 1]))
    return bool(pids - {os.getpid()})


def _kernel_locks(path: Path) -> list[str]:
    # /proc/locks exists on Linux alone; elsewhere the wait simply runs to its end.
    try:
        inode = f":{path.stat().st_ino} "
        return [line for line in Path("/proc/locks").read_text().splitlines() if inode in line]
    except OSError:
        return []


def _ready(where: EmbeddedPaths) -> bool:
    now = status(where.data_dir)
    if now.state == "failed" and _lock_is_free(where.keeper_lock):
        raise EmbeddedError(now.message)
    return now.state == "ready"


def _forget_last_word(where: EmbeddedPaths) -> None:
    # "ready" or "failed" of an earlier keeper must not be taken for the next one's; its pids stay,
    # they lead to servers that a killed keeper may have left.
    try:
        word = json.loads(where.state_file.read_text())
    except (FileNotFoundError, ValueError):
        return
    aside = where.state_file.with_suffix(f".{os.getpid()}")
    aside.write_text(json.dumps({**word, "state": "starting"}))
    aside.replace(where.state_file)


def _spawn_keeper(where: EmbeddedPaths, lock: int, *, durable: bool) -> None:
    """Start the keeper with the lock already in its hands, so that two starters never make two."""
    job = {
        "data_dir": str(where.data_dir),
        "postgres_bin": str(postgres_binaries()),
        "redis": str(redis_binary()),
        "lock_fd": lock,
        "durable": durable,
    }
    itsm_dir = Path(__file__).resolve().parent.parent
    # Nothing of the application's environment (secrets, LC_*) is for the servers.
    env = {k: v for k, v in os.environ.items() if k in {"PATH", "LD_LIBRARY_PATH", "HOME"}}
    with (where.log_dir / "keeper.log").open("ab") as log:
        # Returns at once: the keeper's first half ends as soon as the second is on its own.
        subprocess.run(
            [
                sys.executable,
                "-I",
                "-S",
                "-c",
                KEEPER_CODE,
                str(itsm_dir),
                json.dumps(job),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=env,
            cwd="/",
            pass_fds=(lock,),
            start_new_session=True,
            check=False,
        )
