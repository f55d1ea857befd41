"""Rows of an XLSX workbook, streamed; an archive that would unpack to too much is refused."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import openpyxl
from django.utils.translation import gettext as _
from openpyxl.utils.exceptions import InvalidFileException

from spine.tickets.importing.errors import SourceError
from spine.tickets.importing.source import CHUNK, Row, SourceFile, Unreadable

MAX_PARTS = 5_000
MAX_UNPACKED = 512 * 1024 * 1024
# Spreadsheets pack well (10 to 40 times); a bomb packs a thousand times.
MAX_RATIO = 200
RATIO_FROM = 10 * 1024 * 1024


class SheetReader:
    """columns: the first row that is not empty; sheet: a name, or None for the first sheet."""

    def __init__(self, file: SourceFile, sheet: str | None) -> None:
        if not openpyxl.DEFUSEDXML:
            raise SourceError("unsafe", _("Reading XLSX needs the package defusedxml."))
        self._file = file
        self._sheet = sheet
        first = next(self._cells(), None)
        if first is None:
            raise SourceError("empty", _("%(file)s is empty.") % {"file": file.path.name})
        self._header_line, names = first
        self.columns = [_plain(name) or "" for name in names]
        while self.columns and not self.columns[-1]:
            self.columns.pop()

    def rows(self) -> Iterator[Row | Unreadable]:
        width = len(self.columns)
        for line, cells in self._cells():
            if line == self._header_line:
                continue
            surplus = [cell for cell in cells[width:] if cell is not None]
            if surplus:
                reason = _("The row has values beyond the last column name.")
                yield Unreadable(line, "ragged", reason, str(surplus)[:2000])
                continue
            values = [_plain(cell) for cell in cells[:width]]
            yield Row(line, values + [None] * (width - len(values)))

    def _cells(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        with self._unpacked() as stream:
            _refuse_bomb(stream)
            try:
                book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            except (
                InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError,
            ) as error:  # fmt: skip
                raise SourceError(
                    "bad_workbook",
                    _("%(file)s is not an XLSX workbook.") % {"file": self._file.path.name},
                ) from error
            try:
                if self._sheet is not None and self._sheet not in book.sheetnames:
                    raise SourceError(
                        "unknown_sheet", _("There is no sheet “%(name)s”.") % {"name": self._sheet}
                    )
                sheet = book[self._sheet] if self._sheet else book.worksheets[0]
                for line, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
                    if any(cell is not None for cell in cells):
                        yield line, cells
            finally:
                book.close()

    @contextmanager
    def _unpacked(self) -> Iterator[IO[bytes]]:
        """A seekable stream: zip archives are read from their end."""
        with self._file.open() as stream:
            if not self._file.packed:
                yield stream
                return
            with tempfile.TemporaryFile() as copy:
                shutil.copyfileobj(stream, copy, CHUNK)
                copy.seek(0)
                yield copy


def _refuse_bomb(stream: IO[bytes]) -> None:
    try:
        parts = zipfile.ZipFile(stream).infolist()
    except zipfile.BadZipFile as error:
        raise SourceError("bad_workbook", _("The file is not an XLSX workbook.")) from error
    unpacked = sum(part.file_size for part in parts)
    packed = sum(part.compress_size for part in parts) or 1
    if (
        len(parts) > MAX_PARTS
        or unpacked > MAX_UNPACKED
        or (unpacked > RATIO_FROM and unpacked / packed > MAX_RATIO)
    ):
        raise SourceError(
            "zip_bomb",
            _("The workbook unpacks to %(size)d MB, more than is safe to read.")
            % {"size": unpacked // (1024 * 1024)},
        )
    stream.seek(0)


def _plain(cell: Any) -> str | None:
    if cell is None:
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, dt.datetime | dt.date | dt.time):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
