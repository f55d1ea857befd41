"""The writers of calendars and their days."""

from __future__ import annotations

import zoneinfo
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from spine.kit.errors import Conflict, DomainError
from spine.outbox.operations import operation
from spine.people.models import User
from spine.people.policy import require
from spine.sla.actions.writing import (
    apply_changes,
    check_name,
    check_targets_are_reachable,
    check_version,
    clean_text,
    clean_translations,
    lock_configuration,
)
from spine.sla.hours import format_hours, format_week, parse_hours, parse_week
from spine.sla.models import Calendar, CalendarDay
from spine.sla.public_holidays import check_country, public_holidays

FIELDS = frozenset(
    {"name", "translations", "zone", "week", "is_24x7", "country", "subdivision", "active"}
)
MAX_DAYS = 1000
MAX_YEARS = 50


@dataclass(frozen=True)
class ImportedHolidays:
    """What an import did. kept: dates entered by hand, which win over imported ones.

    not_announced: years whose notice of make-up workdays the data does not have yet.
    """

    closed: int
    workdays: int
    changed: bool
    kept: tuple[date, ...]
    not_announced: tuple[int, ...]


def create_calendar(
    *,
    actor: User,
    name: str,
    zone: str,
    week: Mapping[str, Sequence[str]] | None = None,
    is_24x7: bool = False,
    country: str = "",
    subdivision: str = "",
    translations: Mapping[str, str] | None = None,
) -> Calendar:
    """week: hours by weekday, {"mon": ["09:00-12:00", "13:00-18:00"], ...}; a day left out is
    closed. country: whose holidays `import_holidays` will bring ("CN")."""
    require(actor, "settings.write")
    with operation(actor, "calendar.create") as op:
        lock_configuration()
        values = {
            "name": name,
            "zone": zone,
            "week": week or {},
            "is_24x7": is_24x7,
            "country": country,
            "subdivision": subdivision,
            "translations": translations or {},
        }
        calendar = Calendar(**_cleaned(Calendar(), values))
        _check_whole(calendar)
        calendar.save()
        op.record(target=calendar, verb="calendar.created", data={"name": calendar.name})
    return calendar


def update_calendar(
    *, actor: User, calendar: Calendar, version: int | None = None, **values: Any
) -> Calendar:
    """Changes any of `FIELDS`. version: what the caller saw; None skips the comparison.

    Another country drops the days imported for the old one; 24x7 drops hours, days and country.
    """
    require(actor, "settings.write")
    unknown = sorted(set(values) - FIELDS)
    if unknown:
        raise DomainError("unknown_field", _("This field is not known."), unknown[0])
    with operation(actor, "calendar.update") as op:
        row = _locked(calendar, version)
        if values.get("is_24x7"):
            values = {"week": {}, "country": "", "subdivision": ""} | values
        changes = apply_changes(row, _cleaned(row, values))
        _check_whole(row)
        if changes:
            if row.is_24x7:
                row.days.all().delete()
            elif {"country", "subdivision"} & changes.keys():
                row.days.filter(source=CalendarDay.Source.HOLIDAYS).delete()
            row.version += 1
            row.save()
            check_targets_are_reachable(row)
            op.record(target=row, verb="calendar.updated", changes=changes)
    return row


def set_days(
    *,
    actor: User,
    calendar: Calendar,
    days: Sequence[Mapping[str, Any]],
    version: int | None = None,
) -> Calendar:
    """Enters days by hand, over what was imported: a company holiday, or a whole yearly notice.

    days: {"date": date, "kind": "closed" or "open", "hours": [...] or None, "name": text,
    "translations": {...}}; an open day without hours has the usual hours of a workday.
    """
    require(actor, "settings.write")
    if not 1 <= len(days) <= MAX_DAYS:
        raise DomainError("too_many", _("Give between 1 and %(n)d days.") % {"n": MAX_DAYS}, "days")
    rows = [_read_day(day) for day in days]
    if len({row.date for row in rows}) != len(rows):
        raise DomainError("repeated_date", _("A date is given twice."), "days")
    with operation(actor, "calendar.set_days") as op:
        locked = _locked(calendar, version)
        if locked.is_24x7:
            raise Conflict("always_open", _("A 24x7 calendar has no special days."), "days")
        for row in rows:
            row.calendar = locked
        _store(rows)
        _move_version(locked)
        dates = [row.date for row in rows]
        op.record(target=locked, verb="calendar.days_set", data={"dates": dates})
    return locked


def remove_days(
    *, actor: User, calendar: Calendar, dates: Collection[date], version: int | None = None
) -> Calendar:
    """Takes special days away; the weekday's hours hold again on them."""
    require(actor, "settings.write")
    with operation(actor, "calendar.remove_days") as op:
        locked = _locked(calendar, version)
        gone = sorted(locked.days.filter(date__in=list(dates)).values_list("date", flat=True))
        if gone:
            locked.days.filter(date__in=gone).delete()
            _move_version(locked)
            op.record(target=locked, verb="calendar.days_removed", data={"dates": gone})
    return locked


