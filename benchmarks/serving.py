"""Real servers (granian, as `manage.py serve` starts it) and the clients that load them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.figures import percentile

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
WEB_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients of one run saw. Times in ms; client_cpu: ms per request."""

    rate: float
    p50: float
    p95: float
    size: float
    client_cpu: float


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    process: subprocess.Popen[bytes]

    def load(
        self,
        requests: Sequence[bytes],
        *,
        clients: int = 1,
        seconds: float = 3.0,
        warm_up: float = 1.0,
        most: int = 0,
        expect: int = 200,
    ) -> Load:
        """`clients` closed loops. Each goes through `requests` from another place on; with as many
        requests as clients, each has its own."""
        texts = [request.decode("latin-1") for request in requests]
        job = {
            "host": HOST,
            "port": self.port,
            "loops": [texts[n % len(texts) :] + texts[: n % len(texts)] for n in range(clients)],
            "seconds": seconds,
            "warm_up": warm_up,
            "most": most,
            "expect": expect,
        }
        done = subprocess.run(
            [sys.executable, "-I", str(Path(__file__).with_name("client.py"))],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"the client gave up: {done.stderr.strip()[-800:]}")
        seen: dict[str, Any] = json.loads(done.stdout)
        if seen["wrong"]:
            raise RuntimeError(f"{seen['wrong']} answers were not {expect}")
        times = [one * 1000 for one in seen["times"]]
        return Load(
            rate=len(times) / seen["seconds"],
            p50=median(times),
            p95=percentile(times, 0.95),
            size=seen["bytes"],
            client_cpu=seen["client_cpu"] * 1000,
        )


def get(path: str, **headers: str) -> bytes:
    return _request("GET", path, b"", headers)


def post(path: str, body: Any, **headers: str) -> bytes:
    data = json.dumps(body, ensure_ascii=False).encode()
    return _request("POST", path, data, {"Content-Type": "application/json", **headers})


def _request(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", "Accept: */*"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@contextmanager
def platform() -> Iterator[Server]:
    """The platform's web part, with the command of `manage.py serve`."""
    from itsm.supervisor.children import platform_children

    port = free_port()
    children = platform_children(
        host=HOST, port=port, web_workers=WEB_WORKERS, task_processes=1, run_dir=Path(os.devnull)
    )
    web = next(child for child in children if child.name == "web")
    with _running(web.command, port, {"ITSM_PORT": str(port)}) as server:
        yield server


@contextmanager
def floor() -> Iterator[Server]:
    """Django and granian with nothing on top: `benchmarks/minimal.py`, the same workers."""
    from django.db import connection

    port = free_port()
    command = (
        *(sys.executable, "-m", "granian", "--interface", "wsgi"),
        *("benchmarks.minimal:application", "--host", HOST, "--port", str(port)),
        *("--workers", str(WEB_WORKERS), "--blocking-threads", "4", "--backpressure", "64"),
        *("--log-level", "warning"),
    )
    settings = connection.settings_dict
    database = {name: settings[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
    with _running(command, port, {"BENCH_DATABASE": json.dumps(database)}) as server:
        yield server


@contextmanager
def _running(command: Sequence[str], port: int, more: Mapping[str, str]) -> Iterator[Server]:
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **more}, start_new_session=True
    )
    try:
        await_answer(process, port)
        yield Server(port, process)
    finally:
        # It holds nothing that matters, and an orderly end waits for idle keep-alive connections.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def await_answer(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            with socket.create_connection((HOST, port), timeout=1) as sock:
                sock.sendall(get("/healthz", Connection="close"))
                if sock.recv(12).endswith(b"200"):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError("the server does not answer")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])
