"""Background work of threads."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from celery import shared_task

from spine.threads import storing
from spine.threads.models import Attachment

_BATCH = 500


@shared_task(name="threads.sweep_orphans", ignore_result=True)
def sweep_orphans(age_seconds: float = storing.ORPHAN_AGE_SECONDS) -> int:
    """Removes files that no row names: what a rolled-back transaction or a killed process left.
    Returns how many."""
    removed = 0
    files = storing.old_files(age_seconds)
    while batch := dict(islice(files, _BATCH)):
        known = set(
            Attachment.objects.filter(storage_name__in=batch).values_list("storage_name", flat=True)
        )
        removed += _unlink([path for name, path in batch.items() if name not in known])
    return removed


def _unlink(paths: list[Path]) -> int:
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)
