"""Calendars and policies as rows: written with care, read through one cached revision."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection, transaction

from spine.audit.models import Entry
from spine.kit.errors import DomainError, NotAllowed, StaleVersion
from spine.people.models import User
from spine.sla import actions, defaults, querysets, subjects
from spine.sla.arithmetic import Clock
from spine.sla.models import Calendar, CalendarDay, Policy, Target
from spine.sla.notices import missing_notice, missing_notices
from spine.sla.querysets import configuration, load_work_calendar
from spine.sla.tasks import refresh_holidays

pytestmark = pytest.mark.django_db
OFFICE = ["09:00-12:00", "13:00-18:00"]
WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), OFFICE)
TARGETS = [
    {"metric": "response", "priority": None, "seconds": 3600},
    {"metric": "resolution", "priority": None, "seconds": 28800},
    {"metric": "resolution", "priority": 3, "seconds": 57600, "stages": [100, 80]},
]
KIND = "trial"


@pytest.fixture(autouse=True)
def _trial_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "_subjects", dict(subjects._subjects))
    fields = ("priority", "impact", "service__tier")
    subjects.register(KIND, fields=fields, hold_reasons=("awaiting_caller", "awaiting_vendor"))


@pytest.fixture
def calendar(admin: User) -> Calendar:
    return actions.create_calendar(
        actor=admin, name="Trial hours", zone="Asia/Shanghai", week=WEEK, country="CN"
    )


@pytest.fixture
def make_policy(admin: User, calendar: Calendar) -> Callable[..., Policy]:
    def make(name: str, **values: Any) -> Policy:
        given = {"ticket_kind": KIND, "calendar": calendar, "targets": TARGETS, **values}
        return actions.create_policy(actor=admin, name=name, **given)

    return make


def test_the_example_of_the_domain_from_rows(admin: User, calendar: Calendar) -> None:
    done = actions.import_holidays(actor=admin, calendar=calendar, years=[2025])
    assert (done.changed, done.workdays, done.not_announced) == (True, 5, ())
    work = load_work_calendar(calendar.pk)
    shanghai = ZoneInfo("Asia/Shanghai")
    clock = Clock(work, datetime(2025, 9, 26, 17, tzinfo=shanghai), 8 * 3600)
    assert clock.due_at() == datetime(2025, 9, 28, 17, tzinfo=shanghai)
    ((day, special),) = clock.explain(datetime(2025, 9, 26, 17, tzinfo=shanghai)).special_days
    assert day == date(2025, 9, 28)
    assert special.hours


def test_importing_again_changes_nothing(admin: User, calendar: Calendar) -> None:
    actions.import_holidays(actor=admin, calendar=calendar, years=[2025, 2026])
    calendar.refresh_from_db()
    token = configuration().token
    again = actions.import_holidays(actor=admin, calendar=calendar, years=[2026, 2025])
    assert not again.changed
    version = calendar.version
    calendar.refresh_from_db()
    assert calendar.version == version
    assert configuration().token == token


def test_a_corrected_import_moves_the_version(admin: User, calendar: Calendar) -> None:
    actions.import_holidays(actor=admin, calendar=calendar, years=[2025])
    calendar.refresh_from_db()
    version = calendar.version
    # As if the data had lacked one day and had another one too many.
    calendar.days.filter(date=date(2025, 9, 28)).delete()
    CalendarDay.objects.create(
        calendar=calendar, date=date(2025, 3, 3), kind="closed", source="holidays"
    )
    done = actions.import_holidays(actor=admin, calendar=calendar, years=[2025])
    assert done.changed
    assert calendar.days.get(date=date(2025, 9, 28)).kind == "open"
    assert not calendar.days.filter(date=date(2025, 3, 3)).exists()
    calendar.refresh_from_db()
    assert calendar.version == version + 1
    assert load_work_calendar(calendar.pk).version == calendar.version


def test_days_entered_by_hand_win(admin: User, calendar: Calendar) -> None:
    short = {"date": date(2025, 10, 1), "kind": "open", "hours": ["10:00-11:00"], "name": "Watch"}
    actions.set_days(actor=admin, calendar=calendar, days=[short])
    done = actions.import_holidays(actor=admin, calendar=calendar, years=[2025])
    assert done.kept == (date(2025, 10, 1),)
    work = load_work_calendar(calendar.pk)
    opens = datetime(2025, 10, 1, 2, tzinfo=UTC)
    assert work.next_open(datetime(2025, 9, 30, 10, tzinfo=UTC)) == opens
    actions.remove_days(actor=admin, calendar=calendar, dates=[date(2025, 10, 1)])
    assert load_work_calendar(calendar.pk).hours_on(date(2025, 10, 1))
    actions.import_holidays(actor=admin, calendar=calendar, years=[2025])
    assert not load_work_calendar(calendar.pk).hours_on(date(2025, 10, 1))


def test_a_notice_entered_by_hand_has_the_usual_hours(admin: User, calendar: Calendar) -> None:
    days = [
        {"date": date(2027, 1, 4), "kind": "closed", "name": "Rest"},
        {"date": date(2027, 1, 9), "kind": "open"},
    ]
    actions.set_days(actor=admin, calendar=calendar, days=days)
    work = load_work_calendar(calendar.pk)
    assert work.hours_on(date(2027, 1, 9)) == work.hours_on(date(2027, 1, 5))
    # Other weekly hours carry over to the make-up day.
    week = {day: ["08:00-16:00"] for day in WEEK}
    actions.update_calendar(actor=admin, calendar=calendar, week=week)
    work = load_work_calendar(calendar.pk)
    assert [(s.start, s.end) for s in work.hours_on(date(2027, 1, 9))] == [(480, 960)]


def test_from_december_a_missing_notice_is_told(admin: User, calendar: Calendar) -> None:
    actions.import_holidays(actor=admin, calendar=calendar, years=[2026, 2027])
    actions.remove_days(
        actor=admin,
        calendar=calendar,
        dates=calendar.days.filter(date__year=2027, kind="open").values_list("date", flat=True),
    )
    assert missing_notice(calendar, date(2026, 11, 30)) is None
    told = missing_notice(calendar, date(2026, 12, 1))
    assert told is not None
    assert (told.year, "2027" in told.message) == (2027, True)
    assert [m.calendar for m in missing_notices(date(2027, 2, 1))] == [calendar]
    workday = {"date": date(2027, 2, 27), "kind": "open"}
    actions.set_days(actor=admin, calendar=calendar, days=[workday])
    assert missing_notice(calendar, date(2026, 12, 1)) is None


def test_a_country_without_notices_needs_any_day(admin: User) -> None:
    prague = actions.create_calendar(
        actor=admin, name="Prague", zone="Europe/Prague", week=WEEK, country="cz"
    )
    assert missing_notice(prague, date(2026, 5, 1)) is not None
    actions.import_holidays(actor=admin, calendar=prague, years=[2026])
    assert missing_notice(prague, date(2026, 5, 1)) is None


def test_the_daily_refresh_brings_what_is_missing(
    calendar: Calendar, system: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spine.sla.tasks.now", lambda: datetime(2025, 5, 1, tzinfo=UTC))
    assert refresh_holidays() == 1
    years = set(calendar.days.values_list("date__year", flat=True))
    assert years == {2025, 2026}
    assert refresh_holidays() == 0


def test_the_first_policy_that_applies_is_taken(
    admin: User, make_policy: Callable[..., Policy]
) -> None:
    urgent = make_policy("Urgent", conditions={"field": "priority", "op": "lte", "value": 2})
    rest = make_policy("Rest")
    vendor = make_policy("Vendor", agreement="uc")
    found = configuration()
    assert found.policy_for(KIND, {"priority": 1}) == found.by_id[urgent.pk]
    assert found.policy_for(KIND, SimpleNamespace(priority=3)) == found.by_id[rest.pk]
    assert found.policy_for(KIND, {"priority": 1}, "uc") == found.by_id[vendor.pk]
    assert found.policy_for("other", {"priority": 1}) is None
    # Text where a number is compared: that policy does not apply, and nothing fails.
    assert found.policy_for(KIND, {"priority": "high"}) == found.by_id[rest.pk]

    actions.order_policies(
        actor=admin, ticket_kind=KIND, agreement="sla", policies=[rest.uuid, urgent.uuid]
    )
    assert configuration().policy_for(KIND, {"priority": 1}).id == rest.pk  # type: ignore[union-attr]
    actions.update_policy(actor=admin, policy=rest, active=False)
    assert configuration().policy_for(KIND, {"priority": 3}) is None
    assert rest.pk in configuration().by_id


def test_a_target_falls_back_to_the_default(make_policy: Callable[..., Policy]) -> None:
    row = make_policy("P")
    policy = configuration().by_id[row.pk]
    third = policy.target("resolution", 3)
    assert third is not None
    assert (third.seconds, third.stages) == (57600, (80, 100))
    other = policy.target("resolution", 5)
    assert other is not None
    assert (other.seconds, other.stages) == (28800, (50, 75, 100))
    assert policy.target("response", None) == querysets.TargetTerms(3600, (50, 75, 100))
    assert policy.target("unknown", 1) is None


def test_a_new_policy_makes_room(make_policy: Callable[..., Policy]) -> None:
    first, second = make_policy("First"), make_policy("Second")
    between = make_policy("Between", position=2)
    names = Policy.objects.filter(ticket_kind=KIND).order_by("position")
    assert [p.name for p in names] == ["First", "Between", "Second"]
    assert (first.position, between.position) == (1, 2)
    second.refresh_from_db()
    assert (second.position, second.version) == (3, 2)


def test_what_is_cached_costs_one_query(
    make_policy: Callable[..., Policy], calendar: Calendar, django_assert_num_queries: Any
) -> None:
    make_policy("P")
    load_work_calendar(calendar.pk)
    with django_assert_num_queries(1):
        found = configuration()
        found.policy_for(KIND, {"priority": 1})
        found.calendar(calendar.pk)
    assert load_work_calendar(calendar.pk) is found.calendar(calendar.pk)


def test_a_change_outside_the_application_is_seen(calendar: Calendar) -> None:
    assert load_work_calendar(calendar.pk).name == "Trial hours"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sla_calendar SET name = 'Renamed' WHERE id = %s", [calendar.pk])
    assert load_work_calendar(calendar.pk).name == "Renamed"


def test_what_was_rolled_back_is_forgotten(admin: User, calendar: Calendar) -> None:
    before = load_work_calendar(calendar.pk)
    with transaction.atomic():
        actions.update_calendar(actor=admin, calendar=calendar, name="Never")
        assert load_work_calendar(calendar.pk).name == "Never"
        transaction.set_rollback(True)
    assert load_work_calendar(calendar.pk).name == before.name
    actions.update_calendar(actor=admin, calendar=calendar, name="Other")
    assert load_work_calendar(calendar.pk).name == "Other"


def test_changes_are_on_the_record(admin: User, calendar: Calendar) -> None:
    actions.update_calendar(actor=admin, calendar=calendar, zone="Europe/Prague")
    entry = Entry.objects.get(verb="calendar.updated")
    assert entry.changes == {"zone": ["Asia/Shanghai", "Europe/Prague"]}
    assert (entry.actor_id, entry.target_id) == (admin.pk, str(calendar.pk))
    ours = Entry.objects.filter(target_type__startswith="sla.")
    assert not ours.filter(verb__startswith="outside").exists()


def test_nothing_changed_is_no_new_version(admin: User, calendar: Calendar) -> None:
    same = actions.update_calendar(actor=admin, calendar=calendar, name=" Trial hours ", week=WEEK)
    assert same.version == 1
    assert not Entry.objects.filter(verb="calendar.updated").exists()


def test_a_stale_version_is_refused(
    admin: User, calendar: Calendar, make_policy: Callable[..., Policy]
) -> None:
    actions.update_calendar(actor=admin, calendar=calendar, version=1, name="Second")
    with pytest.raises(StaleVersion) as refused:
        actions.update_calendar(actor=admin, calendar=calendar, version=1, name="Third")
    assert refused.value.current == 2
    policy = make_policy("P")
    actions.update_policy(actor=admin, policy=policy, version=1, targets=TARGETS[:1])
    with pytest.raises(StaleVersion):
        actions.update_policy(actor=admin, policy=policy, version=1, name="Q")
    policy.refresh_from_db()
    assert (policy.name, policy.targets.count()) == ("P", 1)


def test_only_administrators_write(agent: User, calendar: Calendar) -> None:
    with pytest.raises(NotAllowed):
        actions.update_calendar(actor=agent, calendar=calendar, name="Mine")
    with pytest.raises(NotAllowed):
        actions.create_calendar(actor=agent, name="Mine", zone="UTC", is_24x7=True)


def test_24x7_drops_hours_and_days(admin: User, calendar: Calendar) -> None:
    actions.import_holidays(actor=admin, calendar=calendar, years=[2025])
    done = actions.update_calendar(actor=admin, calendar=calendar, is_24x7=True)
    assert (done.week, done.country, done.days.count()) == ({}, "", 0)
    assert load_work_calendar(done.pk).always_open


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"name": ""}, "required"),
        ({"name": "x" * 201}, "too_long"),
        ({"name": "a\x00b"}, "bad_character"),
        ({"name": 7}, "wrong_type"),
        ({"name": "Taken"}, "name_taken"),
        ({"zone": "Mars/Olympus"}, "unknown_zone"),
        ({"zone": "../../etc/passwd"}, "unknown_zone"),
        ({"zone": None}, "unknown_zone"),
        ({"zone": ["UTC"]}, "unknown_zone"),
        ({"week": {}}, "never_open"),
        ({"week": {"mon": ["25:00-26:00"]}}, "bad_hours"),
        ({"week": "always"}, "bad_hours"),
        ({"country": "XX"}, "unknown_country"),
        ({"country": "China"}, "too_long"),
        ({"country": "", "subdivision": "BW"}, "required"),
        ({"subdivision": "BW"}, "unknown_subdivision"),
        ({"translations": []}, "wrong_type"),
        ({"translations": {"zh-hans": 1}}, "wrong_type"),
        ({"active": "yes"}, "wrong_type"),
        ({"is_24x7": True, "country": "CN"}, "always_open"),
        ({"colour": "red"}, "unknown_field"),
    ],
)
def test_a_calendar_that_makes_no_sense_is_refused(
    admin: User, calendar: Calendar, values: dict[str, Any], code: str
) -> None:
    actions.create_calendar(actor=admin, name="Taken", zone="UTC", is_24x7=True)
    with pytest.raises(DomainError) as refused:
        actions.update_calendar(actor=admin, calendar=calendar, **values)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "day",
    [
        {"date": "2025-01-01", "kind": "closed"},
        {"date": datetime(2025, 1, 1, tzinfo=UTC), "kind": "closed"},
        {"date": date(1, 1, 1), "kind": "closed"},
        {"date": date(2025, 1, 1), "kind": "half"},
        {"date": date(2025, 1, 1), "kind": []},
        {"date": date(2025, 1, 1), "kind": "closed", "hours": ["09:00-10:00"]},
        {"date": date(2025, 1, 1), "kind": "open", "hours": []},
        {"date": date(2025, 1, 1), "kind": "open", "hours": "09:00-10:00"},
        {"date": date(2025, 1, 1), "kind": "open", "source": "holidays"},
        {},
    ],
)
def test_a_day_that_makes_no_sense_is_refused(
    admin: User, calendar: Calendar, day: dict[str, Any]
) -> None:
    with pytest.raises(DomainError):
        actions.set_days(actor=admin, calendar=calendar, days=[day])
    assert not calendar.days.exists()


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"ticket_kind": "unheard-of"}, "unknown_ticket_kind"),
        ({"agreement": "promise"}, "bad_agreement"),
        ({"conditions": {"field": "colour", "op": "eq", "value": 1}}, "bad_condition"),
        ({"conditions": {"field": "priority", "op": "like", "value": 1}}, "bad_condition"),
        ({"conditions": [1]}, "bad_condition"),
        ({"pause_reasons": ["awaiting_lunch"]}, "unknown_hold_reason"),
        ({"position": 0}, "bad_position"),
        ({"targets": []}, "required"),
        ({"targets": [TARGETS[0], TARGETS[0]]}, "repeated_target"),
        ({"targets": [{**TARGETS[0], "metric": "rest"}]}, "bad_metric"),
        ({"targets": [{**TARGETS[0], "seconds": 0}]}, "bad_seconds"),
        ({"targets": [{**TARGETS[0], "seconds": 1.5}]}, "bad_seconds"),
        ({"targets": [{**TARGETS[0], "seconds": True}]}, "bad_seconds"),
        ({"targets": [{**TARGETS[0], "seconds": 10**12}]}, "bad_seconds"),
        ({"targets": [{**TARGETS[0], "priority": 6}]}, "bad_priority"),
        ({"targets": [{**TARGETS[0], "stages": [50, 75]}]}, "bad_stages"),
        ({"targets": [{**TARGETS[0], "stages": [0, 100]}]}, "bad_stages"),
        ({"targets": [{**TARGETS[0], "stages": "100"}]}, "bad_stages"),
        ({"targets": [{**TARGETS[0], "limit": 1}]}, "unknown_field"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(
    make_policy: Callable[..., Policy], values: dict[str, Any], code: str
) -> None:
    make_policy("First")
    with pytest.raises(DomainError) as refused:
        make_policy("Second", **values)
    assert refused.value.code == code
    assert [p.position for p in Policy.objects.filter(ticket_kind=KIND)] == [1]


def test_a_target_that_never_runs_out_is_refused(
    admin: User, calendar: Calendar, make_policy: Callable[..., Policy]
) -> None:
    endless = [{"metric": "resolution", "priority": None, "seconds": 315_360_000}]
    make_policy("Long", targets=endless)
    with pytest.raises(DomainError) as refused:
        actions.update_calendar(actor=admin, calendar=calendar, week={"mon": ["09:00-10:00"]})
    assert refused.value.code == "target_too_long"
    calendar.refresh_from_db()
    assert calendar.week["tue"]


def test_a_calendar_in_use_stays_in_use(
    admin: User, calendar: Calendar, make_policy: Callable[..., Policy]
) -> None:
    policy = make_policy("P")
    with pytest.raises(DomainError) as refused:
        actions.update_calendar(actor=admin, calendar=calendar, active=False)
    assert refused.value.code == "in_use"
    actions.update_policy(actor=admin, policy=policy, active=False)
    actions.update_calendar(actor=admin, calendar=calendar, active=False)
    with pytest.raises(DomainError) as refused:
        actions.update_policy(actor=admin, policy=policy, active=True)
    assert refused.value.code == "inactive_calendar"


def _broken_rows(calendar: Calendar, policy: Policy) -> Iterator[Callable[[], object]]:
    yield lambda: Target.objects.create(policy=policy, metric="response", priority=1, seconds=0)
    yield lambda: Target.objects.create(policy=policy, metric="response", seconds=5)
    yield lambda: Target.objects.create(policy=policy, metric="rest", priority=1, seconds=5)
    yield lambda: Target.objects.create(policy=policy, metric="response", priority=9, seconds=5)
    for stages in ([50], [0, 100], [100, 1001], []):
        yield lambda stages=stages: Target.objects.create(  # type: ignore[misc]
            policy=policy, metric="response", priority=1, seconds=5, stages=stages
        )
    yield lambda: Calendar.objects.filter(pk=calendar.pk).update(is_24x7=True)
    yield lambda: Calendar.objects.filter(pk=calendar.pk).update(name="")
    yield lambda: Calendar.objects.filter(pk=calendar.pk).update(country="", subdivision="BW")
    yield lambda: CalendarDay.objects.create(
        calendar=calendar, date=date(2025, 1, 1), kind="closed", hours=["09:00-10:00"]
    )
    yield lambda: CalendarDay.objects.create(
        calendar=calendar, date=date(2025, 1, 1), kind="closed", source="dream"
    )
    yield lambda: Policy.objects.filter(pk=policy.pk).update(agreement="vow")


def test_the_database_refuses_what_must_never_be(
    calendar: Calendar, make_policy: Callable[..., Policy]
) -> None:
    policy = make_policy("P")
    accepted = []
    for number, write in enumerate(_broken_rows(calendar, policy)):
        try:
            with transaction.atomic():
                write()
        except IntegrityError:
            continue
        accepted.append(number)
    assert accepted == []


def test_defaults_are_made_once_and_left_alone(system: User, admin: User) -> None:
    reasons = (*defaults.PAUSE_REASONS, "awaiting_evidence")
    if "incident" not in subjects.kinds():
        subjects.register("incident", fields=("priority",), hold_reasons=reasons)
    defaults.ensure_defaults(system)
    found = configuration()
    first = found.policy_for("incident", {"priority": 1})
    assert first is not None
    assert found.calendar(first.calendar_id).always_open
    assert first.target("resolution", 1).seconds == 4 * 3600  # type: ignore[union-attr]
    later = found.policy_for("incident", {"priority": 4})
    assert later is not None
    work = found.calendar(later.calendar_id)
    assert work.hours_on(date(2025, 9, 28))
    assert not work.hours_on(date(2026, 10, 1))
    assert later.target("response", 5).seconds == 8 * 3600  # type: ignore[union-attr]
    for priority in range(1, 6):
        policy = found.policy_for("incident", {"priority": priority})
        assert policy is not None
        assert policy.target("response", priority)
        assert policy.target("resolution", priority)

    policy_row = Policy.objects.get(pk=first.id)
    actions.update_policy(actor=admin, policy=policy_row, pause_reasons=[])
    defaults.ensure_defaults(system)
    assert configuration().by_id[first.id].pause_reasons == frozenset()
    assert Calendar.objects.count() == 2
    assert Policy.objects.filter(ticket_kind="incident").count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_writers_at_once_both_count(admin: User, calendar: Calendar) -> None:
    start = threading.Barrier(2)
    failures: list[BaseException] = []

    def write(day: date) -> None:
        try:
            start.wait()
            for kind in ("closed", "open", "closed"):
                days = [{"date": day, "kind": kind}]
                actions.set_days(actor=admin, calendar=calendar, days=days)
        except BaseException as failure:  # noqa: BLE001 - shown by the main thread
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=[date(2025, 1, day)]) for day in (6, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    calendar.refresh_from_db()
    assert calendar.version == 7
    work = load_work_calendar(calendar.pk)
    assert (work.hours_on(date(2025, 1, 6)), work.hours_on(date(2025, 1, 7))) == ((), ())
