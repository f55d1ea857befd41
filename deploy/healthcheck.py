"""Is this web process ready? For containers; the standard library alone, no settings loaded."""

from __future__ import annotations

import http.client
import os
import sys


def main() -> int:
    # An allowed host's name, since the application refuses any other.
    hosts = [h.strip() for h in os.environ.get("ALLOWED_HOSTS", "").split(",") if h.strip()]
    host = hosts[0].removeprefix(".") if hosts and hosts[0] != "*" else "localhost"
    scheme = os.environ.get("ITSM_BASE_URL", "http:").partition(":")[0]
    link = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ.get("ITSM_PORT", "8000")), timeout=4
    )
    try:
        link.request("GET", "/readyz", headers={"Host": host, "X-Forwarded-Proto": scheme})
        answer = link.getresponse()
    except OSError as error:
        print(error)
        return 1
    print(answer.status, answer.read(500).decode(errors="replace"))
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
