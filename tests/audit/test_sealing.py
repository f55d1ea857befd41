"""Seals: nothing that commits late is skipped, and nothing can be changed unnoticed after."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spine.audit import sealing
from spine.audit.actions import erase_personal
from spine.audit.models import Entry, EntryPersonal, Seal
from spine.audit.operations import operation
from spine.audit.personal import reveal
from spine.audit.sealing import seal_pending, unpack_ids
from spine.audit.verification import verify
from spine.people.models import User

pytestmark = pytest.mark.django_db(transaction=True)

RAW = (
    "INSERT INTO audit_entry (at, actor_label, actor_salt, actor_digest, verb, target_type, "
    "target_id, target_label, changes, data, source) SELECT clock_timestamp(), 'raw', salt, "
    "sha256(convert_to(salt::text || 'raw', 'UTF8')), %s, 'x', '1', '', '{}', '{}', 'task' "
    "FROM gen_random_uuid() salt RETURNING id"
)


def touch(user: User, count: int = 1, verb: str = "user.touched", **values: Any) -> list[int]:
    with operation(user, "test") as op:
        for _number in range(count):
            op.record(target=user, verb=verb, **values)
    return list(Entry.objects.of_operation(op.id).values_list("pk", flat=True))


def sealed_ids() -> list[int]:
    return [pk for seal in Seal.objects.order_by("id") for pk in unpack_ids(bytes(seal.ids))]


def test_everything_committed_is_sealed_once(mei: User) -> None:
    first = touch(mei, 3)
    assert [seal.count for seal in seal_pending()] == [3]
    assert seal_pending() == []
    second = touch(mei, 7)
    assert [seal.count for seal in seal_pending(limit=3)] == [3, 3, 1]
    assert sealed_ids() == first + second
    report = verify()
    assert (report.whole, report.entries, report.seals, report.unsealed) == (True, 10, 4, 0)
    touch(mei)
    assert verify().unsealed == 1


def test_a_transaction_that_commits_late_is_sealed_after_it(mei: User) -> None:
    """A takes its transaction id and entry id first, and commits after a seal over B was taken."""
    written, may_commit = threading.Event(), threading.Event()
    late: list[int] = []

    def slow() -> None:
        try:
            with operation(mei, "slow") as op:
                User.objects.filter(pk=mei.pk).update(title="busy")
                with connection.cursor() as cursor:
                    cursor.execute(RAW, ["slow.raw"])
                    late.append(cursor.fetchone()[0])
                op.record(target=mei, verb="user.slow")
                written.set()
                assert may_commit.wait(20)
        finally:
            connections.close_all()

    thread = threading.Thread(target=slow)
    thread.start()
    assert written.wait(20)
    quick = touch(mei)
    assert late[0] < quick[0]
    # B has committed, but an older transaction is open: the order is not final yet.
    assert seal_pending() == []
    assert verify().unsealed == 1
    may_commit.set()
    thread.join(20)
    seals = seal_pending()
    assert sum(seal.count for seal in seals) == 3
    assert sealed_ids()[0] == late[0]
    assert verify().whole


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["write", "commit", "rollback", "seal"]), st.integers(0, 3)),
        min_size=5,
        max_size=40,
    )
)
def test_any_interleaving_seals_every_committed_entry_exactly_once(
    open_connection: Callable[[], Any], steps: list[tuple[str, int]]
) -> None:
    before = set(Entry.objects.values_list("pk", flat=True))
    sessions = [open_connection() for _number in range(4)]
    pending: list[list[int]] = [[] for _session in sessions]
    committed: set[int] = set()
    for step, number in [*steps, *(("commit", number) for number in range(4))]:
        session = sessions[number]
        if step == "write":
            with session.cursor() as cursor:
                cursor.execute(RAW, ["race.step"])
                pending[number].append(cursor.fetchone()[0])
        elif step == "commit":
            session.commit()
            committed.update(pending[number])
            pending[number] = []
        elif step == "rollback":
            session.rollback()
            pending[number] = []
        else:
            seal_pending(limit=2)
    for session in sessions:
        session.close()
    seal_pending(limit=2)
    found = sealed_ids()
    assert len(found) == len(set(found))
    assert set(found) == committed | before
    assert verify().whole


def test_only_one_sealer_works_at_a_time(mei: User, open_connection: Callable[[], Any]) -> None:
    touch(mei)
    other = open_connection()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [sealing._LOCK])
    assert seal_pending() == []
    other.rollback()
    assert len(seal_pending()) == 1


def test_threads_that_write_and_seal_leave_a_whole_chain(mei: User, jonas: User) -> None:
    stop = threading.Event()
    failures: list[Exception] = []

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - told by the main thread
                failures.append(error)
            finally:
                connections.close_all()

        return run

    def write(user: User) -> Callable[[], None]:
        def work() -> None:
            for number in range(25):
                touch(user, 1 + number % 3)

        return work

    def seal() -> None:
        while not stop.is_set():
            seal_pending(limit=7)

    writers = [threading.Thread(target=guarded(write(user))) for user in (mei, jonas, mei)]
    sealers = [threading.Thread(target=guarded(seal)) for _number in range(2)]
    for thread in (*writers, *sealers):
        thread.start()
    for thread in writers:
        thread.join(60)
    stop.set()
    for thread in sealers:
        thread.join(60)
    assert not failures
    seal_pending()
    total = Entry.objects.count()
    assert total == 3 * sum(1 + number % 3 for number in range(25))
    assert sorted(sealed_ids()) == sorted(Entry.objects.values_list("pk", flat=True))
    assert verify().entries == total


# -- what an attacker with the database's password may try


@pytest.fixture
def trail(mei: User) -> list[int]:
    ids = touch(mei, 5, changes={"title": ["a", "b"]}) + touch(mei, 5)
    seal_pending(limit=4)
    assert verify().whole
    return ids


@pytest.mark.parametrize(
    "change",
    [
        "verb = 'user.innocent'",
        "actor_id = actor_id + 1",
        "actor_label = 'Somebody Else'",
        "actor_label = '', actor_salt = NULL",
        "changes = '{}'",
        "data = '{\"a\": 1}'",
        "at = at + interval '1 microsecond'",
        "target_id = '0'",
        "target_label = 'other'",
        "source = 'task'",
        "operation = gen_random_uuid()",
        "xid = xid + 1000000",
        "xid = 1",
    ],
)
def test_an_altered_entry_is_named(trail: list[int], tamper: Any, change: str) -> None:
    tamper(f"UPDATE audit_entry SET {change} WHERE id = %s", trail[4])
    broken = verify().broken
    assert broken is not None
    assert broken.entry == trail[4]
    assert broken.what == ("extra" if change == "xid = 1" else "altered")


@pytest.mark.parametrize("position", [0, 4, 9])
def test_a_deleted_entry_is_named(trail: list[int], tamper: Any, position: int) -> None:
    tamper("DELETE FROM audit_entry WHERE id = %s", trail[position])
    broken = verify().broken
    assert broken is not None
    assert (broken.what, broken.entry, broken.seal) == (
        "missing",
        trail[position],
        position // 4 + 1,
    )


def test_the_first_of_several_is_named(trail: list[int], tamper: Any) -> None:
    tamper("DELETE FROM audit_entry WHERE id = %s", trail[8])
    tamper("UPDATE audit_entry SET verb = 'x' WHERE id = %s", trail[2])
    broken = verify().broken
    assert broken is not None
    assert (broken.what, broken.entry) == ("altered", trail[2])


def test_an_entry_put_into_a_sealed_stretch_is_named(trail: list[int], tamper: Any) -> None:
    xid = Entry.objects.get(pk=trail[0]).xid
    columns = "at, actor_id, actor_label, actor_salt, actor_digest, verb, target_type, target_id, "
    columns += "target_label, changes, data, operation, source"
    tamper(
        f"INSERT INTO audit_entry (id, xid, {columns}) "
        f"SELECT 900001, %s, {columns} FROM audit_entry WHERE id = %s",
        xid,
        trail[0],
    )
    broken = verify().broken
    assert broken is not None
    assert (broken.what, broken.entry) == ("extra", 900001)


def test_an_entry_from_the_future_is_named(trail: list[int], tamper: Any) -> None:
    tamper(
        "INSERT INTO audit_entry (id, xid, at, actor_label, actor_digest, verb, target_type, "
        "target_id, target_label, changes, data, source) VALUES "
        "(900002, 1000000000000, now(), '', '', 'x', 'x', '1', '', '{}', '{}', 'task')"
    )
    broken = verify().broken
    assert broken is not None
    assert (broken.what, broken.entry) == ("future", 900002)


def test_a_changed_or_removed_seal_is_named(trail: list[int], tamper: Any) -> None:
    tamper("UPDATE audit_seal SET digests = set_byte(digests, 3, 7) WHERE id = 2")
    assert verify().broken.seal == 2  # type: ignore[union-attr]
    tamper("DELETE FROM audit_seal WHERE id = 2")
    broken = verify().broken
    assert broken is not None
    assert (broken.what, broken.seal) == ("seal", 2)


def test_a_chain_made_anew_is_told_by_its_anchor(trail: list[int], tamper: Any, mei: User) -> None:
    """Who rewrites entries and seals alike is caught by a head that was noted elsewhere."""
    noted = verify().head
    touch(mei)
    seal_pending()
    assert verify(anchor=noted).whole
    tamper("DELETE FROM audit_seal")
    tamper("UPDATE audit_entry SET verb = 'user.innocent' WHERE id = %s", trail[0])
    seal_pending(limit=4)
    assert verify().whole
    broken = verify(anchor=noted).broken
    assert broken is not None
    assert broken.what == "anchor"


def test_the_command_exits_with_one_and_names_the_link(trail: list[int], tamper: Any) -> None:
    out = io.StringIO()
    call_command("audit", "verify", stdout=out)
    assert "whole: 10 entries under 3 seals" in out.getvalue()
    tamper("UPDATE audit_entry SET verb = 'x' WHERE id = %s", trail[6])
    out = io.StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("audit", "verify", "--json", stdout=out)
    assert stopped.value.code == 1
    report = json.loads(out.getvalue())
    assert report["whole"] is False
    assert (report["broken"]["what"], report["broken"]["entry"]) == ("altered", trail[6])
    with pytest.raises(CommandError, match="no user nobody"):
        call_command("audit", "archive", "--before", "2020-01", "--by", "nobody")


# -- erasure


def test_erasure_keeps_the_chain_whole(mei: User, jonas: User, tamper: Any) -> None:
    with operation(mei, "x") as op:
        op.record(
            target=mei,
            verb="user.updated",
            changes={"email": ["old@x.example", "new@x.example"], "title": ["", "Lead"]},
            data={"phone": "+86 10 1234"},
            personal=("email", "phone"),
        )
    entry = Entry.objects.of_operation(op.id).get()
    for secret in ("old@x.example", "new@x.example", "1234"):
        assert secret not in f"{entry.changes}{entry.data}"
    seal_pending()
    reveal([entry])
    assert entry.changes == {"email": ["old@x.example", "new@x.example"], "title": ["", "Lead"]}
    assert entry.data == {"phone": "+86 10 1234"}

    counts = erase_personal(actor=jonas, person=mei, as_actor=True)
    assert counts == {"values": 3, "names": 1}
    assert not EntryPersonal.objects.exists()
    entry.refresh_from_db()
    assert (entry.actor_label, entry.actor_salt, entry.actor_id) == ("", None, mei.pk)
    reveal([entry])
    assert entry.changes == {"email": [{"erased": True}] * 2, "title": ["", "Lead"]}
    seal_pending()
    report = verify()
    assert (report.whole, report.erased, report.entries) == (True, 1, 2)


def test_a_name_wiped_without_an_erasure_on_record_is_named(trail: list[int], tamper: Any) -> None:
    tamper("UPDATE audit_entry SET actor_label = '', actor_salt = NULL WHERE id = %s", trail[3])
    broken = verify().broken
    assert broken is not None
    assert (broken.what, broken.entry) == ("altered", trail[3])
    assert "no erasure" in broken.detail


def test_a_changed_personal_value_is_named(mei: User, tamper: Any) -> None:
    (pk,) = touch(mei, changes={"email": ["a@x.example", None]}, personal=("email",))
    seal_pending()
    tamper("UPDATE audit_entry_personal SET value = '\"b@x.example\"' WHERE entry_id = %s", pk)
    broken = verify().broken
    assert broken is not None
    assert (broken.what, broken.entry, broken.detail) == ("personal", pk, "changes.email.0")


# -- a dump restored into another cluster


def test_sealing_goes_on_in_a_cluster_with_lower_transaction_ids(
    trail: list[int], tamper: Any, mei: User
) -> None:
    # As if the ids so far had been handed out by a cluster a million transactions ahead: lift
    # what is stored, seal it anew under that cluster's name, and write on with this one's ids.
    tamper("DELETE FROM audit_seal")
    tamper("UPDATE audit_entry SET xid = xid + 1000000")
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION audit_xid_base() RETURNS bigint "
            "LANGUAGE sql IMMUTABLE AS 'SELECT 1000000::bigint'"
        )
    seal_pending()
    assert verify().whole
    last = Seal.objects.get()
    last.cluster = "another"
    last.hash = sealing.link_hash(last)
    tamper("UPDATE audit_seal SET cluster = %s, hash = %s", last.cluster, last.hash)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION audit_xid_base() RETURNS bigint "
            "LANGUAGE sql IMMUTABLE AS 'SELECT 0::bigint'"
        )
    try:
        after = touch(mei, 3)
        assert Entry.objects.get(pk=after[0]).xid < last.upto_xid
        seal_pending()
        more = touch(mei, 2)
        seal_pending()
        assert sealed_ids() == trail + after + more
        report = verify()
        assert (report.whole, report.entries, report.unsealed) == (True, 15, 0)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE OR REPLACE FUNCTION audit_xid_base() RETURNS bigint "
                "LANGUAGE sql IMMUTABLE AS 'SELECT 0::bigint'"
            )
