"""The databases of the benchmarks: one per size, kept between runs, keyed by the schema.

Without DATABASE_URL they live on an embedded PostgreSQL of their own (`.data-bench`, fsync on, as
users have it); never in the demo's data. A run works on a clone, so that what it writes is gone
afterwards and the next run measures the same.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "evenkeel_bench"


def environment(database: str = "postgres") -> dict[str, str]:
    """For every process of a run: the platform on this database, no rate limit in the way."""
    found = {
        **os.environ,
        "ITSM_DEMO": "1",
        # A server of one's own takes neither the demo's secret nor any host.
        "SECRET_KEY": "for-benchmarks-alone",
        "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
        "ITSM_API_RATE_LIMIT": "100000000",
        "ITSM_REDIS_PREFIX": "evenkeel-bench",
        "DJANGO_SETTINGS_MODULE": "itsm.settings",
        "PYTHONPATH": str(ROOT),
    }
    found.setdefault("ITSM_DATA_DIR", str(ROOT / ".data-bench"))
    if given := os.environ.get("DATABASE_URL"):
        found["DATABASE_URL"] = urlunsplit(urlsplit(given)._replace(path=f"/{database}"))
    else:
        found["ITSM_DATABASE_NAME"] = database
    return found


def fingerprint() -> str:
    """Of all that shapes the data: the migrations and the generator."""
    digest = hashlib.sha256()
    files = [path for path in ROOT.glob("**/migrations/*.py") if ".venv" not in path.parts]
    for path in sorted([*files, ROOT / "benchmarks" / "generate.py"]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


def base_name(tickets: int) -> str:
    return f"{PREFIX}_{tickets}_{fingerprint()}"


def connect(database: str = "postgres") -> Any:
    """A plain connection in autocommit mode; starts the embedded server if it is not up."""
    if given := os.environ.get("DATABASE_URL"):
        link = psycopg2.connect(urlunsplit(urlsplit(given)._replace(path=f"/{database}")))
    else:
        from itsm import embedded

        where = embedded.paths(Path(environment()["ITSM_DATA_DIR"]))
        embedded.ensure_running(where.data_dir)
        link = psycopg2.connect(
            host=str(where.postgres_socket_dir), user="evenkeel", dbname=database
        )
    link.autocommit = True
    return link


def admin(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(connect()) as link, link.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall()) if cursor.description else []


def exists(name: str) -> bool:
    return bool(admin("SELECT 1 FROM pg_database WHERE datname = %s", name))


def drop(name: str) -> None:
    admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def base(tickets: int, *, fresh: bool = False) -> str:
    """The name of the filled database of this size, made if it is not there yet. Those of an
    older schema go."""
    name = base_name(tickets)
    for (old,) in admin(
        "SELECT datname FROM pg_database WHERE datname LIKE %s", f"{PREFIX}_{tickets}_%"
    ):
        if old != name or fresh:
            drop(old)
    if not exists(name):
        began = time.monotonic()
        print(f"{tickets:,} tickets: generating ...", file=sys.stderr, flush=True)
        making = f"{name}_new"
        admin(f'CREATE DATABASE "{making}"')
        child("manage.py", "migrate", "--verbosity", "0", database=making)
        child("-m", "benchmarks.generate", "--tickets", str(tickets), database=making)
        with closing(connect(making)) as link, link.cursor() as cursor:
            # Hint bits and the visibility map, as a database has them that lives for a while.
            cursor.execute("VACUUM (ANALYZE, FREEZE)")
        admin(f'ALTER DATABASE "{making}" RENAME TO "{name}"')
        print(f"  done in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return name


def clone(name: str) -> str:
    """A copy to work on."""
    copy = f"{name}_work"
    drop(copy)
    admin(f'CREATE DATABASE "{copy}" TEMPLATE "{name}" STRATEGY FILE_COPY')
    return copy


def child(*arguments: str, database: str, more: Mapping[str, str] | None = None) -> None:
    """Runs Python with these arguments on the database; RuntimeError if it fails."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**environment(database), **(more or {})},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}")


def facts() -> dict[str, Any]:
    """What the server is, for the record."""
    names = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
    found = {name: admin(f"SHOW {name}")[0][0] for name in names}
    return {**found, "embedded": not os.environ.get("DATABASE_URL")}
