"""PostgreSQL and Redis from wheels, started on first use and stopped after the last user.

Every process that uses the servers holds a shared `flock` on one file. A small detached process,
the keeper, is the only one that starts, restarts and stops the servers: it blocks on the exclusive
lock of that file, and gets it when the last user is gone, however that user ended. See
docs/adr/0002-embedded-servers.md.

Nothing here imports Django, and `paths()` touches no file, so settings may call it.
"""

from itsm.embedded.client import EmbeddedError, Status, ensure_running, release, status
from itsm.embedded.layout import EmbeddedPaths, paths, postgres_binaries

__all__ = [
    "EmbeddedError",
    "EmbeddedPaths",
    "Status",
    "ensure_running",
    "paths",
    "postgres_binaries",
    "release",
    "status",
]
