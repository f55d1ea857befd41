"""The working hours of one day, and their written form.

A day's hours are ordered spans of wall time in minutes since midnight; a break is a gap between
two spans. Written, a span is `"09:00-12:00"` and a day a list of them; a week is a mapping from
`mon` ... `sun` to days. A span may end at `24:00`. Work that passes midnight is written as two
spans, `"22:00-24:00"` and, on the next day, `"00:00-06:00"`; together they are one unbroken time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from django.utils.translation import gettext as _

from spine.sla.errors import BadHours

DAY_MINUTES = 24 * 60
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_SPANS = 24
_SPAN = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])", re.ASCII)


class Span(NamedTuple):
    """Wall time from `start` up to, not including, `end`, in minutes since midnight."""

    start: int
    end: int


Hours = tuple[Span, ...]
Week = tuple[Hours, Hours, Hours, Hours, Hours, Hours, Hours]

CLOSED: Hours = ()
WHOLE_DAY: Hours = (Span(0, DAY_MINUTES),)
ALL_WEEK: Week = (
    WHOLE_DAY,
    WHOLE_DAY,
    WHOLE_DAY,
    WHOLE_DAY,
    WHOLE_DAY,
    WHOLE_DAY,
    WHOLE_DAY,
)


def usual_hours(week: Week) -> Hours:
    """The hours of a make-up workday: those that most weekdays share, the earlier day on a tie."""
    working = [hours for hours in week if hours]
    return max(working, key=working.count, default=CLOSED)


def parse_hours(value: object, field: str | None = None) -> Hours:
    """Read `["09:00-12:00", "13:00-18:00"]`. Raises `BadHours` naming what is wrong."""
    if not isinstance(value, list | tuple):
        raise BadHours(_("Give the hours as a list such as 09:00-12:00."), field)
    if len(value) > MAX_SPANS:
        raise BadHours(_("A day has at most %(count)d spans.") % {"count": MAX_SPANS}, field)
    spans = sorted(_parse_span(item, field) for item in value)
    for earlier, later in pairwise(spans):
        if later.start < earlier.end:
            names = {"a": _format_span(earlier), "b": _format_span(later)}
            raise BadHours(_("%(a)s and %(b)s overlap.") % names, field)
    return tuple(spans)


def parse_week(value: object, field: str | None = None) -> Week:
    """Read a mapping from `mon` ... `sun` to hours; a day left out is closed."""
    if not isinstance(value, Mapping):
        raise BadHours(_("Give the week as hours for each day from mon to sun."), field)
    unknown = sorted(str(key) for key in value if key not in WEEKDAYS)
    if unknown:
        raise BadHours(_("“%(day)s” is not a weekday.") % {"day": unknown[0][:40]}, field)
    days = (parse_hours(value.get(day, ()), f"{field}.{day}" if field else day) for day in WEEKDAYS)
    mon, tue, wed, thu, fri, sat, sun = days
    return (mon, tue, wed, thu, fri, sat, sun)


def format_hours(hours: Sequence[Span]) -> list[str]:
    """The written form; `parse_hours` reads it back to the same value."""
    return [_format_span(span) for span in hours]


def format_week(week: Week) -> dict[str, list[str]]:
    """The written form of a week, every day named."""
    return {day: format_hours(hours) for day, hours in zip(WEEKDAYS, week, strict=True)}


def _parse_span(value: object, field: str | None) -> Span:
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    shown = {"value": str(value)[:40]}
    if not found:
        raise BadHours(_("“%(value)s” is not a span such as 09:00-12:00.") % shown, field)
    from_hour, from_minute, to_hour, to_minute = map(int, found.groups())
    span = Span(from_hour * 60 + from_minute, to_hour * 60 + to_minute)
    if span.end > DAY_MINUTES:
        raise BadHours(_("“%(value)s” ends after 24:00.") % shown, field)
    if span.start >= span.end:
        message = _("“%(value)s” must end after it starts; split hours that pass midnight.")
        raise BadHours(message % shown, field)
    return span


def _format_span(span: Span) -> str:
    return f"{span.start // 60:02}:{span.start % 60:02}-{span.end // 60:02}:{span.end % 60:02}"
