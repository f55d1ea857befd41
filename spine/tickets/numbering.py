"""Numbers from one PostgreSQL sequence per kind: a gap is fine, a lock is not."""

from __future__ import annotations

from django.db import connection, migrations

FIRST = 10_001
DIGITS = 7


def sequence_name(prefix: str) -> str:
    return f"ticket_number_{prefix.lower()}"


def format_number(prefix: str, value: int) -> str:
    """INC0010001: the prefix and seven digits, more where seven do not suffice."""
    return f"{prefix}{value:0{DIGITS}d}"


def next_number(prefix: str) -> str:
    return next_numbers(prefix, 1)[0]


def next_numbers(prefix: str, count: int) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select nextval(%s::regclass) from generate_series(1, %s)",
            [sequence_name(prefix), count],
        )
        return [format_number(prefix, row[0]) for row in cursor.fetchall()]


def create_sequence(prefix: str) -> migrations.RunSQL:
    """For the kind's first migration."""
    name = sequence_name(prefix)
    return migrations.RunSQL(
        f"create sequence if not exists {name} start with {FIRST} cache 1",
        f"drop sequence if exists {name}",
    )
