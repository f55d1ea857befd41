"""Clocks that a person can check with a calendar on the wall."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from spine.kit.errors import DomainError
from spine.sla.arithmetic import Clock, Pause, SegmentKind, Stage
from spine.sla.calendar import SpecialDay, WorkCalendar
from spine.sla.errors import CalendarNeverOpens, OutOfRange
from spine.sla.hours import ALL_WEEK, CLOSED, WEEKDAYS, format_week, parse_hours, parse_week

SHANGHAI = ZoneInfo("Asia/Shanghai")
OFFICE = ["09:00-12:00", "13:00-18:00"]
WEEK = parse_week(dict.fromkeys(WEEKDAYS[:5], OFFICE))
CHINA_2025 = {
    date(2025, 9, 28): SpecialDay(WEEK[0], "Make-up workday"),
    **{date(2025, 10, day): SpecialDay(CLOSED, "National Day") for day in range(1, 9)},
    date(2025, 10, 11): SpecialDay(WEEK[0], "Make-up workday"),
}
BUSINESS = WorkCalendar("Business hours", SHANGHAI, WEEK, CHINA_2025)
HOUR = 3600


def shanghai(month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2025, month, day, hour, minute, tzinfo=SHANGHAI)


FRIDAY_5PM = shanghai(9, 26, 17)


def test_eight_hours_from_friday_evening_run_out_on_the_make_up_sunday() -> None:
    clock = Clock(BUSINESS, FRIDAY_5PM, 8 * HOUR)
    assert clock.due_at() == shanghai(9, 28, 17)
    told = clock.explain(FRIDAY_5PM)
    assert [(s.kind, s.start, s.end) for s in told.segments] == [
        (SegmentKind.REMAINING, shanghai(9, 26, 17), shanghai(9, 26, 18)),
        (SegmentKind.REMAINING, shanghai(9, 28, 9), shanghai(9, 28, 12)),
        (SegmentKind.REMAINING, shanghai(9, 28, 13), shanghai(9, 28, 17)),
    ]
    assert told.calendar_name == "Business hours"
    assert told.special_days == ((date(2025, 9, 28), CHINA_2025[date(2025, 9, 28)]),)


def test_national_week_is_stepped_over() -> None:
    clock = Clock(BUSINESS, shanghai(9, 30, 17), 2 * HOUR)
    assert clock.due_at() == shanghai(10, 9, 10)


def test_stages_follow_working_time() -> None:
    clock = Clock(BUSINESS, FRIDAY_5PM, 8 * HOUR)
    assert clock.stages() == [
        Stage(50, shanghai(9, 28, 12)),
        Stage(75, shanghai(9, 28, 15)),
        Stage(100, shanghai(9, 28, 17)),
    ]
    assert clock.next_stage((50, 75, 100)) == Stage(50, shanghai(9, 28, 12))
    assert clock.next_stage((50, 75, 100), recorded={50, 75}) == Stage(100, shanghai(9, 28, 17))
    assert clock.next_stage((50, 75, 100), recorded={50, 75, 100}) is None


def test_while_paused_there_is_no_due_time_and_no_breach() -> None:
    paused = Clock(BUSINESS, shanghai(9, 22, 9), 4 * HOUR, [Pause(shanghai(9, 22, 11))])
    later = shanghai(9, 25, 18)
    assert paused.due_at() is None
    assert paused.breached_at(later) is None
    assert paused.next_stage((75, 100)) is None
    assert paused.stages() == [Stage(50, None), Stage(75, None), Stage(100, None)]
    assert paused.elapsed(later) == timedelta(hours=2)
    told = paused.explain(later)
    assert told.paused
    assert [(s.kind, s.duration) for s in told.segments] == [
        (SegmentKind.WORKED, timedelta(hours=2)),
        (SegmentKind.PAUSED, timedelta(hours=30)),
        (SegmentKind.REMAINING, timedelta(hours=2)),
    ]
    resumed = replace(paused, pauses=[Pause(shanghai(9, 22, 11), shanghai(9, 25, 17))])
    assert resumed.due_at() == shanghai(9, 26, 10)


def test_a_breach_before_the_pause_stays_a_breach() -> None:
    clock = Clock(BUSINESS, shanghai(9, 22, 9), HOUR, [Pause(shanghai(9, 22, 11))])
    assert clock.breached_at(shanghai(9, 23, 9)) == shanghai(9, 22, 10)
    assert clock.due_at() is None
    assert clock.stages((100,)) == [Stage(100, shanghai(9, 22, 10))]


def test_a_hold_at_the_due_instant_is_still_in_time() -> None:
    held = Clock(BUSINESS, shanghai(9, 22, 9), HOUR, [Pause(shanghai(9, 22, 10))])
    assert held.breached_at(shanghai(9, 23, 9)) is None
    resumed = replace(held, pauses=[Pause(shanghai(9, 22, 10), shanghai(9, 22, 15))])
    assert resumed.breached_at(shanghai(9, 23, 9)) == shanghai(9, 22, 15)


def test_a_stop_at_the_due_instant_meets_the_target() -> None:
    clock = Clock(BUSINESS, shanghai(9, 22, 9), HOUR, stopped_at=shanghai(9, 22, 10))
    assert clock.breached_at(shanghai(9, 23, 9)) is None
    late = replace(clock, stopped_at=shanghai(9, 22, 10) + timedelta(microseconds=1))
    assert late.breached_at(shanghai(9, 23, 9)) == shanghai(9, 22, 10)
    assert late.due_at() == shanghai(9, 22, 10)


def test_reopening_counts_the_resolved_time_as_paused() -> None:
    resolved = Clock(BUSINESS, shanghai(9, 22, 9), 4 * HOUR, stopped_at=shanghai(9, 22, 11))
    reopened = replace(
        resolved, stopped_at=None, pauses=[Pause(shanghai(9, 22, 11), shanghai(9, 24, 9))]
    )
    assert reopened.due_at() == shanghai(9, 24, 11)


def test_a_higher_priority_counts_from_the_original_start() -> None:
    clock = Clock(
        BUSINESS, shanghai(9, 22, 9), 16 * HOUR, [Pause(shanghai(9, 22, 10), shanghai(9, 22, 11))]
    )
    urgent = replace(clock, calendar=WorkCalendar.around_the_clock(), target=4 * HOUR)
    assert urgent.due_at() == shanghai(9, 22, 14)
    assert urgent.breached_at(shanghai(9, 22, 15)) == shanghai(9, 22, 14)


def test_a_stopped_clock_shows_what_was_left() -> None:
    clock = Clock(BUSINESS, shanghai(9, 22, 9), 4 * HOUR, stopped_at=shanghai(9, 22, 10))
    told = clock.explain(shanghai(9, 30, 9))
    assert [(s.kind, s.start, s.duration) for s in told.segments] == [
        (SegmentKind.WORKED, shanghai(9, 22, 9), timedelta(hours=1)),
        (SegmentKind.REMAINING, None, timedelta(hours=3)),
    ]
    assert told.due_at == shanghai(9, 22, 14)


def test_what_lies_beyond_the_due_time_is_overdue() -> None:
    clock = Clock(BUSINESS, shanghai(9, 22, 9), 2 * HOUR)
    told = clock.explain(shanghai(9, 22, 14))
    assert [(s.kind, s.start, s.end) for s in told.segments] == [
        (SegmentKind.WORKED, shanghai(9, 22, 9), shanghai(9, 22, 11)),
        (SegmentKind.OVERDUE, shanghai(9, 22, 11), shanghai(9, 22, 12)),
        (SegmentKind.OVERDUE, shanghai(9, 22, 13), shanghai(9, 22, 14)),
    ]
    assert clock.remaining(shanghai(9, 22, 14)) == -timedelta(hours=2)
    assert clock.percent_used(shanghai(9, 22, 14)) == 200


def test_daylight_saving_counts_real_hours() -> None:
    prague = ZoneInfo("Europe/Prague")
    nights = WorkCalendar("Nights", prague, parse_week({"sun": ["01:00-04:00"]}))
    spring, autumn = datetime(2025, 3, 30, tzinfo=UTC), datetime(2025, 10, 26, tzinfo=UTC)
    day = timedelta(days=1)
    assert nights.business_seconds(spring - day, spring + day) == 2 * HOUR
    assert nights.business_seconds(autumn - day, autumn + day) == 4 * HOUR
    skipped = WorkCalendar("Skipped", prague, parse_week({"sun": ["02:00-03:00"]}))
    assert skipped.business_seconds(spring - day, spring + day) == 0


def test_a_skipped_day_has_no_working_time() -> None:
    apia = WorkCalendar("Apia", ZoneInfo("Pacific/Apia"), parse_week({"fri": OFFICE}))
    week = datetime(2011, 12, 27, tzinfo=UTC), datetime(2012, 1, 4, tzinfo=UTC)
    assert list(apia.segments(*week)) == []


def test_midnight_does_not_break_a_night_shift() -> None:
    night = WorkCalendar(
        "Nights", SHANGHAI, parse_week({"mon": ["22:00-24:00"], "tue": ["00:00-06:00"]})
    )
    assert list(night.segments(shanghai(9, 22, 0), shanghai(9, 24, 0))) == [
        (shanghai(9, 22, 22), shanghai(9, 23, 6))
    ]


def test_a_stretch_is_whole_however_long() -> None:
    holiday = {date(2025, 6, 1): SpecialDay(CLOSED)}
    calendar = WorkCalendar("Nearly 24x7", ZoneInfo("UTC"), ALL_WEEK, holiday)
    year, next_year = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    first, second = datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 6, 2, tzinfo=UTC)
    assert list(calendar.segments(year, next_year)) == [(year, first), (second, next_year)]


def test_a_stretch_that_begins_at_the_end_is_left_out() -> None:
    opens = shanghai(9, 22, 9)
    assert list(BUSINESS.segments(shanghai(9, 22, 8), opens)) == []
    assert list(BUSINESS.segments(opens, opens)) == []


def test_a_calendar_that_never_opens_says_so() -> None:
    shut = WorkCalendar("Shut", SHANGHAI, parse_week({}))
    assert Clock(shut, FRIDAY_5PM, 0).due_at() == FRIDAY_5PM
    with pytest.raises(CalendarNeverOpens) as refused:
        Clock(shut, FRIDAY_5PM, 1).due_at()
    assert isinstance(refused.value, DomainError)
    assert refused.value.code == "calendar_never_opens"
    with pytest.raises(CalendarNeverOpens):
        shut.next_open(FRIDAY_5PM)
    # One far-off day is found.
    once = replace(shut, special_days={date(2031, 5, 1): SpecialDay(WEEK[0])})
    assert once.add(FRIDAY_5PM, HOUR) == datetime(2031, 5, 1, 10, tzinfo=SHANGHAI)


@pytest.mark.parametrize("calendar", [BUSINESS, WorkCalendar.around_the_clock()])
def test_a_target_beyond_all_calendars_is_refused(calendar: WorkCalendar) -> None:
    with pytest.raises(OutOfRange):
        calendar.add(FRIDAY_5PM, 10**10)
    with pytest.raises(OutOfRange):
        calendar.business_seconds(datetime(1, 1, 1, tzinfo=UTC), FRIDAY_5PM)
    with pytest.raises(ValueError, match="time zone"):
        calendar.add(datetime(2025, 1, 1), 60)
    with pytest.raises(ValueError, match="negative"):
        calendar.add(FRIDAY_5PM, -1)


def test_threads_share_one_calendar() -> None:
    shared = WorkCalendar("Shared", SHANGHAI, WEEK, CHINA_2025)
    start = threading.Barrier(8)
    found: list[datetime] = []

    def ask() -> None:
        start.wait()
        found.extend(shared.add(FRIDAY_5PM, 8 * HOUR * (n % 300)) for n in range(600))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask) for _n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    alone = WorkCalendar("Alone", SHANGHAI, WEEK, CHINA_2025)
    expected = [alone.add(FRIDAY_5PM, 8 * HOUR * (n % 300)) for n in range(600)]
    assert sorted(found) == sorted(expected * 8)


def test_hours_are_read_back_as_written() -> None:
    written = {day: OFFICE if day in WEEKDAYS[:5] else [] for day in WEEKDAYS}
    assert format_week(parse_week(written)) == written
    assert parse_hours(["13:00-18:00", "09:00-12:00"]) == WEEK[0]
    assert parse_week({day: ["00:00-24:00"] for day in WEEKDAYS}) == ALL_WEEK


@pytest.mark.parametrize(
    "bad",
    [
        {"mon": ["9-12"]},
        {"mon": ["09:00-09:00"]},
        {"mon": ["22:00-06:00"]},
        {"mon": ["09:00-24:01"]},
        {"mon": ["09:00-25:00"]},
        {"mon": ["09:00-12:00", "11:59-13:00"]},
        {"mon": ["\u0660\u0669:00-12:00"]},
        {"mon": "09:00-12:00"},
        {"mon": [540, 720]},
        {"mon": [None]},
        {"mon": ["09:00-12:00\n"]},
        {"mon": ["00:00-00:01"] * 25},
        {"funday": OFFICE},
        {1: OFFICE},
        [],
        None,
        "mon",
    ],
)
def test_hours_that_cannot_be_read_are_refused(bad: object) -> None:
    with pytest.raises(DomainError) as refused:
        parse_week(bad, "hours")
    assert refused.value.code == "bad_hours"
    assert (refused.value.field or "").startswith("hours")
