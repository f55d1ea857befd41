"""`manage.py import_tickets FILE --map MAP.yaml`: other systems' tickets, with their history."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from spine.kit.errors import DomainError
from spine.people.models import User
from spine.tickets.importing.errors import MappingError
from spine.tickets.importing.mapping import load
from spine.tickets.importing.runs import Summary, run_import

_STAGES = {"read": "Reading", "write": "Writing"}


class Command(BaseCommand):
    help = "Imports tickets from CSV, JSON Lines or XLSX (plain, .gz or .xz)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--map", type=Path, required=True, metavar="MAP.yaml", dest="mapping")
        parser.add_argument(
            "--dry-run", action="store_true", help="check and count everything, write nothing"
        )
        parser.add_argument(
            "--rejects", type=Path, metavar="FILE", help="write rejected rows here, with reasons"
        )
        parser.add_argument(
            "--restart",
            action="store_true",
            help="begin with the first row, even where a stopped run could go on",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            mapping = load(options["mapping"])
        except MappingError as error:
            raise CommandError(f"{options['mapping'].name}: {error.field}: {error}") from error
        console = Console(stderr=True)
        try:
            with _bar(console) as bar:
                summary = run_import(
                    actor=User.objects.system(),
                    path=options["file"],
                    mapping=mapping,
                    dry_run=options["dry_run"],
                    anew=options["restart"],
                    rejects=options["rejects"],
                    progress=_Bars(bar),
                )
        except MappingError as error:
            raise CommandError(f"{options['mapping'].name}: {error.field}: {error}") from error
        except DomainError as error:
            raise CommandError(str(error)) from error
        self._report(summary, options["rejects"])

    def _report(self, summary: Summary, rejects: Path | None) -> None:
        for line, reason in summary.first_rejects:
            self.stderr.write(f"line {line}: {reason}" if line else reason)
        more = summary.rejected - len(summary.first_rejects)
        if more > 0 and rejects is None:
            self.stderr.write(f"... and {more:,} more; --rejects FILE lists them all")
        head = "Dry run, nothing written: " if summary.dry_run else ""
        if summary.resumed_at:
            head += f"went on at row {summary.resumed_at:,}: "
        tail = f"; rejects in {rejects}" if rejects is not None and summary.rejected else ""
        self.stdout.write(
            f"{head}{summary.rows:,} rows ({summary.encoding or 'xlsx'}): "
            f"{summary.created:,} created, {summary.updated:,} updated, "
            f"{summary.unchanged:,} unchanged, {summary.rejected:,} rows rejected "
            f"in {summary.seconds:.1f} s ({summary.rows_per_second:,.0f} rows/s){tail}"
        )


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=not console.is_terminal,
        disable=not console.is_terminal,
    )


class _Bars:
    """One bar per stage, made when the stage begins."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(_STAGES[stage], total=total)
        self._bar.update(self._tasks[stage], completed=done)
