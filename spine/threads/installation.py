"""Which database the files in the attachments' folder belong to.

Each database has an id, and the folder lists the ids of those that have stored files in it. Where
it lists another one, a file without a row here may well have its row there.
"""

from __future__ import annotations

import os
from pathlib import Path

from spine.threads.folder import INSTALLATION
from spine.threads.models import Installation


def own_id() -> str:
    """Of this database; made on first use."""
    row, _made = Installation.objects.get_or_create(pk=Installation.ONLY)
    return str(row.uuid)


def listed(root: Path) -> set[str]:
    """The ids in the folder; none where nobody stored anything yet."""
    try:
        return set((root / INSTALLATION).read_text().split())
    except FileNotFoundError:
        return set()


def strangers(root: Path) -> set[str]:
    """The ids in the folder that are not this database's. Makes nothing."""
    ids = {str(one) for one in Installation.objects.values_list("uuid", flat=True)}
    return listed(root) - ids


def claim(root: Path) -> None:
    """Lists this database in the folder; again does no harm."""
    own = own_id()
    if own in listed(root):
        return
    root.mkdir(parents=True, exist_ok=True)
    # One short write in append mode: two processes at once leave both lines whole.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    descriptor = os.open(root / INSTALLATION, flags, 0o644)
    try:
        os.write(descriptor, f"{own}\n".encode())
    finally:
        os.close(descriptor)


def take_over(root: Path) -> None:
    """After a restore: all that is in the folder is this database's."""
    root.mkdir(parents=True, exist_ok=True)
    (root / INSTALLATION).unlink(missing_ok=True)
    claim(root)
