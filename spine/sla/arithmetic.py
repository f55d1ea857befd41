"""The arithmetic of one clock, from facts alone.

A clock is its start, its target, its calendar, its pauses and, once over, its stop. Everything is
worked out from these each time, so a new priority (another target), another policy or a new notice
of holidays (another calendar) re-targets from the original start while pauses stay what they were:
build a `Clock` with the new target or calendar and the same start and pauses.

The terms, exactly:

- The clock is paused during [from, to) of a pause; it works at open instants that are not paused.
- It reaches an amount at the least instant, not paused, with that much worked time since the start.
- It is due when it reaches its target. While paused it has no due time.
- It is breached from that instant on, unless it was stopped at or before it. A pause or a stop at
  the very instant of the due time is still in time, so a clock never breaches while paused.
- A stage of p percent happens when the clock reaches p percent of the target.

Amounts are exact to the microsecond. Nothing here reads a database or the present moment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from spine.sla.calendar import SECOND, SpecialDay, WorkCalendar, from_micros, to_micros

DEFAULT_STAGES = (50, 75, 100)


class Pause(NamedTuple):
    """The clock stands still from `start` up to `end`, or until further notice (None)."""

    start: datetime
    end: datetime | None = None


class Stage(NamedTuple):
    """When the clock reaches `percent` of its target; None if a pause or the stop prevents it."""

    percent: int
    at: datetime | None


class SegmentKind(StrEnum):
    WORKED = "worked"
    PAUSED = "paused"
    REMAINING = "remaining"
    OVERDUE = "overdue"


class Segment(NamedTuple):
    """A stretch of a clock's life.

    duration is the open time in it: for `paused`, what the pause took off the clock. `remaining`
    has no start and end where nobody can say when it will be worked (paused) or where it never
    will be (stopped).
    """

    kind: SegmentKind
    start: datetime | None
    end: datetime | None
    duration: timedelta


@dataclass(frozen=True)
class Explanation:
    """Why a clock is due when it is.

    segments: in order; `worked` and `remaining` together are exactly `target`, what lies beyond
    the due time is `overdue`. special_days: the dates on the way whose hours differ from the
    weekday's, with their names.
    """

    calendar_name: str
    zone: str
    target: timedelta
    started_at: datetime
    due_at: datetime | None
    paused: bool
    segments: tuple[Segment, ...]
    special_days: tuple[tuple[date, SpecialDay], ...]

    def total(self, kind: SegmentKind) -> timedelta:
        """The open time of all segments of one kind."""
        return sum((s.duration for s in self.segments if s.kind == kind), timedelta())


@dataclass(frozen=True)
class Clock:
    """The facts of one clock. target is in working seconds; pauses may overlap, in any order."""

    calendar: WorkCalendar
    started_at: datetime
    target: int
    pauses: Sequence[tuple[datetime, datetime | None]] = field(default=())
    stopped_at: datetime | None = None

    def paused_at(self, now: datetime) -> bool:
        """Whether the clock stands still at `now`; a stopped clock is not paused."""
        if self.stopped_at is not None and self.stopped_at <= now:
            return False
        return any(
            start <= now and (end is None or now < end)
            for start, end in self.pauses
            if end is None or start < end
        )

    def elapsed(self, now: datetime) -> timedelta:
        """Worked time up to `now` or the stop, whichever is first."""
        return timedelta(microseconds=self._worked_micros(self._last_moment(now)))

    def remaining(self, now: datetime) -> timedelta:
        """Target minus worked time; negative by as much as the clock is overdue."""
        return timedelta(seconds=self.target) - self.elapsed(now)

    def percent_used(self, now: datetime) -> float:
        """Worked time as a percentage of the target, over 100 when overdue."""
        if not self.target:
            return 100.0
        return self._worked_micros(self._last_moment(now)) / (self.target * SECOND) * 100

    def due_at(self) -> datetime | None:
        """When the target is used up, or None while paused (a pause without an end).

        A stopped clock keeps the due time that it had.
        Raises `CalendarNeverOpens` or `OutOfRange` where the calendar leads to no answer.
        """
        if self.stopped_at is None and any(end is None for _start, end in self.pauses):
            return None
        return self._reaches(self.target * SECOND)

    def breached_at(self, now: datetime) -> datetime | None:
        """The exact instant of the breach if it has happened by `now`, else None."""
        at = self._happens(self.target * SECOND)
        return at if at is not None and at <= now else None

    def stages(self, percents: Sequence[int] = DEFAULT_STAGES) -> list[Stage]:
        """When each percentage is reached, in the order given.

        While paused, stages reached before the pause keep their instant and later ones have None;
        so have stages that the stop came before.
        """
        return [
            Stage(percent, self._happens(self.target * SECOND * percent // 100))
            for percent in percents
        ]

    def next_stage(self, percents: Sequence[int], recorded: Collection[int] = ()) -> Stage | None:
        """The earliest stage with an instant that is not in `recorded`: the next wake-up."""
        for percent in sorted(set(percents) - set(recorded)):
            at = self._happens(self.target * SECOND * percent // 100)
            return None if at is None else Stage(percent, at)
        return None

    def as_of(self, now: datetime) -> Clock:
        """The same clock as it was known at `now`: nothing later has happened yet."""
        pauses = tuple(
            Pause(start, end if end is not None and end <= now else None)
            for start, end in self.pauses
            if start <= now and (end is None or start < end)
        )
        stopped_at = self.stopped_at
        if stopped_at is not None and stopped_at > now:
            stopped_at = None
        return replace(self, pauses=pauses, stopped_at=stopped_at)

    def explain(self, now: datetime) -> Explanation:
        """The segments behind the due time, as known at `now`."""
        known = self.as_of(now)
        due = known.due_at()
        segments = [*known._past(now), *known._future(now, due)]
        segments.sort(
            key=lambda s: (
                s.start is None,
                s.start or now,
                s.kind == SegmentKind.PAUSED,
            )
        )
        return Explanation(
            calendar_name=self.calendar.name,
            zone=self.calendar.zone.key,
            target=timedelta(seconds=self.target),
            started_at=self.started_at,
            due_at=due,
            paused=known.paused_at(now),
            segments=tuple(segments),
            special_days=self._special_days(max(due or now, known._last_moment(now))),
        )

    def _past(self, now: datetime) -> Iterator[Segment]:
        last = self._last_moment(now)
        target_reached = self._reaches(self.target * SECOND)
        for run_start, run_end in self._runs(to_micros(last)):
            for opens, closes in self.calendar.segments(
                from_micros(run_start), from_micros(run_end)
            ):
                if target_reached is None or closes <= target_reached:
                    yield Segment(SegmentKind.WORKED, opens, closes, closes - opens)
                    continue
                split = max(opens, target_reached)
                if opens < split:
                    yield Segment(SegmentKind.WORKED, opens, split, split - opens)
                yield Segment(SegmentKind.OVERDUE, split, closes, closes - split)
        for start, end in self._pauses():
            since = max(start, to_micros(self.started_at))
            until = to_micros(last) if end is None else min(end, to_micros(last))
            if since < until or (end is None and since == until):
                taken = timedelta(microseconds=self.calendar.open_micros(since, until))
                yield Segment(SegmentKind.PAUSED, from_micros(since), from_micros(until), taken)

    def _future(self, now: datetime, due: datetime | None) -> Iterator[Segment]:
        left = self.remaining(now)
        if left <= timedelta():
            return
        if due is None or self.stopped_at is not None:
            yield Segment(SegmentKind.REMAINING, None, None, left)
            return
        for opens, closes in self.calendar.segments(max(now, self.started_at), due):
            yield Segment(SegmentKind.REMAINING, opens, closes, closes - opens)

    def _special_days(self, until: datetime) -> tuple[tuple[date, SpecialDay], ...]:
        zone = self.calendar.zone
        first, last = (
            self.started_at.astimezone(zone).date(),
            until.astimezone(zone).date(),
        )
        days = self.calendar.special_days
        return tuple((day, days[day]) for day in sorted(days) if first <= day <= last)

    def _last_moment(self, now: datetime) -> datetime:
        return now if self.stopped_at is None else min(now, self.stopped_at)

    def _happens(self, amount: int) -> datetime | None:
        at = self._reaches(amount)
        if at is not None and self.stopped_at is not None and self.stopped_at <= at:
            return None
        return at

    def _reaches(self, amount: int) -> datetime | None:
        """The least instant, not paused, with `amount` microseconds worked; None if there is no
        such instant because of a pause without an end."""
        calendar = self.calendar
        start = to_micros(self.started_at)
        for since, until in self._pauses():
            if start < since:
                worked = calendar.open_micros(start, since)
                # With the amount used up at the very start of the pause, the clock is paused there.
                if amount <= worked and (at := calendar.add_micros(start, amount)) < since:
                    return from_micros(at)
                amount -= worked
            if until is None:
                return None
            start = max(start, until)
        return from_micros(calendar.add_micros(start, amount))

    def _worked_micros(self, until: datetime) -> int:
        calendar = self.calendar
        return sum(calendar.open_micros(start, end) for start, end in self._runs(to_micros(until)))

    def _runs(self, last: int) -> Iterator[tuple[int, int]]:
        """The stretches between the start and `last` in which the clock is not paused."""
        start = to_micros(self.started_at)
        for since, until in self._pauses():
            if start < min(since, last):
                yield start, min(since, last)
            if until is None:
                return
            start = max(start, until)
        if start < last:
            yield start, last

    def _pauses(self) -> list[tuple[int, int | None]]:
        """The pauses in order, merged where they touch; at most the last one has no end.

        A pause that was open when the clock stopped ended there.
        """
        if not self.pauses:
            return []
        spans = []
        for start, end in self.pauses:
            end = self.stopped_at if end is None else end
            if end is None or start < end:
                spans.append((to_micros(start), None if end is None else to_micros(end)))
        spans.sort(key=lambda span: span[0])
        merged: list[tuple[int, int | None]] = []
        for since, until in spans:
            if merged:
                first, reach = merged[-1]
                if reach is None:
                    break
                if since <= reach:
                    merged[-1] = (first, None if until is None else max(reach, until))
                    continue
            merged.append((since, until))
        return merged
