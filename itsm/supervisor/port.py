"""Is the port free, and if not, who has it?"""

from __future__ import annotations

import contextlib
import errno
import socket

import psutil


def obstacle(host: str, port: int) -> str:
    """Empty when `host:port` can be bound, else one line with the reason and the way out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            return f"Port {port} needs more rights: choose one above 1023 with ITSM_PORT=8001."
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return f"{host}:{port} can't be used: {error.strerror}."
        else:
            return ""
    other = port + 1 if port < 65535 else 8001
    return f"Port {port} is in use{_by(port)}: stop it or choose another one, ITSM_PORT={other}."


def _by(port: int) -> str:
    # Another user's processes can't be named without root; the line is still of use.
    with contextlib.suppress(psutil.Error, PermissionError):
        for link in psutil.net_connections(kind="tcp"):
            listens = link.status == psutil.CONN_LISTEN and link.laddr and link.laddr[1] == port
            if listens and link.pid:
                with contextlib.suppress(psutil.Error):
                    return f" by {psutil.Process(link.pid).name()} (process {link.pid})"
    return ""