def import_holidays(*, actor: User, calendar: Calendar, years: Iterable[int]) -> ImportedHolidays:
    """Brings the country's holidays and make-up workdays of these years up to date.

    Days that were imported and hold no more go away; days entered by hand stay. Run again with the
    same data it changes nothing, so that no clock is worked out anew.
    """
    require(actor, "settings.write")
    wanted_years = sorted(set(years))
    if not 1 <= len(wanted_years) <= MAX_YEARS:
        raise DomainError("bad_year", _("Give at least one year."), "years")
    with operation(actor, "calendar.import_holidays") as op:
        locked = _locked(calendar, None)
        if not locked.country:
            raise Conflict("no_country", _("The calendar has no country."), "country")
        found = [public_holidays(locked.country, locked.subdivision, y) for y in wanted_years]
        wanted = {
            day.date: day for year in found for day in _days_of(locked, year.closed, year.workdays)
        }
        present = {day.date: day for day in locked.days.filter(date__year__in=wanted_years)}
        by_hand = {d for d, day in present.items() if day.source == CalendarDay.Source.MANUAL}
        gone = [d for d in present if d not in wanted and d not in by_hand]
        stale = [
            day
            for d, day in wanted.items()
            if d not in by_hand and (d not in present or _facts(present[d]) != _facts(day))
        ]
        if gone or stale:
            locked.days.filter(date__in=gone).delete()
            _store(stale)
            _move_version(locked)
            data = {"years": wanted_years, "set": [d.date for d in stale], "removed": gone}
            op.record(target=locked, verb="calendar.holidays_imported", data=data)
    return ImportedHolidays(
        closed=sum(len(year.closed) for year in found),
        workdays=sum(len(year.workdays) for year in found),
        changed=bool(gone or stale),
        kept=tuple(sorted(by_hand & wanted.keys())),
        not_announced=tuple(year.year for year in found if not year.announced),
    )


def _locked(calendar: Calendar, version: int | None) -> Calendar:
    lock_configuration()
    row = Calendar.objects.select_for_update().get(pk=calendar.pk)
    check_version(row, version)
    return row


def _move_version(calendar: Calendar) -> None:
    calendar.version += 1
    calendar.save(update_fields=["version", "updated_at"])


def _store(days: Sequence[CalendarDay]) -> None:
    CalendarDay.objects.bulk_create(
        days,
        update_conflicts=True,
        unique_fields=["calendar", "date"],
        update_fields=["kind", "hours", "name", "translations", "source"],
    )


def _facts(day: CalendarDay) -> tuple[object, ...]:
    return (day.kind, day.hours, day.name, day.translations)


def _days_of(
    calendar: Calendar, closed: Mapping[date, Any], workdays: Collection[date]
) -> Iterable[CalendarDay]:
    for day, holiday in closed.items():
        yield CalendarDay(
            calendar=calendar,
            date=day,
            kind=CalendarDay.Kind.CLOSED.value,
            name=holiday.name,
            translations=dict(holiday.translations),
            source=CalendarDay.Source.HOLIDAYS.value,
        )
    for day in sorted(workdays):
        yield CalendarDay(
            calendar=calendar,
            date=day,
            kind=CalendarDay.Kind.OPEN.value,
            source=CalendarDay.Source.HOLIDAYS.value,
        )


def _read_day(value: Mapping[str, Any]) -> CalendarDay:
    day, kind, hours = value.get("date"), value.get("kind"), value.get("hours")
    unknown = sorted(set(value) - {"date", "kind", "hours", "name", "translations"})
    if unknown:
        raise DomainError("unknown_field", _("This field is not known."), unknown[0])
    if type(day) is not date or not 1900 <= day.year <= 2199:
        raise DomainError("bad_date", _("Give a date between 1900 and 2199."), "date")
    if kind not in CalendarDay.Kind.values:
        raise DomainError("bad_kind", _("A day is open or closed."), "kind")
    spans = None if hours is None else parse_hours(hours, "hours")
    if kind == CalendarDay.Kind.CLOSED and spans:
        raise DomainError("bad_hours", _("A closed day has no hours."), "hours")
    if kind == CalendarDay.Kind.OPEN and spans == ():
        raise DomainError("bad_hours", _("An open day needs hours."), "hours")
    return CalendarDay(
        date=day,
        kind=kind,
        hours=format_hours(spans) if spans else None,
        name=clean_text(value.get("name") or "", "name", 200),
        translations=clean_translations(value.get("translations") or {}),
        source=CalendarDay.Source.MANUAL,
    )


def _cleaned(calendar: Calendar, values: Mapping[str, Any]) -> dict[str, Any]:
    cleaned = dict(values)
    if "name" in values:
        cleaned["name"] = check_name(Calendar, values["name"], calendar.pk)
    if "translations" in values:
        cleaned["translations"] = clean_translations(values["translations"])
    if "zone" in values:
        zone = values["zone"]
        if not isinstance(zone, str) or zone not in zoneinfo.available_timezones():
            raise DomainError("unknown_zone", _("This time zone is not known."), "zone")
    if values.get("week"):
        cleaned["week"] = format_week(parse_week(values["week"], "week"))
    for flag in ("is_24x7", "active"):
        if flag in values and not isinstance(values[flag], bool):
            raise DomainError("wrong_type", _("Give true or false."), flag)
    if "country" in values:
        cleaned["country"] = clean_text(values["country"], "country", 2).upper()
    if "subdivision" in values:
        cleaned["subdivision"] = clean_text(values["subdivision"], "subdivision", 16)
    return cleaned


def _check_whole(calendar: Calendar) -> None:
    """What one value alone can't tell."""
    if calendar.is_24x7 and (calendar.week or calendar.country):
        message = _("A 24x7 calendar has neither hours nor holidays.")
        raise DomainError("always_open", message, "is_24x7")
    if calendar.subdivision and not calendar.country:
        raise DomainError("required", _("Name the country first."), "country")
    if calendar.country:
        check_country(calendar.country, calendar.subdivision)
    if not calendar.is_24x7 and not any(parse_week(calendar.week, "week")):
        raise DomainError("never_open", _("Give working hours on at least one day."), "week")
    if not calendar.active and calendar.pk and calendar.policies.filter(active=True).exists():
        message = _("Active policies use this calendar.")
        raise Conflict("in_use", message, "active")
