"""Names in the attachments' folder that are no attachments: no sweep and no backup takes them."""

from __future__ import annotations

from pathlib import Path

# An archive being put in place, with what it replaces below it until the end.
RESTORE = ".restore-"
# Swept files, by the day on which they were swept.
TRASH = ".trash"
# The installations whose files are here, one id a line.
INSTALLATION = ".installation"


def reserved(name: str) -> bool:
    return name.startswith((RESTORE, TRASH, INSTALLATION))


def holds_files(root: Path) -> bool:
    """Whether anything but reserved names is in there; False where there is no such folder."""
    return root.is_dir() and any(not reserved(child.name) for child in root.iterdir())
