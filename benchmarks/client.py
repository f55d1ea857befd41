"""A load client in a process of its own: closed loops over keep-alive sockets, no library.

Reads a job as JSON from stdin, writes what it saw as JSON to stdout. It imports the standard
library's smallest parts only, and tells its own CPU time, so that the cost of measuring is known.
"""

from __future__ import annotations

import json
import math
import resource
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field

# Requests of each client before anything counts, and answers that count before it ends.
LEAST = 3


@dataclass(slots=True)
class Loop:
    """One client: sends its requests one after another, each when the answer before is complete."""

    sock: socket.socket
    requests: list[bytes]
    sent: int = 0
    began: float = 0.0
    buffer: bytearray = field(default_factory=bytearray)
    missing: int = -1
    status: int = 0
    length: int = 0

    def send(self) -> None:
        self.buffer.clear()
        self.missing = -1
        request = self.requests[self.sent % len(self.requests)]
        self.sent += 1
        self.began = time.perf_counter()
        self.sock.sendall(request)

    def receive(self) -> bool:
        """True when the answer is complete."""
        data = self.sock.recv(262_144)
        if not data:
            raise SystemExit("the server closed the connection")
        if self.missing >= 0:
            self.missing -= len(data)
            return self.missing <= 0
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self.buffer[:end]).lower()
        self.status = int(head[9:12])
        at = head.find(b"\r\ncontent-length:")
        if at < 0:
            raise SystemExit(f"an answer without a length: {head.decode('latin-1')}")
        self.length = int(head[at + 17 :].split(b"\r\n", 1)[0])
        self.missing = self.length - (len(self.buffer) - end - 4)
        return self.missing <= 0


def run(job: dict[str, object]) -> dict[str, object]:
    """job: host, port, loops (a list of requests for each client, latin-1), warm_up and seconds,
    most (requests after the warm-up; 0: as many as fit), expect (status)."""
    selector = selectors.DefaultSelector()
    loops = []
    for requests in job["loops"]:  # type: ignore[attr-defined]
        sock = socket.create_connection((job["host"], job["port"]))  # type: ignore[arg-type]
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(30)
        loop = Loop(sock, [text.encode("latin-1") for text in requests])
        selector.register(sock, selectors.EVENT_READ, loop)
        loops.append(loop)
    times: list[float] = []
    last = time.perf_counter()
    seconds, warm_up = float(job["seconds"]), float(job["warm_up"])  # type: ignore[arg-type]
    warm = warm_up == 0
    begin = last + warm_up
    end = begin + seconds if warm else math.inf
    most = int(job.get("most") or 0)  # type: ignore[call-overload]
    wrong, sizes, used = 0, 0, None
    for loop in loops:
        loop.send()
    while (last < end or len(times) < LEAST) and not (most and len(times) >= most):
        if not warm and last >= begin and all(loop.sent > LEAST for loop in loops):
            # A server imports and compiles at its first requests, however long that takes.
            warm, begin, end = True, last, last + seconds
        for key, _events in selector.select(timeout=30):
            loop = key.data
            if not loop.receive():
                continue
            last = time.perf_counter()
            if warm and loop.began >= begin:
                used = used or resource.getrusage(resource.RUSAGE_SELF)
                times.append(last - loop.began)
                sizes += loop.length
            if loop.status != job["expect"]:
                wrong += 1
                if wrong > 20:
                    raise SystemExit(f"answers {loop.status}: {bytes(loop.buffer)[-600:]!r}")
            loop.send()
    # Answered after the end: they ran at full load as well, and are left out alike.
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - (used.ru_utime + used.ru_stime if used else 0)
    return {
        "seconds": last - begin,
        "times": times,
        "wrong": wrong,
        "bytes": sizes / max(1, len(times)),
        "client_cpu": spent / max(1, len(times)),
    }


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
