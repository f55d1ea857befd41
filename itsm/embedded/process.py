"""Small process tools of the keeper; standard library only, so that the keeper stays light."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
LOG_LIMIT_BYTES = 10 * 1024 * 1024


# Loaded before any fork: the loader's lock may be held by another thread at that moment.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Ask the kernel to signal this process when its parent ends (Linux; elsewhere no effect)."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def alive(pid: int) -> bool:
    """False for a zombie, too: some containers' first process reaps late or never."""
    with contextlib.suppress(OSError, IndexError):
        # The state follows the command's name, which is in brackets and may hold anything.
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        if stat.rpartition(")")[2].split()[0] == "Z":
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def command_line(pid: int) -> str:
    """The command line of a process, empty when it is gone or a zombie."""
    proc = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        try:
            return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    shown = subprocess.run(
        ["/bin/ps", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout


def working_in(folder: Path) -> list[int]:
    """Processes whose working folder is `folder`: every PostgreSQL process of that cluster."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
    return found


def end(pid: int, steps: Sequence[tuple[int, float]], gone: Callable[[], bool]) -> None:
    """Send each signal in turn and wait its seconds, until `gone()`."""
    for number, seconds in steps:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if gone():
                return
            time.sleep(0.01)


def as_account(account: pwd.struct_passwd | None) -> dict[str, object]:
    """Arguments for `subprocess` that give up root's rights for good."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def open_log(path: Path) -> IO[bytes]:
    """Append to a log that never grows without bound: one older part is kept."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".old.log"))
    return path.open("ab")


def own(path: Path, account: pwd.struct_passwd | None) -> None:
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def free_megabytes(path: Path) -> int:
    return shutil.disk_usage(path).free // (1024 * 1024)
