"""The whole platform as a user starts it, in a data folder and on a port of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from itsm import embedded
from itsm.embedded.process import alive
from tests.runtime.harness import wait_for

ROOT = Path(embedded.__file__).resolve().parent.parent.parent
START_SECONDS = 90.0


class Platform:
    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        ours = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "DEBUG", "PYTHONPATH"}
        kept = {k: v for k, v in os.environ.items() if k not in ours and "PYTEST" not in k}
        return {
            **kept,
            "ITSM_DATA_DIR": str(self.data_dir),
            "ITSM_PORT": str(self.port),
            "ITSM_EMBEDDED_DURABLE": "0",
        }

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=check,
        )

    def launch(self) -> None:
        with (self.data_dir / "serve.out").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "serve"],
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def start(self) -> None:
        self.launch()
        wait_for(self.works, START_SECONDS)

    def works(self) -> bool:
        """Web answers with database and broker, and a fresh beat has gone through a worker."""
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError((self.data_dir / "serve.out").read_text())
        return self.ready() and self.beats()

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/readyz", timeout=5
            ) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def beats(self) -> bool:
        """True when a heartbeat came after the last call of `forget_beats`."""
        cli = embedded.layout.redis_binary().with_name("redis-cli")
        listed = subprocess.run(
            [
                str(cli),
                "-s",
                str(embedded.paths(self.data_dir).redis_socket),
                "keys",
                "*heartbeat*",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        return bool(listed.stdout.strip())

    def forget_beats(self) -> None:
        cli = embedded.layout.redis_binary().with_name("redis-cli")
        where = str(embedded.paths(self.data_dir).redis_socket)
        script = "for _,k in ipairs(redis.call('keys','*heartbeat*')) do redis.call('del',k) end"
        subprocess.run(
            [str(cli), "-s", where, "eval", script, "0"], capture_output=True, check=False
        )

    def sql(self, statement: str) -> str:
        done = subprocess.run(
            [
                *(str(embedded.postgres_binaries() / "psql"), "-X", "-Atc", statement),
                *("-h", str(embedded.paths(self.data_dir).postgres_socket_dir)),
                *("-U", "evenkeel", "evenkeel"),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def victims(self) -> dict[str, int]:
        """The processes of the platform by their part; one on its way back is left out."""
        try:
            state = json.loads((self.data_dir / "run" / "serve.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        children: dict[str, int] = state["children"]
        assert self.process is not None
        found = {**children, **embedded.status(self.data_dir).pids, "supervisor": self.process.pid}
        for name in ("web", "worker"):
            if pid := _child_of(children.get(name, 0)):
                found[f"{name} process"] = pid
        return found

    def processes(self) -> list[int]:
        """Whatever runs with this data folder in its environment or on its command line."""
        mark = os.fsencode(str(self.data_dir))
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if int(entry.name) != os.getpid() and any(
                    mark in (entry / name).read_bytes() for name in ("environ", "cmdline")
                ):
                    found.append(int(entry.name))
        return [pid for pid in found if alive(pid)]

    def stop(self, number: int = signal.SIGINT) -> int:
        assert self.process is not None
        os.kill(self.process.pid, number)
        return self.process.wait(timeout=60)

    def destroy(self) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def _child_of(parent: int) -> int:
    """The first child that lives, 0 for none."""
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        return 0
    return next((pid for pid in map(int, children) if alive(pid)), 0)
