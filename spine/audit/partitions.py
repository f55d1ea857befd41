"""The trail's months: made ahead, listed, and detached once they are sealed and old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db import connection

from spine.audit.models import Archive, Seal
from spine.kit.clock import now

MONTHS_AHEAD = 3
# A month is detached under an exclusive lock: wait for it briefly, never hold up the writers.
LOCK_TIMEOUT = "3s"


@dataclass(frozen=True, slots=True)
class Partition:
    """table holds the entries with first <= at < last (UTC)."""

    table: str
    first: datetime
    last: datetime


def month_after(day: date, months: int = 1) -> date:
    """The first day of the month so many months later."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def make_ahead(months: int = MONTHS_AHEAD) -> list[date]:
    """Makes this month's partition and the next ones. Returns the months that were made."""
    today = now().date()
    made = []
    with connection.cursor() as cursor:
        for offset in range(months + 1):
            month = month_after(today, offset)
            cursor.execute("SELECT audit_make_partition(%s)", [month])
            if cursor.fetchone()[0]:
                made.append(month)
    return made


def partitions() -> list[Partition]:
    """The attached months, oldest first, without the default partition."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT name, bounds[1]::timestamptz, bounds[2]::timestamptz FROM (
                SELECT c.relname AS name, regexp_match(
                    pg_get_expr(c.relpartbound, c.oid), %s) AS bounds
                FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'audit_entry'::regclass
            ) p WHERE bounds IS NOT NULL ORDER BY 2
            """,
            [r"FROM \('(.+)'\) TO \('(.+)'\)$"],
        )
        return [
            Partition(table, first.astimezone(UTC), last.astimezone(UTC))
            for table, first, last in cursor.fetchall()
        ]


def unsealed_in(table: str) -> int:
    """How many entries of a partition no seal covers yet."""
    last = Seal.objects.defer("ids", "digests").order_by("-id").first()
    name = connection.ops.quote_name(table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {name} WHERE (xid, id) > (%s, %s)",  # noqa: S608 - quoted
            [last.upto_xid, last.upto_id] if last else [-1, 0],
        )
        return int(cursor.fetchone()[0])


def in_default() -> int:
    """Entries whose month had no partition when they came (at most 1000 are counted)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM (SELECT 1 FROM audit_entry_default LIMIT 1000) e")
        return int(cursor.fetchone()[0])


def detach(partition: Partition) -> Archive:
    """Takes a month out of the trail; the table stays, guarded, for a dump. In a transaction."""
    name = connection.ops.quote_name(partition.table)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
        cursor.execute(f"ALTER TABLE audit_entry DETACH PARTITION {name}")
        # Detaching removes the triggers that came from the parent.
        cursor.execute(
            f"CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE ON {name} "
            "FOR EACH ROW EXECUTE FUNCTION audit_refuse('entry')"
        )
        cursor.execute(
            f"""
            SELECT lower(run), upper(run) - 1 FROM (
                SELECT unnest(range_agg(int8range(id, id, '[]'))) AS run FROM {name}
            ) r ORDER BY 1
            """  # noqa: S608 - quoted
        )
        runs = [[first, last] for first, last in cursor.fetchall()]
    return Archive.objects.create(
        table=partition.table,
        month=partition.first.date(),
        count=sum(last - first + 1 for first, last in runs),
        runs=runs,
    )
