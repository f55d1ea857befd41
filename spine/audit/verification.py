"""Proves the trail against its seals, and names the first thing that does not fit.

Reads seals and entries side by side in sealing order from server-side cursors in one snapshot:
memory stays constant, whatever the trail's length.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from spine.audit.models import Archive, Seal
from spine.audit.sealing import (
    DIGEST_BYTES,
    DIGEST_SQL,
    GENESIS,
    current_cluster,
    link_hash,
    unpack_ids,
)

ERASED_VERB = "audit.personal_erased"
_FETCH = 2000


@dataclass(slots=True)
class Break:
    """The first broken link. what: "missing" (sealed, but not there), "altered" (not as it was
    sealed), "extra" (came into a sealed stretch later), "seal" (the chain of seals itself),
    "anchor" (the seal noted elsewhere is not in this chain), "personal" (a value kept beside an
    entry is not the one that was digested), "future" (a transaction id that was never handed
    out)."""

    what: str
    seal: int | None = None
    entry: int | None = None
    detail: str = ""


@dataclass(slots=True)
class Report:
    """What `audit verify` found; `head` is "<seal>:<hash>", to be noted outside this database."""

    seals: int = 0
    entries: int = 0
    archived: int = 0
    unsealed: int = 0
    erased: int = 0
    head: str = ""
    broken: Break | None = None

    @property
    def whole(self) -> bool:
        return self.broken is None

    def as_dict(self) -> dict[str, Any]:
        return {"whole": self.whole, **asdict(self)}


@dataclass(slots=True)
class _Row:
    xid: int
    id: int
    digest: bytes
    name_ok: bool
    erased_actor: int | None

    @property
    def place(self) -> tuple[int, int]:
        return (self.xid, self.id)


class _Broken(Exception):
    def __init__(self, found: Break) -> None:
        super().__init__(found.what)
        self.found = found


@dataclass(slots=True)
class _Archived:
    """Ids whose month was taken away whole, as (first, last) runs."""

    runs: list[tuple[int, int]] = field(default_factory=list)

    def add(self, runs: list[tuple[int, int]]) -> None:
        self.runs = sorted(self.runs + runs)

    def holds(self, pk: int) -> bool:
        at = bisect_right(self.runs, (pk, sys.maxsize)) - 1
        return at >= 0 and pk <= self.runs[at][1]


def verify(*, anchor: str = "") -> Report:
    """Recomputes every digest and every link.

    anchor: "<seal>:<hash>" as an earlier run printed it; the chain must still hold it.
    """
    report = Report()
    with _snapshot():
        try:
            _Verifier(report, anchor).run()
        except _Broken as broken:
            report.broken = broken.found
    return report


@contextmanager
def _snapshot() -> Iterator[None]:
    # Inside another transaction (a test, an action) that one's isolation has to do.
    first = not connection.in_atomic_block
    with transaction.atomic():
        if first:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


class _Verifier:
    def __init__(self, report: Report, anchor: str) -> None:
        self.report = report
        self.anchor = anchor
        tables = set(connection.introspection.table_names())
        self.attached: list[str] = []
        self.gone = _Archived()
        for archive in Archive.objects.order_by("month"):
            if archive.table in tables:
                self.attached.append(archive.table)
            else:
                self.gone.add(archive.runs_of_ids())

    def run(self) -> None:
        self.erased_people = self._erased_people()
        rows = self._entries()
        row = next(rows, None)
        previous, number, upto, cluster = GENESIS, 0, (-1, 0), ""
        anchor_id, _colon, anchor_hash = self.anchor.partition(":")
        anchored = not self.anchor
        for seal in Seal.objects.order_by("id").iterator(chunk_size=20):
            self._check_link(seal, previous, number, upto)
            anchored = anchored or (anchor_id == str(seal.pk) and anchor_hash == seal.hash)
            row = self._check_entries(seal, rows, row)
            previous, number, upto = seal.hash, seal.pk, (seal.upto_xid, seal.upto_id)
            cluster = seal.cluster
            self.report.seals += 1
            self.report.head = f"{seal.pk}:{seal.hash}"
        if not anchored:
            raise _Broken(Break("anchor", detail=_("The noted seal is not in this chain.")))
        last_xid = self._last_xid(cluster)
        while row is not None:
            if last_xid is not None and row.xid > last_xid:
                raise _Broken(Break("future", entry=row.id))
            self._check_name(None, row)
            self.report.unsealed += 1
            row = next(rows, None)
        self._check_personal()

    def _check_link(self, seal: Seal, previous: str, number: int, upto: tuple[int, int]) -> None:
        if seal.pk != number + 1:
            raise _Broken(Break("seal", seal=number + 1, detail=_("This seal is missing.")))
        if seal.previous != previous:
            detail = _("It does not follow the seal before it.")
            raise _Broken(Break("seal", seal=seal.pk, detail=detail))
        sizes = (len(bytes(seal.ids)) // 8, len(bytes(seal.digests)) // DIGEST_BYTES)
        if seal.hash != link_hash(seal) or sizes != (seal.count, seal.count):
            detail = _("Its values do not give its hash.")
            raise _Broken(Break("seal", seal=seal.pk, detail=detail))
        if (seal.upto_xid, seal.upto_id) <= upto:
            raise _Broken(Break("seal", seal=seal.pk, detail=_("It covers nothing new.")))

    def _check_entries(self, seal: Seal, rows: Iterator[_Row], row: _Row | None) -> _Row | None:
        """Merges what the seal lists with what is there; returns the first row after it."""
        digests = bytes(seal.digests)
        end = (seal.upto_xid, seal.upto_id)
        # Both sides are in sealing order; an id that is passed over is told apart by membership.
        listed = unpack_ids(bytes(seal.ids))
        known: frozenset[int] | None = None
        for index, pk in enumerate(listed):
            digest = digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]
            if row is not None and row.id == pk and row.place <= end:
                if row.digest != digest:
                    raise _Broken(Break("altered", seal=seal.pk, entry=pk))
                self._check_name(seal, row)
                self.report.entries += 1
                row = next(rows, None)
                continue
            if self.gone.holds(pk):
                self.report.archived += 1
                continue
            known = known if known is not None else frozenset(listed)
            if row is not None and row.place <= end and row.id not in known:
                raise _Broken(Break("extra", seal=seal.pk, entry=row.id))
            raise _Broken(self._lost(seal, pk))
        if row is not None and row.place <= end:
            raise _Broken(Break("extra", seal=seal.pk, entry=row.id))
        return row

    def _lost(self, seal: Seal, pk: int) -> Break:
        """A listed entry is not in its place: gone, or moved there by a changed transaction id."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT 1 FROM ({self._source('id')}) e WHERE id = %s",  # noqa: S608
                [pk],
            )
            what = "altered" if cursor.fetchone() else "missing"
        return Break(what, seal=seal.pk, entry=pk)

    def _check_name(self, seal: Seal | None, row: _Row) -> None:
        number = seal.pk if seal is not None else None
        if not row.name_ok:
            detail = _("The actor's name is not the one that was sealed.")
            raise _Broken(Break("altered", seal=number, entry=row.id, detail=detail))
        if row.erased_actor is not None:
            if str(row.erased_actor) not in self.erased_people:
                detail = _("The actor's name is gone, and no erasure is on record.")
                raise _Broken(Break("altered", seal=number, entry=row.id, detail=detail))
            self.report.erased += 1

    def _source(self, columns: str) -> str:
        """The trail with the detached months, as SQL; columns are this module's own."""
        names = (connection.ops.quote_name(name) for name in ("audit_entry", *self.attached))
        return " UNION ALL ".join(f"SELECT {columns} FROM {name}" for name in names)  # noqa: S608

    def _entries(self) -> Iterator[_Row]:
        name_ok = (
            "CASE WHEN actor_salt IS NULL THEN actor_label = '' ELSE actor_digest = "
            "sha256(convert_to(actor_salt::text || actor_label, 'UTF8')) END"
        )
        erased = "CASE WHEN actor_salt IS NULL THEN coalesce(actor_id, 0) END"
        columns = f"xid, id, {DIGEST_SQL}, {name_ok}, {erased}"
        with connection.chunked_cursor() as cursor:
            # The columns are computed after the sort, which the index on (xid, id) provides.
            cursor.execute(
                f"SELECT {columns} FROM ({self._source('*')}) e ORDER BY e.xid, e.id",  # noqa: S608
            )
            while chunk := cursor.fetchmany(_FETCH):
                for xid, pk, digest, ok, erased_actor in chunk:
                    yield _Row(xid, pk, bytes(digest), ok, erased_actor)

    def _erased_people(self) -> frozenset[str]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT DISTINCT target_id FROM ({self._source('verb, target_id')}) e "  # noqa: S608
                "WHERE verb = %s",
                [ERASED_VERB],
            )
            return frozenset(pk for (pk,) in cursor.fetchall())

    def _last_xid(self, cluster: str) -> int | None:
        """The highest transaction id handed out so far; None after a move to another cluster,
        until the sealer has put the ids in order again."""
        if cluster and cluster != current_cluster():
            return None
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT greatest(pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1, "
                "pg_current_xact_id_if_assigned()::text::bigint) + audit_xid_base()"
            )
            return int(cursor.fetchone()[0])

    def _check_personal(self) -> None:
        """A value beside an entry must give the digest that the entry was sealed with."""
        with connection.cursor() as cursor:
            cursor.execute(f"""
                SELECT p.entry_id, p.path FROM audit_entry_personal p
                JOIN ({self._source("id, changes, data")}) e ON e.id = p.entry_id
                WHERE encode(sha256(convert_to(p.salt || p.value, 'UTF8')), 'hex') IS DISTINCT FROM
                      jsonb_build_object('changes', e.changes, 'data', e.data)
                          #>> (string_to_array(p.path, '.') || ARRAY['digest'])
                ORDER BY p.entry_id LIMIT 1
            """)  # noqa: S608
            found = cursor.fetchone()
        if found:
            raise _Broken(Break("personal", entry=found[0], detail=found[1]))
