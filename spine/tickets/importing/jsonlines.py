"""Rows of a JSON Lines file: one object with plain values per line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from spine.tickets.importing.delimited import MAX_RECORD, RAW_SHOWN
from spine.tickets.importing.errors import SourceError
from spine.tickets.importing.source import Row, SourceFile, Unreadable

# Objects leave out what is empty: a column is known if one of so many lines has it.
LINES_FOR_COLUMNS = 1000


class JsonLinesReader:
    """columns: every key of the first thousand lines, in the order of first sight."""

    def __init__(self, file: SourceFile, encoding: str) -> None:
        self._file = file
        self._encoding = encoding
        self.columns = self._find_columns()

    def _find_columns(self) -> list[str]:
        seen: dict[str, None] = {}
        read = 0
        for _line, parsed in self._objects():
            read += 1
            if isinstance(parsed, dict):
                seen.update(dict.fromkeys(parsed))
            if read >= LINES_FOR_COLUMNS:
                break
        if not read:
            raise SourceError("empty", _("%(file)s is empty.") % {"file": self._file.path.name})
        return list(seen)

    def rows(self) -> Iterator[Row | Unreadable]:
        for number, parsed in self._objects():
            if isinstance(parsed, Unreadable):
                yield parsed
                continue
            try:
                yield Row(number, [_plain(parsed.get(name)) for name in self.columns])
            except ValueError as error:
                yield Unreadable(number, "bad_value", str(error), _shown(parsed))

    def _objects(self) -> Iterator[tuple[int, dict[str, Any] | Unreadable]]:
        with self._file.open() as stream:
            text = io.TextIOWrapper(stream, encoding=self._encoding, errors="strict")
            number = 0
            try:
                while line := text.readline(MAX_RECORD + 1):
                    number += 1
                    if len(line) > MAX_RECORD:
                        while line and not line.endswith("\n"):
                            line = text.readline(MAX_RECORD)
                        yield number, _too_long(number)
                    elif line.strip():
                        yield number, _parse(number, line)
            except UnicodeError as error:
                raise SourceError(
                    "bad_encoding",
                    _("Line %(line)d is not %(encoding)s. Name the encoding in the mapping.")
                    % {"line": number + 1, "encoding": self._encoding},
                ) from error
            finally:
                text.detach()


def _parse(number: int, line: str) -> dict[str, Any] | Unreadable:
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Unreadable(
            number, "bad_json", _("The line is not JSON: %s") % error, line.strip()[:RAW_SHOWN]
        )
    if not isinstance(parsed, dict):
        return Unreadable(
            number, "bad_json", _("The line is not a JSON object."), line.strip()[:RAW_SHOWN]
        )
    return parsed


def _too_long(number: int) -> Unreadable:
    reason = _("The line is longer than %(count)d characters.") % {"count": MAX_RECORD}
    return Unreadable(number, "too_long", reason, "")


def _plain(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        if "\x00" in value:
            raise ValueError(_("The row holds a NUL character."))
        # Half of a pair that JSON's escapes can spell and no database can store.
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise ValueError(_("A value is a list or an object; plain values are expected."))


def _shown(parsed: dict[str, Any]) -> str:
    return json.dumps(parsed, ensure_ascii=True)[:RAW_SHOWN].replace("\\u0000", "�")
