"""Rows into a table with COPY, PostgreSQL's own fast lane."""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

_encode = json.JSONEncoder(ensure_ascii=False).encode
ROWS_PER_CHUNK = 5_000
_SPECIAL = re.compile(r"[\\\t\n\r\x00]")
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x00": ""})


def copy_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Appends the rows in the present transaction; returns how many.

    Values: None, text, numbers, booleans, moments, UUIDs; lists and mappings become JSON.
    """
    names = ", ".join(f'"{column}"' for column in columns)
    statement = f'copy "{table}" ({names}) from stdin'
    count = 0
    iterator = iter(rows)
    with connection.cursor() as cursor:
        while chunk := list(islice(iterator, ROWS_PER_CHUNK)):
            text = "".join(_line(row) for row in chunk)
            _raw(cursor).copy_expert(statement, io.StringIO(text))
            count += len(chunk)
    return count


def reserve_ids(table: str, count: int) -> Iterator[int]:
    """Values of the table's id sequence, taken at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select nextval(pg_get_serial_sequence(%s, 'id')) from generate_series(1, %s)",
            [table, count],
        )
        return iter([row[0] for row in cursor.fetchall()])


def _raw(cursor: CursorWrapper) -> Any:
    return cursor.cursor


def _line(row: Sequence[Any]) -> str:
    return "\t".join([_SPELLED.get(type(value), _spell_other)(value) for value in row]) + "\n"


def _spell_text(value: str) -> str:
    return value.translate(_ESCAPES) if _SPECIAL.search(value) else value


def _spell_other(value: Any) -> str:
    """Subclasses (choices are texts or numbers), and what becomes JSON."""
    if isinstance(value, str):
        return _spell_text(str(value))
    if isinstance(value, int | float):
        return str(int(value)) if isinstance(value, int) else str(value)
    text = _encode(value)
    return text.translate(_ESCAPES) if "\\" in text else text


_SPELLED: dict[type, Callable[[Any], str]] = {
    type(None): lambda _value: "\\N",
    str: _spell_text,
    bool: lambda value: "t" if value else "f",
    int: str,
    float: str,
    uuid.UUID: str,
    datetime: datetime.isoformat,
    date: date.isoformat,
    bytes: lambda value: "\\\\x" + value.hex(),
}
