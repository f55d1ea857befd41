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
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from itsm.backup.database import BackupError, Database

FORMAT = 1
DUMP = "database.dump"
MANIFEST = "manifest.json"
ATTACHMENTS = "attachments"
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
                    name = f"{ATTACHMENTS}/{path.relative_to(attachments)}"
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
    """A backup unpacked beside the attachments and verified; use as a context manager."""

    def __init__(self, source: Path, *, attachments: Path) -> None:
        self.source = source
        self.attachments = attachments
        self.folder = Path()
        self.manifest: dict[str, Any] = {}

    def __enter__(self) -> Archive:
        parent = self.attachments.parent
        parent.mkdir(parents=True, exist_ok=True)
        # On the same disk as their final place, so that the swap is a rename.
        self.folder = Path(tempfile.mkdtemp(dir=parent, prefix=".restore-"))
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
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def dump(self) -> Path:
        return self.folder / DUMP

    def swap_attachments(self) -> None:
        """Put the unpacked attachments in the place of the present ones."""
        unpacked = self.folder / ATTACHMENTS
        unpacked.mkdir(exist_ok=True)
        if self.attachments.exists():
            shutil.copystat(self.attachments, unpacked)
            self.attachments.rename(self.folder / "replaced")
        unpacked.rename(self.attachments)

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
