"""Background work of the search."""

from __future__ import annotations

from celery import shared_task

from spine.search import sources
from spine.search.indexing import reindex

_PER_RUN = 20_000


@shared_task(name="search.reindex", ignore_result=True)
def reindex_kind(kind: str, after: int = 0) -> int:
    """Makes the documents of one kind anew, a run's worth at a time, then asks for the next run.
    Returns how many this run made."""
    source = sources.find(kind)
    if source is None:
        return 0
    done, last = reindex(source, after=after, limit=_PER_RUN)
    if last is not None:
        reindex_kind.delay(kind, last)
    return done


@shared_task(name="search.reindex_all", ignore_result=True)
def reindex_all() -> None:
    for source in sources.every():
        reindex_kind.delay(source.kind)
