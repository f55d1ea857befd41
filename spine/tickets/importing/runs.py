"""One import from start to end: checked, staged, written in batches, able to go on after a kill.

Each batch is one transaction with the run's new position in it, and the order of the batches
follows from the file alone. So a run that was stopped goes on with the first row that is not in,
and every row counts once, whatever happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from django.db import connection
from django.utils.translation import gettext as _

from spine.audit.operations import operation
from spine.kit.clock import now
from spine.kit.errors import Conflict
from spine.people.models import User
from spine.search.models import Document
from spine.tickets.importing.delimited import DelimitedReader
from spine.tickets.importing.encoding import check, detect
from spine.tickets.importing.folding import MAX_EVENTS, Folder, Record, Reject, Staged
from spine.tickets.importing.jsonlines import JsonLinesReader
from spine.tickets.importing.mapping import Mapping
from spine.tickets.importing.models import SourceRecord
from spine.tickets.importing.references import organization_codes
from spine.tickets.importing.sheets import SheetReader
from spine.tickets.importing.source import Row, SourceFile, Unreadable
from spine.tickets.importing.staging import Staging
from spine.tickets.importing.writing import Sorted, Writer, sort_out
from spine.tickets.models import HistoryEvent, ImportRun, Ticket

# One transaction; search locks its documents one by one, and the locks of all have to fit.
TICKETS_PER_BATCH = 1_000
# From so many new records on, the tables' statistics are renewed at the end.
MANY = 1_000
Progress = Callable[[str, int, int], None]


class Reader(Protocol):
    columns: list[str]

    def rows(self) -> Iterator[Row | Unreadable]: ...


@dataclass(slots=True)
class Summary:
    """Tickets created, updated, unchanged; rows of the file read and rejected."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    rows: int = 0
    seconds: float = 0.0
    encoding: str = ""
    resumed_at: int = 0
    dry_run: bool = False
    first_rejects: list[tuple[int, str]] = field(default_factory=list)

    @property
    def rows_per_second(self) -> float:
        return (self.rows - self.resumed_at) / self.seconds if self.seconds else 0.0


def run_import(
    *,
    actor: User,
    path: Path,
    mapping: Mapping,
    dry_run: bool = False,
    anew: bool = False,
    rejects: Path | None = None,
    progress: Progress = lambda _stage, _done, _total: None,
) -> Summary:
    """Imports the file. progress(stage, done, total): "read" in bytes, "write" in rows.

    dry_run: everything but the writing. anew: from the first row even if an earlier run of the
    same file and mapping was stopped half way. Raises MappingError, SourceError, Conflict.
    """
    started = time.monotonic()
    file = SourceFile(path, mapping.format)
    reader, encoding = open_reader(file, mapping)
    mapping.check_columns(reader.columns)
    summary = Summary(encoding=encoding, dry_run=dry_run)
    with _alone(mapping.source), Staging() as staging:
        run = None if dry_run else _begin(actor, file, mapping, anew)
        try:
            _stage(staging, reader, file, mapping, progress)
            _Pass(actor, mapping, staging, run, summary, progress).work()
            summary.rejected = staging.rejected()
            summary.first_rejects = staging.first_rejects(5)
            if rejects is not None:
                staging.write_rejects(rejects)
        except BaseException:
            _end(run, ImportRun.State.FAILED, summary)
            raise
        if run is not None and summary.created >= MANY:
            _tell_the_planner(mapping)
        _end(run, ImportRun.State.DONE, summary)
    summary.seconds = time.monotonic() - started
    return summary


def open_reader(file: SourceFile, mapping: Mapping) -> tuple[Reader, str]:
    """(the reader of the file's kind, its encoding or "" for a workbook)"""
    if file.format == "xlsx":
        return SheetReader(file, mapping.sheet), ""
    encoding = check(mapping.encoding) if mapping.encoding else detect(file)
    if file.format == "jsonl":
        return JsonLinesReader(file, encoding), encoding
    return DelimitedReader(file, encoding, mapping.dialect), encoding


@contextmanager
def _alone(source: str) -> Iterator[None]:
    """One import of a source at a time; the lock goes with the connection, also after a kill."""
    key = f"evenkeel.import.{source}"
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", [key])
        if not cursor.fetchone()[0]:
            raise Conflict(
                "import_running",
                _("Another import of “%(source)s” is running.") % {"source": source},
            )
    try:
        yield
    finally:
        if not connection.needs_rollback and connection.connection is not None:
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [key])


