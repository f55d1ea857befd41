"""Attachments on disk: under names of our own, complete or not there at all.

The file is in place before its row is written, and goes only after the row's removal has
committed. So a row always has its file; a rolled-back transaction or a killed process leaves a
file without a row, which `sweep_orphans` moves to the trash.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from spine.kit.errors import DomainError
from spine.threads.folder import reserved
from spine.threads.sniffing import Kind, sniff

_CHUNK = 64 * 1024
_INCOMING = ".incoming"
# Longer than any transaction that may still be going to write the row.
ORPHAN_AGE_SECONDS = 3600


class TooLarge(DomainError):
    status = 413

    def __init__(self) -> None:
        limit = filesizeformat(settings.ATTACHMENT_MAX_BYTES)
        super().__init__(
            "too_large", _("The file is larger than %(limit)s.") % {"limit": limit}, "files"
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """size in octets; sha256 as hex; storage_name relative to the attachments' folder."""

    storage_name: str
    size: int
    sha256: str
    kind: Kind


def root() -> Path:
    return Path(default_storage.path(""))


def path_of(storage_name: str) -> Path:
    return Path(default_storage.path(storage_name))


def check_size(file: UploadedFile[bytes]) -> None:
    """Refuses by what the upload handler counted, before an octet is copied."""
    if file.size is not None and file.size > settings.ATTACHMENT_MAX_BYTES:
        raise TooLarge


def store(file: UploadedFile[bytes], name: str) -> Stored:
    """Copies the upload in chunks (constant memory), hashing on the way, and renames it into place
    when all of it is on disk."""
    check_size(file)
    key = uuid.uuid4().hex
    storage_name = f"{key[:2]}/{key}"
    incoming = root() / _INCOMING / key
    incoming.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    size = 0
    try:
        with incoming.open("x+b") as copy:
            for chunk in _chunks(file):
                size += len(chunk)
                # The sender's word on the size is not trusted.
                if size > settings.ATTACHMENT_MAX_BYTES:
                    raise TooLarge
                digest.update(chunk)
                copy.write(chunk)
            copy.flush()
            kind = sniff(copy, name)
            os.fsync(copy.fileno())
        final = path_of(storage_name)
        final.parent.mkdir(parents=True, exist_ok=True)
        incoming.rename(final)
    except BaseException:
        incoming.unlink(missing_ok=True)
        raise
    return Stored(storage_name, size, digest.hexdigest(), kind)


def _chunks(file: UploadedFile[bytes]) -> Iterator[bytes]:
    file.seek(0)
    yield from file.chunks(_CHUNK)


def open_stored(storage_name: str) -> BinaryIO:
    """Raises FileNotFoundError where the file is gone."""
    return path_of(storage_name).open("rb")


def discard(storage_name: str) -> None:
    """Removes a file whose row is gone; again does no harm."""
    path_of(storage_name).unlink(missing_ok=True)


def old_files(age_seconds: float = ORPHAN_AGE_SECONDS) -> Iterator[str]:
    """The storage name of every whole file older than that."""
    limit = time.time() - age_seconds
    for folder in _folders():
        for path in _older(folder, limit):
            yield f"{folder.name}/{path.name}"


def half_copied(age_seconds: float = ORPHAN_AGE_SECONDS) -> Iterator[Path]:
    """What was being copied by a process that ended before that."""
    incoming = root() / _INCOMING
    if incoming.is_dir():
        yield from _older(incoming, time.time() - age_seconds)


def count() -> int:
    """How many whole files there are."""
    return sum(1 for folder in _folders() for _path in folder.iterdir())


def _folders() -> Iterator[Path]:
    base = root()
    if base.is_dir():
        for folder in sorted(base.iterdir()):
            if folder.name != _INCOMING and not reserved(folder.name) and folder.is_dir():
                yield folder


def _older(folder: Path, limit: float) -> Iterator[Path]:
    for path in folder.iterdir():
        try:
            if path.is_file() and path.stat().st_mtime < limit:
                yield path
        except FileNotFoundError:
            continue
