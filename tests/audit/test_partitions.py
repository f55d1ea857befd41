"""Months: made ahead, mended after a pause, detached once sealed; the proof goes on."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import Error, connection, transaction

from spine.audit import tasks
from spine.audit.actions import archive
from spine.audit.models import Archive, Entry
from spine.audit.operations import operation
from spine.audit.partitions import in_default, make_ahead, month_after, partitions
from spine.audit.sealing import seal_pending
from spine.audit.verification import verify
from spine.kit.errors import Conflict, DomainError
from spine.people.models import User
from tests.audit.contract import assert_audited

pytestmark = pytest.mark.django_db(transaction=True)


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture(autouse=True)
def _months_as_before(db: None) -> Iterator[None]:
    """These tests change the schema, which no flush puts back."""
    before = {partition.table for partition in partitions()}
    yield
    for partition in partitions():
        if partition.table not in before:
            sql(f"DROP TABLE {partition.table}")
    for row in Archive.objects.all():
        sql(f"DROP TABLE IF EXISTS {row.table}")


def touch_at(user: User, moment: datetime, count: int = 1) -> list[int]:
    with time_machine.travel(moment, tick=False), operation(user, "test") as op:
        for _number in range(count):
            op.record(target=user, verb="user.touched")
    return list(Entry.objects.of_operation(op.id).values_list("pk", flat=True))


def table_of(pk: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM audit_entry WHERE id = %s", [pk])
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 11, 23), 1, date(2026, 12, 1)),
        (date(2026, 12, 31), 1, date(2027, 1, 1)),
        (date(2026, 1, 31), 0, date(2026, 1, 1)),
        (date(2026, 1, 1), -1, date(2025, 12, 1)),
    ],
)
def test_month_after(day: date, months: int, expected: date) -> None:
    assert month_after(day, months) == expected


def test_the_task_makes_this_month_and_three_more(mei: User) -> None:
    with time_machine.travel(datetime(2031, 11, 15, tzinfo=UTC), tick=False):
        made = tasks.make_partitions()
        assert made == ["2031-11-01", "2031-12-01", "2032-01-01", "2032-02-01"]
        assert tasks.make_partitions() == []
    edge = datetime(2031, 12, 1, tzinfo=UTC)
    (before,) = touch_at(mei, edge - timedelta(microseconds=1))
    (after,) = touch_at(mei, edge)
    assert table_of(before) == "audit_entry_y2031m11"
    assert table_of(after) == "audit_entry_y2031m12"


@pytest.mark.parametrize("statement", ["UPDATE {} SET verb = 'x'", "DELETE FROM {}"])
def test_a_new_month_is_guarded(mei: User, statement: str) -> None:
    with time_machine.travel(datetime(2031, 11, 15, tzinfo=UTC), tick=False):
        make_ahead(0)
    (pk,) = touch_at(mei, datetime(2031, 11, 16, tzinfo=UTC))
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        sql(statement.format(table_of(pk)))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'audit_entry_y2031m11'::regclass "
            "AND tgname = 'audit_entry_no_truncate'"
        )
        assert cursor.fetchone()[0] == 1


def test_months_that_were_missed_become_a_partition_of_their_own(mei: User) -> None:
    """Beat was away for a while: entries went to the default partition."""
    missed = touch_at(mei, datetime(2033, 3, 30, tzinfo=UTC)) + touch_at(
        mei, datetime(2033, 4, 2, tzinfo=UTC)
    )
    seal_pending()
    assert in_default() == 2
    with time_machine.travel(datetime(2033, 4, 3, tzinfo=UTC), tick=False):
        make_ahead(1)
    assert in_default() == 0
    assert {table_of(pk) for pk in missed} == {"audit_entry_y2033m03_2033m04"}
    (new,) = touch_at(mei, datetime(2033, 5, 1, tzinfo=UTC))
    assert table_of(new) == "audit_entry_y2033m05"
    assert verify().whole
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        sql("DELETE FROM audit_entry_y2033m03_2033m04")


def test_archiving_detaches_sealed_months_and_the_proof_goes_on(mei: User, tamper: Any) -> None:
    with time_machine.travel(datetime(2021, 1, 10, tzinfo=UTC), tick=False):
        make_ahead(1)
    old = touch_at(mei, datetime(2021, 1, 10, tzinfo=UTC), 3)
    kept = touch_at(mei, datetime(2021, 2, 10, tzinfo=UTC), 2)
    (row,) = archive(actor=mei, before=date(2021, 2, 20))
    assert (row.table, row.count, row.month) == ("audit_entry_y2021m01", 3, date(2021, 1, 1))
    assert_audited(row, "audit.archived", actor=mei, data={"count": 3})
    assert not Entry.objects.filter(pk__in=old).exists()
    assert Entry.objects.filter(pk__in=kept).count() == 2
    # The table is still there: read, and still guarded.
    assert verify().entries == 5
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        sql(f"DELETE FROM {row.table}")
    tamper(f"UPDATE {row.table} SET verb = 'x' WHERE id = %s", old[1])
    broken = verify().broken
    assert broken is not None
    assert (broken.what, broken.entry) == ("altered", old[1])
    # Dumped and dropped: known to be archived. A kept entry that vanishes is still missing.
    sql(f"DROP TABLE {row.table}")
    report = verify()
    assert (report.whole, report.archived, report.entries) == (True, 3, 2)
    tamper("DELETE FROM audit_entry WHERE id = %s", kept[0])
    broken = verify().broken
    assert broken is not None
    assert (broken.what, broken.entry) == ("missing", kept[0])


def test_archiving_by_command_names_who(mei: User) -> None:
    with time_machine.travel(datetime(2021, 1, 10, tzinfo=UTC), tick=False):
        make_ahead(0)
    touch_at(mei, datetime(2021, 1, 10, tzinfo=UTC))
    out = io.StringIO()
    call_command("audit", "archive", "--before", "2021-02", "--by", "mei", stdout=out)
    assert "audit_entry_y2021m01: 1 entries" in out.getvalue()
    assert_audited(Archive.objects.get(), "audit.archived", actor=mei, source="shell")


def test_what_is_not_sealed_or_not_past_stays(mei: User, open_connection: Any) -> None:
    with pytest.raises(DomainError, match="past months"):
        archive(actor=mei, before=date(2199, 1, 1))
    with time_machine.travel(datetime(2021, 1, 10, tzinfo=UTC), tick=False):
        make_ahead(0)
    session = open_connection()
    with session.cursor() as cursor:
        # Somebody is at work: what comes after cannot be sealed yet.
        cursor.execute("SELECT pg_current_xact_id()")
    touch_at(mei, datetime(2021, 1, 10, tzinfo=UTC))
    with pytest.raises(Conflict, match="not sealed"):
        archive(actor=mei, before=date(2021, 2, 1))
    assert Entry.objects.count() == 1
    session.rollback()
    assert len(archive(actor=mei, before=date(2021, 2, 1))) == 1
