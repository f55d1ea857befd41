"""Background work of threads."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

from celery import shared_task

from spine.kit.clock import now
from spine.threads import installation, storing
from spine.threads.folder import TRASH
from spine.threads.models import Attachment

logger = logging.getLogger("evenkeel.threads")

_BATCH = 500
TRASH_DAYS = 30
# Of a small folder, all may rightly be orphans; of a large one, that many point to a database
# that is not the files' own (an older copy, say).
SMALL_FOLDER = 50
MOST_ORPHANS = 0.10


@shared_task(name="threads.sweep_orphans", ignore_result=True)
def sweep_orphans(age_seconds: float = storing.ORPHAN_AGE_SECONDS, *, force: bool = False) -> int:
    """Moves files that no row names to the trash, for 30 days: what a rolled-back transaction or a
    killed process left. Half-copied ones go at once. Returns how many.

    Does nothing where files of another database are in the folder, nor, without `force`, where
    the orphans are more than a tenth of more than 50 files.
    """
    root = storing.root()
    if strangers := installation.strangers(root):
        logger.error(
            "%s holds files of another database (%s): nothing is swept. "
            "Give each database its own ITSM_DATA_DIR.",
            root,
            ", ".join(sorted(strangers)),
        )
        return 0
    if not root.is_dir():
        return 0
    installation.claim(root)
    _empty_trash(root)
    removed = _discard(storing.half_copied(age_seconds))
    orphans = _orphans(age_seconds)
    total = storing.count()
    if not force and total > SMALL_FOLDER and len(orphans) > MOST_ORPHANS * total:
        logger.error(
            "%d of %d files in %s have no row in this database: nothing is swept. If they are "
            "really orphans, call sweep_orphans(force=True).",
            len(orphans),
            total,
            root,
        )
        return removed
    return removed + _to_trash(root, orphans)


def _orphans(age_seconds: float) -> list[str]:
    found: list[str] = []
    names = storing.old_files(age_seconds)
    while batch := list(islice(names, _BATCH)):
        known = set(
            Attachment.objects.filter(storage_name__in=batch).values_list("storage_name", flat=True)
        )
        found += [name for name in batch if name not in known]
    return found


def _discard(paths: Iterator[Path]) -> int:
    count = 0
    for path in paths:
        path.unlink(missing_ok=True)
        count += 1
    return count


def _to_trash(root: Path, names: list[str]) -> int:
    count = 0
    today = root / TRASH / now().date().isoformat()
    for name in names:
        target = today / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            storing.path_of(name).rename(target)
            count += 1
    return count


def _empty_trash(root: Path) -> None:
    trash = root / TRASH
    if not trash.is_dir():
        return
    limit = now().date() - timedelta(days=TRASH_DAYS)
    for day in trash.iterdir():
        # A name that is no day was put there by somebody else.
        with suppress(ValueError):
            if date.fromisoformat(day.name) < limit:
                shutil.rmtree(day, ignore_errors=True)
