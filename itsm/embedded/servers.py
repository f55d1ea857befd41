"""How each of the two servers is created, started, proved ready and stopped."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from itsm.embedded.layout import (
    DATABASE,
    POSTGRES_PORT,
    USER,
    EmbeddedError,
    EmbeddedPaths,
    Placement,
)
from itsm.embedded.process import (
    alive,
    as_account,
    command_line,
    die_with_parent,
    end,
    open_log,
    own,
    working_in,
)

POSTGRES_MAJOR = "18"
SMALL_SHARED_MEMORY = 512 * 1024 * 1024
START_ATTEMPTS = 3

# Written into postgresql.conf once, so that a person may tune them there.
POSTGRES_SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",  # compiles for longer than short queries run
    "wal_level": "minimal",  # nobody replicates from here, and COPY into new tables is cheaper
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}
UNSAFE_AND_FAST = {"fsync": "off", "full_page_writes": "off"}


class Postgres:
    """One cluster under one postmaster, child of the keeper."""

    def __init__(self, where: EmbeddedPaths, placement: Placement, *, durable: bool) -> None:
        self.where = where
        self.placement = placement
        self.durable = durable
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path = where.log_dir / "postgres.log"

    @property
    def cluster(self) -> Path:
        return self.placement.cluster

    def start(self) -> None:
        """Start and return when connections are accepted; raise EmbeddedError with the reason."""
        for attempt in range(START_ATTEMPTS):
            self._clear_leftovers()
            if not (self.cluster / "PG_VERSION").exists():
                self._create()
            self._check_version()
            log_from = self.log_path.stat().st_size if self.log_path.exists() else 0
            self._launch()
            if self._wait_ready():
                return
            reason = self._reason(log_from)
            if "No space left" in reason:
                raise EmbeddedError(
                    f"The disk that holds {self.cluster} is full: free some space and start again."
                )
            if attempt + 1 == START_ATTEMPTS:
                raise EmbeddedError(f"PostgreSQL does not start: {reason} (log: {self.log_path})")
            time.sleep(0.3)

    def stop(self) -> None:
        process = self.process
        if process is None:
            return
        # Fast shutdown, then immediate (recovers at the next start), then by force.
        steps = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 2.0))
        end(process.pid, steps, lambda: process.poll() is not None)
        self.process = None
        self._end_strays()

    def _create(self) -> None:
        """initdb beside the final place, then rename: a killed creation never looks finished."""
        parent = self.cluster.parent
        for half in parent.glob(f"{self.cluster.name}.new-*"):
            shutil.rmtree(half, ignore_errors=True)
        if self.cluster.exists() and any(self.cluster.iterdir()):
            raise EmbeddedError(f"{self.cluster} is no database cluster: move it away.")
        fresh = parent / f"{self.cluster.name}.new-{os.getpid()}"
        fresh.mkdir(mode=0o700)
        own(fresh, self.placement.account)
        command = [
            *(
                str(self.placement.postgres_bin / "initdb"),
                "-D",
                str(fresh),
                "-U",
                USER,
            ),
            *(
                "--auth=trust",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--no-instructions",
            ),
            "--builtin-locale=C.UTF-8",
            *(f"--set={name}={value}" for name, value in POSTGRES_SETTINGS.items()),
            *([] if self.durable else ["--no-sync"]),
        ]
        # macOS before 15 knows no C.UTF-8; the builtin provider sorts either way.
        outcomes = []
        for locale in ("C.UTF-8", "en_US.UTF-8", "C"):
            outcomes.append(self._tool([*command, f"--locale={locale}"]))
            if not outcomes[-1].returncode:
                break
            _empty(fresh)
        else:
            raise EmbeddedError(f"initdb failed: {_last_line(outcomes[0].stderr)}")
        made = self._tool(
            [
                str(self.placement.postgres_bin / "postgres"),
                "--single",
                "-D",
                str(fresh),
                "postgres",
            ],
            stdin=f"CREATE DATABASE {DATABASE} OWNER {USER};\n",
        )
        if made.returncode or "ERROR" in made.stderr:
            raise EmbeddedError(f"The database can't be created: {_last_line(made.stderr)}")
        if self.cluster.exists():
            self.cluster.rmdir()
        fresh.rename(self.cluster)

    def _tool(self, command: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        options: dict[str, Any] = as_account(self.placement.account)
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
            preexec_fn=_end_with_keeper,
            **options,
        )

    def _check_version(self) -> None:
        major = (self.cluster / "PG_VERSION").read_text().strip()
        if major != POSTGRES_MAJOR:
            raise EmbeddedError(
                f"{self.cluster} was made by PostgreSQL {major}, this is {POSTGRES_MAJOR}: "
                "restore a backup into a fresh data folder."
            )

    def _launch(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.where.socket_dir),
        }
        settings["port"] = str(POSTGRES_PORT)
        if not self.durable:
            settings |= UNSAFE_AND_FAST
        with contextlib.suppress(OSError):
            # A container's default /dev/shm (64 MB) is too small for parallel queries.
            shm = os.statvfs("/dev/shm")  # noqa: S108 - only measured
            if shm.f_frsize * shm.f_blocks < SMALL_SHARED_MEMORY:
                settings["dynamic_shared_memory_type"] = "mmap"
        command = [
            str(self.placement.postgres_bin / "postgres"),
            "-D",
            str(self.cluster),
        ]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        options: dict[str, Any] = as_account(self.placement.account)
        with open_log(self.log_path) as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                preexec_fn=_interrupted_with_keeper,
                **options,
            )

    def _wait_ready(self) -> bool:
        # The eighth line of postmaster.pid is the server's own word (what pg_ctl reads, too).
        process = self.process
        assert process is not None
        pid_file = self.cluster / "postmaster.pid"
        while process.poll() is None:
            with contextlib.suppress(OSError):
                lines = pid_file.read_text().splitlines()
                if len(lines) >= 8 and lines[7].strip() == "ready" and lines[0] == str(process.pid):
                    return True
            time.sleep(0.01)
        return False

    def _clear_leftovers(self) -> None:
        """End what an earlier postmaster left, and drop a pid file that names nobody of ours.

        PostgreSQL refuses to start when the pid in the file was given to any other process of the
        same account, which is common after a restart of the machine.
        """
        pid_file = self.cluster / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(pid_file.read_text().splitlines()[0])
            if alive(pid) and str(self.cluster) in command_line(pid):
                steps = (
                    (signal.SIGINT, 20.0),
                    (signal.SIGQUIT, 5.0),
                    (signal.SIGKILL, 2.0),
                )
                end(pid, steps, lambda: str(self.cluster) not in command_line(pid))
        self._end_strays()
        pid_file.unlink(missing_ok=True)
        for socket_file in self.where.socket_dir.glob(".s.PGSQL.*"):
            socket_file.unlink(missing_ok=True)

    def _end_strays(self) -> None:
        # A killed postmaster's children may be deep in a query; the data is theirs until they end.
        deadline = time.monotonic() + 10
        while strays := working_in(self.cluster):
            for pid in strays:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)

    def _reason(self, log_from: int) -> str:
        with self.log_path.open("rb") as log:
            log.seek(log_from)
            lines = log.read().decode(errors="replace").splitlines()
        for word in ("No space left", "FATAL:", "PANIC:", "error"):
            for line in lines:
                if word in line:
                    return line.split("]", 1)[-1].strip()
        return lines[-1] if lines else "it ended without a word"


class Redis:
    """One Redis without persistence: PostgreSQL holds the truth, a lost message costs a delay."""

    def __init__(self, where: EmbeddedPaths, placement: Placement) -> None:
        self.where = where
        self.placement = placement
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path = where.log_dir / "redis.log"

    def start(self, leftover: int = 0) -> None:
        """Start and return when PING is answered. `leftover`: the pid of an earlier keeper's."""
        needle = str(self.where.redis_socket)
        if leftover and alive(leftover) and needle in command_line(leftover):
            steps = ((signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0))
            end(leftover, steps, lambda: needle not in command_line(leftover))
        self.where.redis_socket.unlink(missing_ok=True)
        command = [
            *(str(self.placement.redis), "--port", "0", "--unixsocket", needle),
            *("--unixsocketperm", "700", "--save", "", "--appendonly", "no"),
            *("--maxmemory", "512mb", "--maxmemory-policy", "noeviction"),
            *(
                "--dir",
                str(self.where.socket_dir),
                "--daemonize",
                "no",
                "--loglevel",
                "warning",
            ),
        ]
        options: dict[str, Any] = as_account(self.placement.account)
        with open_log(self.log_path) as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                preexec_fn=_end_with_keeper,
                **options,
            )
        deadline = time.monotonic() + 30
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedError(f"Redis does not start (log: {self.log_path})")
            time.sleep(0.01)

    def stop(self) -> None:
        process = self.process
        if process is None:
            return
        steps = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 2.0))
        end(process.pid, steps, lambda: process.poll() is not None)
        self.process = None

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(2)
            try:
                link.connect(str(self.where.redis_socket))
                link.sendall(b"PING\r\n")
                return link.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def _interrupted_with_keeper() -> None:
    # SIGINT is PostgreSQL's fast shutdown: a killed keeper leaves a clean cluster and no process.
    die_with_parent(signal.SIGINT)


def _end_with_keeper() -> None:
    die_with_parent(signal.SIGTERM)


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
