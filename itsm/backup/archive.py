"""The archive's half: writing it whole or not at all, and proving it before anything is touched."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from itsm.backup.database import BackupError, Database
from spine.threads import folder as layout

FORMAT = 1
DUMP = "database.dump"
MANIFEST = "manifest.json"
ATTACHMENTS = "attachments"
REPLACED = "replaced"
COMPRESSION = 1  # the dump is compressed already, and most attachments are
BROKEN = (tarfile.TarError, EOFError, zlib.error, OSError)


def write_archive(
    target: Path, *, database: Database, attachments: Path, facts: dict[str, Any]
) -> dict[str, Any]:
    """Write `target` (mode 0600: it holds personal data) and return its manifest.

    The dump is taken before the files: each attachment the dump knows of existed by then.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as aside:
            dump = Path(aside) / DUMP
            database.dump(dump)
            sums: dict[str, str] = {}
            descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            with (
                os.fdopen(descriptor, "wb") as raw,
                tarfile.open(fileobj=raw, mode="w:gz", compresslevel=COMPRESSION) as tar,
            ):
                sums[DUMP] = _add(tar, dump, DUMP)
                for path in _files(attachments):
                    inner = path.relative_to(attachments)
                    if layout.reserved(inner.parts[0]):
                        continue
                    name = f"{ATTACHMENTS}/{inner}"
                    try:
                        sums[name] = _add(tar, path, name)
                    except FileNotFoundError:
                        continue  # erased meanwhile, as it should be
                manifest = {"format": FORMAT, **facts, "sha256": sums}
                _add_bytes(tar, json.dumps(manifest, indent=1).encode(), MANIFEST)
            partial.replace(target)
    except OSError as error:
        raise BackupError(f"{target} can't be written: {error.strerror or error}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return manifest


class Archive:
    """A backup unpacked among the attachments and verified; use as a context manager."""

    def __init__(self, source: Path, *, attachments: Path) -> None:
        self.source = source
        self.attachments = attachments
        self.folder = Path()
        self.manifest: dict[str, Any] = {}
        self._moved: list[tuple[Path, Path]] = []

    def __enter__(self) -> Archive:
        try:
            self.attachments.mkdir(parents=True, exist_ok=True)
            # Inside, not beside: the folder may be a mount point, and only within one file system
            # is the swap a rename.
            self.folder = Path(tempfile.mkdtemp(dir=self.attachments, prefix=layout.RESTORE))
        except OSError as error:
            raise BackupError(f"{self.attachments}: {error.strerror}.") from error
        try:
            self._unpack()
            self._verify()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Moves that could not be undone: the only copy of the former files is in this folder.
        if error is None or not self._moved:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def dump(self) -> Path:
        return self.folder / DUMP

    @contextmanager
    def swapped_attachments(self) -> Iterator[None]:
        """The unpacked attachments in the place of the present ones, which come back when the
        block fails. They are deleted with the archive's folder, after the block."""
        try:
            try:
                self._swap()
            except OSError as error:
                raise BackupError(f"{error.filename}: {error.strerror}.") from error
            yield
        except BaseException as error:
            self._put_back(error)
            raise
        self._moved.clear()

    def _swap(self) -> None:
        unpacked, replaced = self.folder / ATTACHMENTS, self.folder / REPLACED
        unpacked.mkdir(exist_ok=True)
        replaced.mkdir()
        for child in sorted(self.attachments.iterdir()):
            # What was swept waits in the trash for its own time.
            if not child.name.startswith((layout.RESTORE, layout.TRASH)):
                self._move(child, replaced / child.name)
        for child in sorted(unpacked.iterdir()):
            if not layout.reserved(child.name):
                self._move(child, self.attachments / child.name)

    def _move(self, source: Path, target: Path) -> None:
        self._moved.append((source, target))
        try:
            source.rename(target)
        except OSError:
            self._moved.pop()
            raise

    def _put_back(self, reason: BaseException) -> None:
        try:
            while self._moved:
                source, target = self._moved[-1]
                target.rename(source)
                self._moved.pop()
        except OSError as error:
            raise BackupError(
                f"{reason} The former attachments could not be put back ({error.strerror}): "
                f"they are in {self.folder / REPLACED}."
            ) from error

    def _unpack(self) -> None:
        try:
            with tarfile.open(self.source, mode="r:gz") as tar:
                # The filter refuses links, devices and paths that lead outside.
                tar.extractall(self.folder, filter="data")
        except FileNotFoundError as error:
            raise BackupError(f"{self.source} does not exist.") from error
        except BROKEN as error:
            if isinstance(error, OSError) and error.errno:
                raise BackupError(f"{self.source}: {error.strerror}.") from error
            raise BackupError(f"{self.source} is no whole backup: {error}.") from error

    def _verify(self) -> None:
        try:
            self.manifest = json.loads((self.folder / MANIFEST).read_text())
            sums: dict[str, str] = self.manifest["sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BackupError(f"{self.source} is no backup of this platform.") from error
        if self.manifest.get("format") != FORMAT:
            raise BackupError(f"{self.source} was made by a newer version: upgrade first.")
        found = {str(p.relative_to(self.folder)) for p in _files(self.folder)} - {MANIFEST}
        for name in sorted(found ^ set(sums)):
            raise BackupError(f"{self.source} and its manifest differ at {name}.")
        for name, expected in sums.items():
            with (self.folder / name).open("rb") as member:
                if hashlib.file_digest(member, "sha256").hexdigest() != expected:
                    raise BackupError(f"{self.source} is damaged: {name} has another checksum.")


class _Summing(io.RawIOBase):
    """Hashes what is read through it, so that a file is read once."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self.source.read(size)
        self.digest.update(block)
        return block


def _add(tar: tarfile.TarFile, path: Path, name: str) -> str:
    with path.open("rb") as source:
        info = tar.gettarinfo(arcname=name, fileobj=source)
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        reader = _Summing(source)
        tar.addfile(info, reader)
    return reader.digest.hexdigest()


def _add_bytes(tar: tarfile.TarFile, content: bytes, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mtime = int(time.time())
    tar.addfile(info, io.BytesIO(content))


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
