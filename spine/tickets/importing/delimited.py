"""Rows of a CSV file, one at a time; what is broken is told with its line and left out.

A quoted value may span lines. A quotation mark that is never closed would swallow the rest of the
file, so a record that does not come out with the right columns costs its first line only, and
reading goes on with the line after it.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from django.utils.translation import gettext as _

from spine.tickets.importing.errors import SourceError
from spine.tickets.importing.source import Row, SourceFile, Unreadable

DELIMITERS = ",;\t|"
MAX_LINE = 1_000_000
# A value in quotes may go on for so many lines (a long mail) and characters.
MAX_RECORD_LINES = 5_000
MAX_RECORD = 2_000_000
RAW_SHOWN = 2_000
_OPEN = "unexpected end of data"


@dataclass(frozen=True, slots=True)
class Dialect:
    delimiter: str
    quote: str = '"'


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str
    too_long: bool = False


class DelimitedReader:
    """columns: the names in the first row. Iterate `rows()` as often as needed."""

    def __init__(self, file: SourceFile, encoding: str, dialect: Dialect | None) -> None:
        self._file = file
        self._encoding = encoding
        csv.field_size_limit(MAX_RECORD)
        self._dialect = dialect or self._sniff()
        self.columns = self._header()

    def rows(self) -> Iterator[Row | Unreadable]:
        with self._file.open() as stream:
            records = self._records(stream)
            next(records, None)
            yield from records

    def _header(self) -> list[str]:
        with self._file.open() as stream:
            first = next(self._records(stream), None)
        if first is None:
            raise SourceError("empty", _("%(file)s is empty.") % {"file": self._file.path.name})
        if isinstance(first, Unreadable):
            raise SourceError(
                "bad_header", _("The row of column names can't be read: %s") % first.reason
            )
        return [(name or "").strip() for name in first.values]

    def _sniff(self) -> Dialect:
        """The delimiter that splits the first line into most columns."""
        with self._file.open() as stream:
            first = next(self._lines(stream), None)
        text = first.text if first else ""
        counted = {mark: len(self._parse(text, Dialect(mark)) or [""]) for mark in DELIMITERS}
        return Dialect(max(DELIMITERS, key=lambda mark: counted[mark]))

    @staticmethod
    def _parse(text: str, dialect: Dialect) -> list[str] | None:
        try:
            return next(csv.reader((text,), delimiter=dialect.delimiter), [])
        except csv.Error:
            return None

    def _lines(self, stream: IO[bytes]) -> Iterator[_Line]:
        text = io.TextIOWrapper(stream, encoding=self._encoding, errors="strict", newline="")
        number = 0
        try:
            while True:
                line = text.readline(MAX_LINE + 1)
                if not line:
                    break
                number += 1
                if len(line) <= MAX_LINE:
                    yield _Line(number, line)
                    continue
                while line and not line.endswith(("\n", "\r")):
                    line = text.readline(MAX_LINE)
                yield _Line(number, "", too_long=True)
        except UnicodeError as error:
            raise SourceError(
                "bad_encoding",
                _("Line %(line)d is not %(encoding)s. Name the encoding in the mapping.")
                % {"line": number + 1, "encoding": self._encoding},
            ) from error
        finally:
            text.detach()

    def _records(self, stream: IO[bytes]) -> Iterator[Row | Unreadable]:
        """The first record (the row of names) may have any width, the others must have its."""
        lines = self._lines(stream)
        waiting: deque[_Line] = deque()
        first = True
        while True:
            line = waiting.popleft() if waiting else next(lines, None)
            if line is None:
                return
            if not line.too_long and not line.text.strip("\r\n"):
                continue
            wanted = None if first else len(self.columns)
            first = False
            yield self._record(line, lines, waiting, wanted)

    def _record(
        self, line: _Line, lines: Iterator[_Line], waiting: deque[_Line], width: int | None
    ) -> Row | Unreadable:
        if line.too_long:
            reason = _("The line is longer than %(count)d characters.") % {"count": MAX_LINE}
            return Unreadable(line.number, "too_long", reason, "")
        taken: list[_Line] = []
        text, size = line.text, len(line.text)
        while True:
            values, problem = self._split(text)
            if problem != "open":
                break
            after = self._until_quote(taken, lines, waiting, size)
            if after is None:
                problem = "unclosed"
                break
            text += "".join(more.text for more in after)
            size = len(text)
            taken += after
        if values is not None and width is not None and len(values) != width:
            problem = "ragged"
        if not problem and values is not None:
            return self._checked(line.number, values, text)
        waiting.extendleft(reversed(taken))
        return self._refusal(line, problem, len(values or ()), width or 0)

    def _split(self, text: str) -> tuple[list[str] | None, str]:
        """(values, "") or (None, what is wrong: "open" within quotes, "quoting")."""
        text = text.rstrip("\r\n") if self._dialect.quote not in text else text
        try:
            row = next(
                csv.reader(
                    (text,),
                    delimiter=self._dialect.delimiter,
                    quotechar=self._dialect.quote,
                    strict=True,
                ),
                [],
            )
        except csv.Error as error:
            return None, "open" if _OPEN in str(error) else "quoting"
        return row, ""

    def _until_quote(
        self, taken: list[_Line], lines: Iterator[_Line], waiting: deque[_Line], size: int
    ) -> list[_Line] | None:
        """Further lines up to one that may close the quotes; None where there is no such.

        Every mark opens or closes (a doubled one does both), so an odd number closes.
        """
        found: list[_Line] = []
        marks = 0
        while len(taken) + len(found) < MAX_RECORD_LINES:
            more = waiting.popleft() if waiting else next(lines, None)
            if more is None:
                break
            found.append(more)
            size += len(more.text)
            if more.too_long or size > MAX_RECORD:
                break
            marks += more.text.count(self._dialect.quote)
            if marks % 2:
                return found
        taken += found
        return None

    def _checked(self, number: int, values: list[str], text: str) -> Row | Unreadable:
        if "\x00" in text:
            return Unreadable(number, "nul", _("The row holds a NUL character."), "")
        return Row(number, list(values))

    def _refusal(self, line: _Line, problem: str, found: int, width: int) -> Unreadable:
        if problem == "ragged":
            reason = _("The row has %(found)d columns instead of %(wanted)d.") % {
                "found": found,
                "wanted": width,
            }
        elif problem == "unclosed":
            reason = _("A quotation mark is opened and never closed.")
        else:
            reason = _("After a closing quotation mark there must be a delimiter.")
        code = "ragged" if problem == "ragged" else "quoting"
        raw = line.text.strip("\r\n")[:RAW_SHOWN].replace("\x00", "�")
        return Unreadable(line.number, code, reason, raw)
