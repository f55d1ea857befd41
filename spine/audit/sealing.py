"""Seals: every entry that can no longer be joined by an earlier one goes under a hash.

Order is (transaction id, entry id), not time: a transaction may take its id, work for a minute and
commit after later ones. Below the oldest transaction still running every one has ended, so the
entries there are final; each seal goes on where the one before ended, and nothing slips in between.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from django.db import connection, transaction

from spine.audit.models import Seal
from spine.kit.clock import now

log = logging.getLogger("evenkeel.audit")

GENESIS = "0" * 64
ENTRIES_PER_SEAL = 5000
DIGEST_BYTES = 32
LAST_ID = 2**63 - 1
# One sealer at a time over the whole installation ("evenkeel audit seal", as a number).
_LOCK = 0x65766B_5345414C

# What a seal covers of an entry. Spelled out here and not in a database function: the proof must
# not rest on what it examines. JSON, because no choice of values makes two entries' texts equal.
DIGEST_SQL = """
    sha256(convert_to(jsonb_build_array(
        id, xid, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), actor_id,
        encode(actor_digest, 'hex'), verb, target_type, target_id, target_label, changes, data,
        operation, source)::text, 'UTF8'))
"""


# Below it every transaction of this database has ended. A snapshot lists the running ones of the
# whole cluster; one that is seen to run in another database can write nothing here. What can't be
# told (it has just ended, or may not be seen) counts as ours: the bound is lower, never too high.
_BOUND_SQL = """
    SELECT audit_xid_base() + coalesce(
        (SELECT min(running.xid) FROM (
            SELECT pg_snapshot_xip(pg_current_snapshot())::text::bigint AS xid) running
          WHERE (running.xid & 4294967295) NOT IN (
            SELECT backend_xid::text::bigint FROM pg_stat_activity
             WHERE backend_xid IS NOT NULL
               AND datid <> (SELECT oid FROM pg_database WHERE datname = current_database())
            UNION ALL
            SELECT transaction::text::bigint FROM pg_prepared_xacts
             WHERE database <> current_database())),
        pg_snapshot_xmax(pg_current_snapshot())::text::bigint) AS b
"""


def link_hash(seal: Seal) -> str:
    """The hash of a seal: over the previous hash, its own values and what it covers."""
    head = "|".join(
        str(part)
        for part in (
            seal.previous,
            seal.id,
            seal.at.isoformat(),
            seal.upto_xid,
            seal.upto_id,
            seal.max_id,
            seal.cluster,
            seal.count,
        )
    )
    return sha256(head.encode() + b"|" + bytes(seal.ids) + b"|" + bytes(seal.digests)).hexdigest()


def pack_ids(ids: list[int]) -> bytes:
    return struct.pack(f">{len(ids)}q", *ids)


def unpack_ids(packed: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(packed) // 8}q", packed)


def seal_pending(*, limit: int = ENTRIES_PER_SEAL) -> list[Seal]:
    """Seals everything that is final now, `limit` entries to a seal. Returns the new seals; none
    if there is nothing to seal or another process is at it."""
    seals: list[Seal] = []
    while True:
        with _alone() as mine:
            seal = _seal_next(limit) if mine else None
        if seal is None:
            return seals
        seals.append(seal)
        # The head in the log is a copy that nobody with the database alone can rewrite.
        log.info("audit seal %s:%s over %s entries", seal.id, seal.hash, seal.count)
        if seal.count < limit:
            return seals


@contextmanager
def _alone() -> Iterator[bool]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        yield bool(cursor.fetchone()[0])


def _seal_next(limit: int) -> Seal | None:
    last = Seal.objects.defer("ids", "digests").order_by("-id").first()
    after = (last.upto_xid, last.upto_id) if last else (-1, 0)
    cluster = current_cluster()
    if last is not None and last.cluster != cluster:
        _rebase(last)
    with connection.cursor() as cursor:
        # One statement, so that the bound is the one of the snapshot that reads the entries.
        cursor.execute(
            f"""
            WITH bound AS MATERIALIZED ({_BOUND_SQL})
            SELECT e.xid, e.id, {DIGEST_SQL}, bound.b FROM bound LEFT JOIN LATERAL (
                SELECT * FROM audit_entry
                WHERE (xid, id) > (%s, %s) AND xid < bound.b ORDER BY xid, id LIMIT %s
            ) e ON true ORDER BY e.xid, e.id
            """,  # noqa: S608 - the expression above
            [*after, limit],
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    if rows[0][1] is None:
        return None
    # A full seal ends at its last entry; else it reaches to the bound itself, so that an entry
    # forged into the space behind the last one shows as extra.
    full = len(rows) == limit
    ids = [row[1] for row in rows]
    seal = Seal(
        id=(last.id if last else 0) + 1,
        at=now(),
        upto_xid=rows[-1][0] if full else rows[0][3] - 1,
        upto_id=rows[-1][1] if full else LAST_ID,
        max_id=max(*ids, last.max_id if last else 0),
        cluster=cluster,
        count=len(rows),
        ids=pack_ids(ids),
        digests=b"".join(bytes(row[2]) for row in rows),
        previous=last.hash if last else GENESIS,
    )
    seal.hash = link_hash(seal)
    seal.save(force_insert=True)
    return seal


def current_cluster() -> str:
    """The identity of the database cluster, as `initdb` gave it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier::text FROM pg_control_system()")
        return str(cursor.fetchone()[0])


def _rebase(last: Seal) -> None:
    """The database was restored into another cluster, whose transaction ids may be lower."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_rebase(%s, %s)", [last.max_id, last.upto_xid])
        log.warning("audit: the database moved to another cluster; transaction ids go on higher")
