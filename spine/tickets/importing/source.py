"""A file to import: found, unpacked, its kind told, its content fingerprinted."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from django.utils.translation import gettext as _

from spine.tickets.importing.errors import SourceError

FORMATS = ("csv", "jsonl", "xlsx")
_SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".xlsx": "xlsx",
}  # fmt: skip
_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\x00"
_ZIP_MAGIC = b"PK\x03\x04"
DAMAGED = (lzma.LZMAError, gzip.BadGzipFile, zlib.error, EOFError)
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """line: where the row begins in the file, from 1; values: as many as there are columns."""

    line: int
    values: list[str | None]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that could not even be split into columns; raw: what stands there, shortened."""

    line: int
    code: str
    reason: str
    raw: str


class SourceFile:
    """The file under its path; reading it twice gives the same rows."""

    def __init__(self, path: Path, format_name: str | None = None) -> None:
        self.path = path
        try:
            with path.open("rb") as raw:
                head = raw.read(8)
            self.size = path.stat().st_size
        except OSError as error:
            raise SourceError(
                "unreadable",
                _("%(file)s can't be read: %(reason)s.")
                % {"file": path, "reason": (error.strerror or str(error)).lower()},
            ) from error
        self.packed = "gz" if head[:2] == _GZIP_MAGIC else "xz" if head[:6] == _XZ_MAGIC else ""
        if not self.size:
            raise SourceError("empty", _("%(file)s is empty.") % {"file": path.name})
        self.format = format_name or self._guess_format()
        self._raw: BinaryIO | None = None

    def _guess_format(self) -> str:
        suffixes = [suffix.lower() for suffix in self.path.suffixes]
        if suffixes and suffixes[-1] in {".gz", ".xz"}:
            suffixes.pop()
        found = _SUFFIXES.get(suffixes[-1]) if suffixes else None
        if found:
            return found
        with self.open() as stream:
            return "xlsx" if stream.read(4) == _ZIP_MAGIC else "csv"

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The unpacked content. Raises SourceError where the archive is damaged."""
        with self.path.open("rb") as raw:
            self._raw = raw
            try:
                if self.packed == "gz":
                    with gzip.GzipFile(fileobj=raw) as unpacked:
                        yield cast(IO[bytes], unpacked)
                elif self.packed == "xz":
                    with lzma.LZMAFile(raw) as unpacked_xz:
                        yield cast(IO[bytes], unpacked_xz)
                else:
                    yield raw
            except DAMAGED as error:
                raise SourceError(
                    "damaged", _("%(file)s is damaged or cut off.") % {"file": self.path.name}
                ) from error
            finally:
                self._raw = None

    def read_so_far(self) -> int:
        """Bytes of the file as it lies on disk that the open reader has taken; for a bar."""
        if self._raw is None or self._raw.closed:
            return 0
        return os.lseek(self._raw.fileno(), 0, os.SEEK_CUR)

    def fingerprint(self, *others: bytes) -> str:
        """SHA-256 of the file as it lies on disk, and of what else decides the outcome."""
        sha = hashlib.sha256()
        with self.path.open("rb") as raw:
            while chunk := raw.read(CHUNK):
                sha.update(chunk)
        for other in others:
            sha.update(hashlib.sha256(other).digest())
        return sha.hexdigest()
