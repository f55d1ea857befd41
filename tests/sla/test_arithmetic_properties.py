"""Calendars and clocks against the minute-by-minute walk, over zones and strange days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from spine.sla.arithmetic import Clock, Pause, SegmentKind
from spine.sla.calendar import WorkCalendar
from spine.sla.hours import parse_week
from tests.sla.calendars import DAYS, Drawn, amounts, drawn_calendars, minutes, pauses
from tests.sla.oracle import WatchedClock

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PERCENTS = (50, 75, 100, 150)


@quick
@given(drawn_calendars(), st.lists(st.tuples(minutes, minutes), min_size=4, max_size=4))
def test_open_time_between_two_instants(drawn: Drawn, pairs: list[tuple[int, int]]) -> None:
    calendar, watch = drawn.calendar, drawn.watch
    for a, b in pairs:
        start, end = drawn.at(a), drawn.at(b)
        assert calendar.business_seconds(start, end) == watch.minutes_between(a, b) * 60
        assert [
            (
                (opens - drawn.origin) // timedelta(minutes=1),
                (closes - opens) // timedelta(minutes=1),
            )
            for opens, closes in calendar.segments(start, end)
        ] == [(opens, closes - opens) for opens, closes in watch.stretches(a, b)]
        assert calendar.is_open(start) == watch.open_minutes[a]


@quick
@given(drawn_calendars(), st.lists(st.tuples(minutes, amounts), min_size=4, max_size=4))
def test_adding_open_time_finds_the_least_instant(
    drawn: Drawn, steps: list[tuple[int, int]]
) -> None:
    calendar, watch = drawn.calendar, drawn.watch
    assume(any(drawn.week))
    for start, amount in steps:
        expected = watch.after(start, amount)
        found = calendar.add(drawn.at(start), amount * 60)
        if expected is None:
            assert found > drawn.at(DAYS * 1440)
        else:
            assert found == drawn.at(expected)
        opens = watch.first_open(start)
        if opens is not None:
            assert calendar.next_open(drawn.at(start)) == drawn.at(opens)


@quick
@given(
    drawn_calendars(),
    minutes,
    amounts,
    pauses(),
    st.none() | minutes,
    st.lists(minutes, min_size=3, max_size=3),
)
def test_a_clock_keeps_time_with_the_watch(
    drawn: Drawn,
    start: int,
    quarter: int,
    held: list[tuple[int, int | None]],
    stop: int | None,
    moments: list[int],
) -> None:
    assume(any(drawn.week))
    if stop is not None:
        stop = max(stop, start)
        held = [(a, b if b is not None else max(a, stop)) for a, b in held]
    watched = WatchedClock(drawn.watch, start, quarter * 4, held, stop)
    clock = Clock(
        drawn.calendar,
        drawn.at(start),
        quarter * 4 * 60,
        [Pause(drawn.at(a), None if b is None else drawn.at(b)) for a, b in held],
        None if stop is None else drawn.at(stop),
    )
    end = drawn.at(DAYS * 1440)
    open_ended = any(b is None for _a, b in held)

    due = watched.reaches(watched.target)
    if open_ended:
        assert clock.due_at() is None
    elif due is None:
        assert (clock.due_at() or end) >= end
    else:
        assert clock.due_at() == drawn.at(due)

    for percent, at in clock.stages(PERCENTS):
        expected = watched.reaches(watched.target * percent // 100)
        if expected is None:
            assert at is None or (not open_ended and at >= end)
        elif stop is not None and stop <= expected:
            assert at is None
        else:
            assert at == drawn.at(expected)

    for now in moments:
        assert clock.elapsed(drawn.at(now)) == timedelta(minutes=watched.elapsed(now))
        breached = due is not None and due <= now and (stop is None or due < stop)
        assert clock.breached_at(drawn.at(now)) == (drawn.at(due or 0) if breached else None)
        if stop is None:
            assert clock.paused_at(drawn.at(now)) == watched.paused(now)


@quick
@given(drawn_calendars(), minutes, amounts, pauses(), st.none() | minutes, minutes)
def test_an_explanation_adds_up(
    drawn: Drawn,
    start: int,
    target: int,
    held: list[tuple[int, int | None]],
    stop: int | None,
    now: int,
) -> None:
    assume(any(drawn.week))
    # Off the minute, to see that nothing is rounded.
    started_at = drawn.at(start) + timedelta(seconds=17, microseconds=123_457)
    clock = Clock(
        drawn.calendar,
        started_at,
        target * 60 + 7,
        [Pause(drawn.at(a), None if b is None else drawn.at(b)) for a, b in held],
        None if stop is None else max(drawn.at(stop), started_at),
    )
    told = clock.explain(drawn.at(now))
    worked, left = told.total(SegmentKind.WORKED), told.total(SegmentKind.REMAINING)
    assert worked + left == told.target
    known = clock.as_of(drawn.at(now))
    assert worked + told.total(SegmentKind.OVERDUE) == known.elapsed(drawn.at(now))
    dated = [s for s in told.segments if s.start is not None and s.end is not None]
    for segment in dated:
        if segment.kind != SegmentKind.PAUSED:
            assert segment.start is not None
            assert segment.end is not None
            assert segment.duration == segment.end - segment.start
    if left and known.stopped_at is None and told.due_at is not None:
        assert dated[-1].kind == SegmentKind.REMAINING
        assert dated[-1].end == told.due_at
    if told.due_at is not None and known.stopped_at is None:
        assert known.elapsed(told.due_at) == told.target


@quick
@given(
    drawn_calendars(),
    drawn_calendars(("Asia/Shanghai", date(2025, 9, 24))),
    minutes,
    st.tuples(amounts, amounts),
    pauses(),
)
def test_a_change_of_priority_or_policy_retargets_from_the_start(
    drawn: Drawn,
    other: Drawn,
    start: int,
    targets: tuple[int, int],
    held: list[tuple[int, int | None]],
) -> None:
    """Whenever it comes, paused or not: new target and calendar with the old start and pauses."""
    assume(any(drawn.week) and any(other.week))
    # Both calendars are walked over the same days.
    other = replace(other, origin=drawn.origin)
    facts = [Pause(drawn.at(a), None if b is None else drawn.at(b)) for a, b in held]
    clock = Clock(drawn.calendar, drawn.at(start), targets[0] * 60, facts)
    for changed, watch, target in (
        (replace(clock, target=targets[1] * 60), drawn.watch, targets[1]),
        (replace(clock, calendar=other.calendar), other.watch, targets[0]),
        (replace(clock, calendar=other.calendar, target=targets[1] * 60), other.watch, targets[1]),
    ):
        expected = WatchedClock(watch, start, target, held).reaches(target)
        found = changed.due_at()
        if any(b is None for _a, b in held):
            assert found is None
        elif expected is None:
            assert found is not None
            assert found >= drawn.at(DAYS * 1440)
        else:
            assert found == drawn.at(expected)


@quick
@given(
    st.sampled_from(["Asia/Shanghai", "Europe/Prague", "Australia/Lord_Howe"]),
    st.integers(0, 40 * 365 * 86_400_000_000).map(
        lambda n: datetime(1995, 1, 1, tzinfo=UTC) + timedelta(microseconds=n)
    ),
    st.integers(1, 20_000_000),
)
def test_huge_targets_are_exact_to_the_microsecond(
    zone: str, start: datetime, seconds: int
) -> None:
    week = parse_week({day: ["09:00-12:00", "13:00-18:00"] for day in ("mon", "wed", "sun")})
    calendar = WorkCalendar("Three days", ZoneInfo(zone), week)
    due = calendar.add(start, seconds)
    assert calendar.business_time(start, due) == timedelta(seconds=seconds)
    just_before = due - timedelta(microseconds=1)
    assert calendar.business_time(start, just_before) < timedelta(seconds=seconds)
    assert sum(
        (closes - opens for opens, closes in calendar.segments(start, due)), timedelta()
    ) == timedelta(seconds=seconds)
