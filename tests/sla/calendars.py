"""Calendars and clocks for the property tests, drawn once and given to both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from spine.sla.calendar import SpecialDay, WorkCalendar
from spine.sla.hours import Span, Week
from tests.sla.oracle import MinuteSpans, Watch

DAYS = 6
# A zone and a day from which something strange happens within the walk.
STRANGE = [
    ("Asia/Shanghai", date(2025, 9, 24)),
    ("Europe/Prague", date(2025, 3, 26)),
    ("Europe/Prague", date(2025, 10, 22)),
    ("America/New_York", date(2025, 3, 6)),
    ("America/New_York", date(2025, 10, 30)),
    ("Australia/Lord_Howe", date(2025, 4, 2)),
    ("Australia/Lord_Howe", date(2025, 10, 1)),
    ("Asia/Kathmandu", date(2025, 1, 1)),
    ("Pacific/Apia", date(2011, 12, 26)),  # no 30 December
    ("America/St_Johns", date(2010, 11, 4)),  # 00:01 back to 23:01 of the day before
    ("America/Sao_Paulo", date(2018, 11, 1)),  # midnight is skipped
]
OFFICE: MinuteSpans = ((540, 720), (780, 1080))
TYPICAL: list[list[MinuteSpans]] = [
    [OFFICE] * 5 + [()] * 2,
    [((0, 1440),)] * 7,
    [((0, 360), (1320, 1440))] * 7,
]

minute_of_day = st.sampled_from([0, 1, 30, 60, 90, 119, 120, 121, 150, 180, 540, 720, 1380, 1440])


@st.composite
def day_spans(draw: st.DrawFn) -> MinuteSpans:
    edges = sorted(draw(st.sets(minute_of_day | st.integers(0, 1440), max_size=6)))
    return tuple(zip(edges[::2], edges[1::2], strict=False))


@dataclass
class Drawn:
    """One calendar in both forms, with its walk."""

    zone: ZoneInfo
    week: Sequence[MinuteSpans]
    special: Mapping[date, MinuteSpans]
    origin: datetime

    @property
    def calendar(self) -> WorkCalendar:
        days = [tuple(Span(*span) for span in day) for day in self.week]
        week: Week = (days[0], days[1], days[2], days[3], days[4], days[5], days[6])
        special = {
            day: SpecialDay(tuple(Span(*span) for span in spans))
            for day, spans in self.special.items()
        }
        return WorkCalendar("Drawn", self.zone, week, special)

    @property
    def watch(self) -> Watch:
        return Watch.walk(self.zone, self.week, self.special, self.origin, DAYS)

    def at(self, minute: int) -> datetime:
        return self.origin + timedelta(minutes=minute)


@st.composite
def drawn_calendars(draw: st.DrawFn, where: tuple[str, date] | None = None) -> Drawn:
    key, first = where or draw(st.sampled_from(STRANGE))
    week = draw(st.sampled_from(TYPICAL) | st.lists(day_spans(), min_size=7, max_size=7))
    dates = st.integers(0, DAYS).map(lambda n: first + timedelta(days=n))
    special = draw(st.dictionaries(dates, st.just(()) | st.just(OFFICE) | day_spans(), max_size=4))
    return Drawn(ZoneInfo(key), week, special, datetime(*first.timetuple()[:3], tzinfo=UTC))


minutes = st.integers(0, DAYS * 1440 - 1)
amounts = st.integers(0, 60) | st.integers(0, 5 * 1440)


@st.composite
def pauses(draw: st.DrawFn) -> list[tuple[int, int | None]]:
    """Overlapping, touching, empty, in any order, before the start, perhaps one without an end."""
    found: list[tuple[int, int | None]] = []
    for _n in range(draw(st.integers(0, 4))):
        start = draw(minutes)
        found.append((start, start + draw(st.integers(0, 2000))))
    if draw(st.booleans()) and draw(st.booleans()):
        found.append((draw(minutes), None))
    return draw(st.permutations(found))
