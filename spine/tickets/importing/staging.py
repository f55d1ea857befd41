"""Rows on their way in, put in order by ticket where memory can't hold them: temporary tables.

Rows of one ticket need not be adjacent nor in order. They are copied into a temporary table (it
needs no right to define tables and goes with the connection, also after a kill), then read back a
page at a time in the order of their keys, which the next run repeats exactly.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path

from django.db import connection
from django.utils.translation import gettext as _

from spine.tickets.importing.copying import copy_rows
from spine.tickets.importing.folding import MAX_EVENTS, Reject, Staged
from spine.tickets.importing.mapping import Mapping
from spine.tickets.importing.source import Row, Unreadable

ROWS_PER_COPY = 5_000
# More than one ticket may have rows, so that a page always holds whole tickets.
ROWS_PER_PAGE = MAX_EVENTS + 1_000
KEY_LIMIT = 200
_encode = json.JSONEncoder(ensure_ascii=False).encode


class Staging:
    """The rows and the rejects of one run, on this connection."""

    def __init__(self) -> None:
        self.rows = 0

    def __enter__(self) -> Staging:
        self.drop()
        with connection.cursor() as cursor:
            cursor.execute(
                "create temp table import_rows "
                '(line bigint not null, key text collate "C" not null, digest text not null, '
                "data text not null);"
                "create temp table import_rejects "
                "(id bigint generated always as identity, line bigint not null, "
                "key text not null, col text not null, code text not null, "
                "reason text not null, raw text not null);"
                "create index on import_rejects (line, id)"
            )
        return self

    def __exit__(self, *_error: object) -> None:
        if not connection.needs_rollback:
            self.drop()

    def drop(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("drop table if exists pg_temp.import_rows, pg_temp.import_rejects")

    def fill(
        self,
        mapping: Mapping,
        columns: list[str],
        rows: Iterable[Row | Unreadable],
        on_rows: Callable[[int], None],
    ) -> None:
        """Stages every row; what is no row, or has no key, goes to the rejects."""
        places = [columns.index(name) for name in mapping.columns]
        good: list[tuple[int, str, str, str]] = []
        bad: list[Reject] = []
        for row in rows:
            staged = _prepared(mapping, places, row)
            if isinstance(staged, Reject):
                bad.append(staged)
            else:
                good.append(staged)
            if len(good) + len(bad) >= ROWS_PER_COPY:
                self._copy(good, bad)
                on_rows(len(good) + len(bad))
                good, bad = [], []
        self._copy(good, bad)
        on_rows(len(good) + len(bad))
        with connection.cursor() as cursor:
            cursor.execute("create index on import_rows (key, line)")
            cursor.execute("analyze import_rows")

    def _copy(self, good: list[tuple[int, str, str, str]], bad: list[Reject]) -> None:
        copy_rows("import_rows", ("line", "key", "digest", "data"), good)
        self.rows += len(good)
        self.reject(bad)

    def reject(self, rejects: Iterable[Reject]) -> None:
        copy_rows(
            "import_rejects",
            ("line", "key", "col", "code", "reason", "raw"),
            (
                (item.line, item.key, item.column, item.code, item.reason, item.raw)
                for item in rejects
            ),
        )

    def rejected(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from import_rejects")
            return int(cursor.fetchone()[0])

    def pages(self) -> Iterator[list[tuple[str, list[Staged]]]]:
        """Whole tickets in the order of their keys, some thousand rows at a time."""
        last = ""
        while page := self._page(last):
            last = page[-1][0]
            yield page

    def _page(self, last: str) -> list[tuple[str, list[Staged]]]:
        with connection.cursor() as cursor:
            cursor.execute(
                "select key, line, digest, data from import_rows where key > %s "
                "order by key, line limit %s",
                [last, ROWS_PER_PAGE],
            )
            found = cursor.fetchall()
        groups = [
            (key, [Staged(line, digest, json.loads(data)) for _k, line, digest, data in rows])
            for key, rows in groupby(found, key=lambda row: row[0])
        ]
        if len(found) == ROWS_PER_PAGE and len(groups) > 1:
            # The last ticket may go on behind the page.
            groups.pop()
        return groups

    def refuse_overlong(self, key: str) -> int:
        """A ticket with more rows than a page holds: all of them rejected, without reading them."""
        reason = _("The ticket has more than %(count)d events.") % {"count": MAX_EVENTS}
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into import_rejects (line, key, col, code, reason, raw) "
                "select line, key, '', 'too_many', %s, '' from import_rows "
                "where key = %s",
                [reason, key],
            )
            return int(cursor.rowcount)

    def write_rejects(self, path: Path) -> None:
        """line, key, column, code, reason, row: in the order of the file."""
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("line", "key", "column", "code", "reason", "row"))
            last = (-1, 0)
            while chunk := self._rejects_after(last):
                writer.writerows(chunk_row[:6] for chunk_row in chunk)
                last = (chunk[-1][0], chunk[-1][6])

    def first_rejects(self, count: int) -> list[tuple[int, str]]:
        """(line, reason) of the first ones, for the screen."""
        with connection.cursor() as cursor:
            cursor.execute(
                "select line, reason from import_rejects order by line limit %s", [count]
            )
            return [(row[0], row[1]) for row in cursor.fetchall()]

    @staticmethod
    def _rejects_after(last: tuple[int, int]) -> list[tuple[int, str, str, str, str, str, int]]:
        with connection.cursor() as cursor:
            cursor.execute(
                "select line, key, col, code, reason, raw, id from import_rejects "
                "where (line, id) > (%s, %s) order by line, id limit %s",
                [*last, ROWS_PER_COPY],
            )
            return list(cursor.fetchall())


def _prepared(
    mapping: Mapping, places: list[int], row: Row | Unreadable
) -> tuple[int, str, str, str] | Reject:
    if isinstance(row, Unreadable):
        return Reject(row.line, "", "", row.code, row.reason, row.raw)
    values = row.values
    # A unit separator between the cells, another control character for "no value".
    everything = "\x1f".join(["\x1e" if value is None else value for value in values])
    key = (values[places[0]] or "").strip()
    if key in mapping.nulls:
        return _no_key(mapping, row.line, _("The row has no “%s”.") % mapping.key, everything)
    if len(key) > KEY_LIMIT or "\x00" in everything:
        reason = (
            _("The row holds a NUL character.")
            if "\x00" in everything
            else _("“%(column)s” has more than %(limit)d characters.")
            % {"column": mapping.key, "limit": KEY_LIMIT}
        )
        return _no_key(mapping, row.line, reason, everything.replace("\x00", "�"))
    digest = hashlib.blake2b(everything.encode(), digest_size=16).hexdigest()
    return row.line, key, digest, _encode([values[i] for i in places])


def _no_key(mapping: Mapping, line: int, reason: str, raw: str) -> Reject:
    return Reject(line, "", mapping.key, "bad_key", reason, raw[:2_000].replace("\x1f", ","))
