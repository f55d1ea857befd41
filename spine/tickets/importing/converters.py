"""From a column's text to a value, or RowError with the reason. Every converter is pure.

A converter is made once from its options in the mapping (which are checked then) and called for
each row with the text, stripped and not a null token.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from spine.tickets.importing.errors import MappingError, RowError

Converter = Callable[[str], Any]
# Not a value but an order: leave the field as the event before left it.
KEEP = object()
_SPACES = re.compile(r"\s+")
_LEADING_NUMBER = re.compile(r"\s*(-?\d{1,12})\b")
_INTEGER = re.compile(r"[+-]?\d{1,12}", re.ASCII)
# Texts in a column repeat: so many different ones are kept with their values.
KEPT_RESULTS = 8192
MAX_YEAR = 2199
MIN_YEAR = 1900


def name(limit: int) -> Converter:
    """One line, inner spaces collapsed."""

    def convert(text: str) -> str:
        value = _SPACES.sub(" ", text).strip()
        _check_text(value, limit)
        return value

    return convert


def text(limit: int) -> Converter:
    def convert(value: str) -> str:
        _check_text(value, limit)
        return value

    return convert


def _check_text(value: str, limit: int) -> None:
    if "\x00" in value:
        raise RowError("nul", _("The value holds a NUL character."))
    if len(value) > limit:
        raise RowError(
            "too_long",
            _("The value has %(found)d characters; at most %(limit)d fit.")
            % {"found": len(value), "limit": limit},
        )


def integer(low: int = 0, high: int = 2_147_483_647) -> Converter:
    def convert(value: str) -> int:
        if not _INTEGER.fullmatch(value):
            raise RowError("not_a_number", _("“%s” is not a whole number.") % shown(value))
        return _in_range(int(value), low, high)

    return convert


def prefix_number(low: int = 0, high: int = 2_147_483_647) -> Converter:
    """ "2 - Medium" -> 2."""

    def convert(value: str) -> int:
        found = _LEADING_NUMBER.match(value)
        if found is None:
            raise RowError("not_a_number", _("“%s” does not begin with a number.") % shown(value))
        return _in_range(int(found[1]), low, high)

    return convert


def _in_range(number: int, low: int, high: int) -> int:
    if not low <= number <= high:
        raise RowError(
            "out_of_range",
            _("%(number)d lies outside %(low)d to %(high)d.")
            % {"number": number, "low": low, "high": high},
        )
    return number


def boolean(true: list[str], false: list[str], invert: bool) -> Converter:
    known = {value.lower(): not invert for value in true}
    known |= {value.lower(): invert for value in false}

    def convert(value: str) -> bool:
        found = known.get(value.lower())
        if found is None:
            raise RowError("unknown_value", _("“%s” is neither true nor false.") % shown(value))
        return found

    return convert


def choice(values: Mapping[str, Any], unknown: str) -> Converter:
    """values: {text in the file: value here}; unknown: `reject`, `keep` (as before) or `empty`."""
    known = {key.lower(): value for key, value in values.items()}

    def convert(value: str) -> Any:
        found = known.get(value.lower(), known)
        if found is not known:
            return found
        if unknown == "keep":
            return KEEP
        if unknown == "empty":
            return None
        raise RowError("unknown_value", _("The mapping does not know “%s”.") % shown(value))

    return convert


def moment(formats: list[str], zone: ZoneInfo) -> Converter:
    """An aware moment. ISO 8601 is always understood; its own offset wins over the zone."""

    def convert(value: str) -> datetime:
        parsed = _parse(value, formats)
        if parsed is None or not MIN_YEAR <= parsed.year <= MAX_YEAR:
            raise RowError("bad_date", _("“%s” is not a date of the given form.") % shown(value))
        return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=zone)

    return convert


def _parse(value: str, formats: list[str]) -> datetime | None:
    for form in formats:
        try:
            return datetime.strptime(value, form)  # noqa: DTZ007 - the zone is the mapping's
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def check_format(form: str, place: str) -> None:
    """A date form must read back what it writes."""
    probe = datetime(2019, 11, 28, 13, 45)  # noqa: DTZ001 - only the form matters
    try:
        read = datetime.strptime(probe.strftime(form), form)  # noqa: DTZ007
    except (ValueError, re.error) as error:
        raise MappingError(place, _("“%s” is not a date form.") % form) from error
    if read.date() != probe.date():
        raise MappingError(place, _("“%s” does not name year, month and day.") % form)


def shown(value: str) -> str:
    """A value as it may stand in a reason: short, on one line, nothing that can't be stored."""
    short = value if len(value) <= 60 else f"{value[:57]}…"
    return _SPACES.sub(" ", short).replace("\x00", "�")
