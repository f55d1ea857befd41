"""What a visitor downloads, what the processes hold, how long a start takes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks import database, serving
from benchmarks.context import Bench
from benchmarks.figures import Figure, figure


def visit(bench: Bench) -> Iterator[Figure]:
    """The first visit to the list in a real Chromium with an empty cache: bytes as they went over
    the wire, and requests."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        return
    name, _eq, key = bench.cookie().partition("=")
    sizes, counts = [], []
    with serving.platform() as platform:
        url = f"http://{serving.HOST}:{platform.port}"
        for _turn in range(bench.repeat):
            size, count = _first_visit(chromium, url, {"name": name, "value": key, "url": url})
            sizes.append(size / 1024)
            counts.append(count)
    yield figure("visit", "first visit to a list, compressed", "KB", sizes, must=350, goal=200)
    yield figure("visit", "first visit to a list, requests", "", counts, must=8, goal=6)


def _first_visit(chromium: str, url: str, cookie: Any) -> tuple[int, int]:
    from playwright.sync_api import sync_playwright

    sizes: list[int] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context()
        context.add_cookies([cookie])
        page = context.new_page()
        wire = context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.on("Network.loadingFinished", lambda seen: sizes.append(seen["encodedDataLength"]))
        page.goto(f"{url}/incidents/", wait_until="networkidle")
        browser.close()
    return sum(sizes), len(sizes)


def memory(bench: Bench) -> Iterator[Figure]:
    """PSS of `manage.py serve` (supervisor, 2 web workers, worker, beat), without the embedded
    servers, after some hundred pages and tasks."""
    cookie, token = bench.cookie(), bench.token()
    paths = ["/incidents/", "/desk/", "/search/?q=printer", "/incidents/new/"]
    asked = [serving.get(path, Cookie=cookie) for path in paths]
    asked.append(serving.get("/api/v1/incidents/", Authorization=f"Token {token}"))
    totals, parts = [], {}
    for _turn in range(1 if bench.quick else bench.repeat):
        with _served(task_processes=1) as (process, port):
            server = serving.Server(port, process)  # type: ignore[arg-type]
            # Each request by both workers.
            for request in asked:
                server.load([request], clients=4, seconds=60, warm_up=0, most=bench.many(60, 4))
            time.sleep(0.5 if bench.quick else 12)  # the beat's tasks come every 5 to 10 s
            parts = _pss(process.pid)
            totals.append(sum(parts.values()))
    yield figure(
        "memory", "web (2) + worker + beat, PSS", "MB", totals, must=450, goal=300,
        note=", ".join(f"{name} {size:.0f}" for name, size in parts.items()),
    )  # fmt: skip


@contextmanager
def _served(*, task_processes: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = serving.free_port()
    command = [
        *(sys.executable, "manage.py", "serve", "--port", str(port)),
        *("--task-processes", str(task_processes)),
    ]
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        environment = {**os.environ, "ITSM_PORT": str(port)}
        if os.environ.get("DATABASE_URL"):
            environment["ITSM_DATA_DIR"] = folder
            _share_assets(Path(folder))
        process = subprocess.Popen(
            command,
            cwd=database.ROOT,
            env=environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
        )
        try:
            serving.await_answer(process, port)
            yield process, port
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _share_assets(folder: Path) -> None:
    from django.conf import settings

    (folder / "static").symlink_to(settings.STATIC_ROOT)


def _pss(root: int) -> dict[str, float]:
    """MB by part of the platform, of all processes below the supervisor and itself."""
    parts: dict[str, float] = {}
    top = psutil.Process(root)
    for process in [top, *top.children(recursive=True)]:
        line = " ".join(process.cmdline())
        name = next(
            (one for one in ("granian", "worker:app", "beat:app") if one in line), "supervisor"
        )
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        size = next(int(row.split()[1]) for row in rollup.splitlines() if row.startswith("Pss:"))
        label = {"granian": "web", "worker:app": "worker", "beat:app": "beat"}.get(name, name)
        parts[label] = parts.get(label, 0.0) + size / 1024
    return parts


def start(bench: Bench) -> Iterator[Figure]:
    """`make demo` a second time: everything is there, embedded servers are down; until the first
    page answers. The first start (with the demo's data, packages installed) goes before."""
    port = serving.free_port()
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-start-") as folder:
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "REDIS_URL", "ITSM_DATABASE_NAME", "ITSM_DEMO")
        }
        environment |= {"ITSM_DATA_DIR": folder, "ITSM_PORT": str(port)}
        first = _started(environment, port, limit=900)
        again = [_started(environment, port, limit=300) for _turn in range(bench.repeat)]
    yield figure(
        "start", "first start, packages installed, to the first page", "s", [first],
        must=120, goal=60,
    )  # fmt: skip
    yield figure("start", "second start to the first page", "s", again, must=10, goal=5)


def _started(environment: dict[str, str], port: int, *, limit: float) -> float:
    """Seconds until /login/ answers; then Ctrl-C, and all has ended."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "deploy/setup.py", "demo"],
        cwd=database.ROOT,
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        while not _answers(port):
            if process.poll() is not None:
                said = process.stderr.read().decode()[-600:] if process.stderr else ""
                raise RuntimeError(f"the start failed ({process.returncode}): {said}")
            if time.perf_counter() - began > limit:
                raise RuntimeError(f"no page after {limit:.0f} s")
            time.sleep(0.05)
        return time.perf_counter() - began
    finally:
        # As a terminal does it: to the whole group.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=90)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((serving.HOST, port), timeout=2) as sock:
            sock.sendall(serving.get("/login/", Connection="close"))
            return sock.recv(12).endswith(b"200")
    except OSError:
        return False