def _begin(actor: User, file: SourceFile, mapping: Mapping, anew: bool) -> ImportRun:
    fingerprint = file.fingerprint(mapping.text)
    unfinished = ImportRun.objects.filter(source=mapping.source).exclude(state=ImportRun.State.DONE)
    same = unfinished.filter(fingerprint=fingerprint).order_by("-id").first()
    # Whatever else still says "running" was killed: this run has the lock.
    unfinished.filter(state=ImportRun.State.RUNNING).update(
        state=ImportRun.State.FAILED, ended_at=now()
    )
    latest = ImportRun.objects.filter(source=mapping.source).order_by("-id").first()
    if same is not None and same == latest and not anew:
        same.state = ImportRun.State.RUNNING
        same.ended_at = None
        same.save()
        return same
    return ImportRun.objects.create(
        source=mapping.source,
        file_name=file.path.name[:255],
        fingerprint=fingerprint,
        started_at=now(),
        started_by=actor,
    )


def _end(run: ImportRun | None, state: str, summary: Summary) -> None:
    if run is None or connection.connection is None or connection.needs_rollback:
        return
    ImportRun.objects.filter(pk=run.pk).update(
        state=state, ended_at=now(), rejected=summary.rejected
    )


def _tell_the_planner(mapping: Mapping) -> None:
    """Statistics of what has just grown at once: until the background process comes round, lists
    would be planned for the few rows that were there before."""
    models = (Ticket, mapping.target.model(), HistoryEvent, SourceRecord, Document)
    with connection.cursor() as cursor:
        cursor.execute("analyze " + ", ".join(model._meta.db_table for model in models))


def _stage(
    staging: Staging, reader: Reader, file: SourceFile, mapping: Mapping, progress: Progress
) -> None:
    progress("read", 0, file.size)

    def on_rows(_count: int) -> None:
        progress("read", file.read_so_far(), file.size)

    staging.fill(mapping, reader.columns, reader.rows(), on_rows)
    progress("read", file.size, file.size)


class _Pass:
    """Page after page: fold, compare, write."""

    def __init__(
        self,
        actor: User,
        mapping: Mapping,
        staging: Staging,
        run: ImportRun | None,
        summary: Summary,
        progress: Progress,
    ) -> None:
        self._actor, self._mapping, self._staging = actor, mapping, staging
        self._run, self._summary, self._progress = run, summary, progress
        self._folder = Folder(mapping, organization_codes())
        self._writer = Writer(mapping) if run is not None else None
        self._done = 0
        if run is not None:
            summary.resumed_at = run.position
            summary.created, summary.updated = run.created, run.updated
            summary.unchanged = run.unchanged

    def work(self) -> None:
        self._summary.rows = self._staging.rows
        self._progress("write", 0, self._staging.rows)
        for page in self._staging.pages():
            self._page(page)
            self._progress("write", self._done, self._staging.rows)

    def _page(self, page: list[tuple[str, list[Staged]]]) -> None:
        for start in range(0, len(page), TICKETS_PER_BATCH):
            self._batch(page[start : start + TICKETS_PER_BATCH])

    def _batch(self, groups: list[tuple[str, list[Staged]]]) -> None:
        records: list[Record] = []
        rejects: list[Reject] = []
        for key, rows in groups:
            if len(rows) > MAX_EVENTS:
                self._done += self._staging.refuse_overlong(key)
                continue
            folded = self._folder.fold(key, rows)
            self._done += len(rows)
            rejects += folded.rejects
            if folded.record is not None:
                records.append(folded.record)
        # What was in before the stop is not written again; its rejects are told again.
        if self._run is None or self._done > self._run.position:
            for strange in self._write(records).strange:
                reason = _("“%s” is a ticket of another kind here.") % strange.key
                rejects.append(Reject(0, strange.key, self._mapping.key, "other_kind", reason, ""))
        self._staging.reject(rejects)

    def _write(self, records: list[Record]) -> Sorted:
        if self._run is None or self._writer is None:
            sorted_out = sort_out(self._mapping, records)
            self._count(sorted_out)
            return sorted_out
        with operation(self._actor, "tickets.import", source="import") as op:
            sorted_out = sort_out(self._mapping, records)
            self._writer.write(sorted_out, op)
            self._count(sorted_out)
            run, summary = self._run, self._summary
            ImportRun.objects.filter(pk=run.pk).update(
                position=self._done,
                created=summary.created,
                updated=summary.updated,
                unchanged=summary.unchanged,
            )
        return sorted_out

    def _count(self, sorted_out: Sorted) -> None:
        self._summary.created += len(sorted_out.new)
        self._summary.updated += len(sorted_out.changed)
        self._summary.unchanged += sorted_out.unchanged
