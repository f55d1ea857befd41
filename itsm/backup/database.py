"""The database's half: dump, and restore in one transaction, by PostgreSQL's own programs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from itsm.embedded import postgres_binaries


class BackupError(Exception):
    """One line for a person."""


# Everything of the old schema goes and the new one comes in one transaction: whoever looks sees
# one or the other, and a failure leaves what was there.
CLEARED = b"begin;\ndrop schema public cascade;\ncreate schema public;\n"


@dataclass(frozen=True, slots=True)
class Database:
    """Where the database is; `host` may be a folder with a socket."""

    name: str
    user: str = ""
    password: str = field(default="", repr=False)
    host: str = ""
    port: str = ""
    sslmode: str = ""

    @classmethod
    def of(cls, settings: dict[str, Any]) -> Database:
        """From an entry of Django's DATABASES."""
        options = settings.get("OPTIONS", {})
        names = ("NAME", "USER", "PASSWORD", "HOST", "PORT")
        values = {name.lower(): str(settings.get(name) or "") for name in names}
        return cls(**values, sslmode=str(options.get("sslmode", "")))

    def dump(self, target: Path) -> None:
        self._run(["pg_dump", "-Fc", "--no-owner", "--no-privileges", "-f", str(target)])

    def is_empty(self) -> bool:
        return self._ask("select count(*) from pg_tables where schemaname = 'public'") == "0"

    def other_sessions(self) -> int:
        """Clients connected to this database beside the asking one."""
        return int(
            self._ask(
                "select count(*) from pg_stat_activity where datname = current_database() "
                "and backend_type = 'client backend' and pid <> pg_backend_pid()"
            )
        )

    def replace_with(self, dump: Path) -> None:
        """Swap the whole content for that of a dump; on any error nothing has changed."""
        restore = [_program("pg_restore"), "--no-owner", "--no-privileges", "-f", "-", str(dump)]
        apply = [_program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", os.devnull]
        with tempfile.TemporaryFile() as unreadable, tempfile.TemporaryFile() as refused:
            script = subprocess.Popen(restore, stdout=subprocess.PIPE, stderr=unreadable)
            psql = subprocess.Popen(
                apply, stdin=subprocess.PIPE, stderr=refused, env=self._environment()
            )
            assert script.stdout is not None
            assert psql.stdin is not None
            # psql ends at its first error: the pipe breaks, and its own words tell why.
            with contextlib.suppress(BrokenPipeError), psql.stdin as sql:
                sql.write(CLEARED)
                shutil.copyfileobj(script.stdout, sql)
                # A dump that breaks off must not be committed: without this line it rolls back.
                if script.wait() == 0:
                    sql.write(b"\ncommit;\n")
            script.stdout.close()
            if psql.wait():
                raise BackupError(f"The restore was undone: {_last_words(refused)}")
            if script.wait():
                raise BackupError(f"The dump can't be read: {_last_words(unreadable)}")

    def _ask(self, sql: str) -> str:
        return self._run(["psql", "-X", "-Atc", sql]).strip()

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            [_program(command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=self._environment(),
            check=False,
        )
        if done.returncode:
            raise BackupError(f"{command[0]}: {_last_line(done.stderr)}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        # In variables, not in arguments: the password must not show in the list of processes.
        named = {
            "PGDATABASE": self.name,
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGHOST": self.host,
            "PGPORT": self.port,
            "PGSSLMODE": self.sslmode,
        }
        return {**os.environ, **{k: v for k, v in named.items() if v}, "PGCLIENTENCODING": "UTF8"}


def _program(name: str) -> str:
    return str(postgres_binaries() / name)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def _last_words(stream: IO[bytes]) -> str:
    stream.seek(0)
    return _last_line(stream.read().decode(errors="replace"))
