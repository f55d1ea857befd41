"""What a patient person with a watch would find: time walked minute by minute.

Shares nothing with `spine.sla`: hours are looked up by the local wall time that the standard
library gives for each UTC minute. All facts must lie on whole minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

MinuteSpans = Sequence[tuple[int, int]]
"""Wall-time spans of one day in minutes since midnight."""


@dataclass
class Watch:
    """Every minute from `origin` on, with whether it is a working one."""

    origin: datetime
    open_minutes: list[bool]

    @classmethod
    def walk(
        cls,
        zone: ZoneInfo,
        week: Sequence[MinuteSpans],
        special: Mapping[date, MinuteSpans],
        origin: datetime,
        days: int,
    ) -> Watch:
        found = []
        at, minute_long = origin, timedelta(minutes=1)
        for _minute in range(days * 1440):
            wall = at.astimezone(zone)
            spans = special.get(wall.date())
            if spans is None:
                spans = week[wall.weekday()]
            minute = wall.hour * 60 + wall.minute
            is_open = False
            for start, end in spans:
                is_open = is_open or start <= minute < end
            found.append(is_open)
            at += minute_long
        return cls(origin, found)

    def minutes_between(self, start: int, end: int) -> int:
        return sum(self.open_minutes[start:end])

    def after(self, start: int, amount: int) -> int | None:
        """The first minute with `amount` working minutes behind it; None beyond the walk."""
        for i in range(start, len(self.open_minutes) + 1):
            if amount == 0:
                return i
            if i < len(self.open_minutes) and self.open_minutes[i]:
                amount -= 1
        return None

    def first_open(self, start: int) -> int | None:
        for i in range(start, len(self.open_minutes)):
            if self.open_minutes[i]:
                return i
        return None

    def stretches(self, start: int, end: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for i in range(start, end):
            if not self.open_minutes[i]:
                continue
            if found and found[-1][1] == i:
                found[-1] = (found[-1][0], i + 1)
            else:
                found.append((i, i + 1))
        return found


@dataclass
class WatchedClock:
    """A clock on the watch: minutes since the origin throughout."""

    watch: Watch
    start: int
    target: int
    pauses: Sequence[tuple[int, int | None]]
    stop: int | None = None

    def paused(self, minute: int) -> bool:
        return any(start <= minute and (end is None or minute < end) for start, end in self.pauses)

    def elapsed(self, now: int) -> int:
        last = now if self.stop is None else min(now, self.stop)
        return sum(
            self.watch.open_minutes[i] and not self.paused(i) for i in range(self.start, last)
        )

    def reaches(self, amount: int) -> int | None:
        """The first minute, not paused, with `amount` minutes worked; None beyond the walk."""
        worked = 0
        for i in range(self.start, len(self.watch.open_minutes)):
            running = not self.paused(i)
            if running and worked >= amount:
                return i
            worked += running and self.watch.open_minutes[i]
        return None
