"""Makes the searchable form of all records anew."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from rich.progress import Progress

from spine.search import sources
from spine.search.indexing import drop_strays, reindex

_STEP = 5_000


class Command(BaseCommand):
    help = "Makes the searchable form of all records (or of some kinds) anew."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kinds", nargs="*", help="kinds to index; all by default")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = self._chosen(options["kinds"])
        with Progress(disable=options["verbosity"] == 0) as progress:
            for source in chosen:
                total = source.records().count()
                bar = progress.add_task(str(source.label), total=total)
                last: int | None = 0
                while last is not None:
                    done, last = reindex(source, after=last, limit=_STEP)
                    progress.advance(bar, done)
                drop_strays(source)
        with connection.cursor() as cursor:
            # The planner's picture of common words is what keeps common searches fast.
            cursor.execute("ANALYZE search_document")

    @staticmethod
    def _chosen(kinds: list[str]) -> list[sources.Source]:
        known = {source.kind: source for source in sources.every()}
        unknown = [kind for kind in kinds if kind not in known]
        if unknown:
            raise CommandError(f"No kind {unknown[0]}; there are: {', '.join(sorted(known))}.")
        return [known[kind] for kind in kinds] if kinds else list(known.values())
