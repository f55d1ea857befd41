"""Whether a calendar knows the coming year, said in time to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from spine.sla.models import Calendar, CalendarDay
from spine.sla.public_holidays import ANNOUNCED_YEARLY

WARNING_MONTH = 12


@dataclass(frozen=True)
class MissingNotice:
    """The days of `year` are not complete in `calendar`."""

    calendar: Calendar
    year: int

    @property
    def message(self) -> str:
        """A sentence for people, in the reader's language."""
        if self.calendar.country in ANNOUNCED_YEARLY:
            text = _(
                "The calendar “%(name)s” has no make-up workdays for %(year)d: the yearly notice"
                " is not in yet."
            )
        else:
            text = _("The calendar “%(name)s” has no holidays for %(year)d.")
        return text % {"name": self.calendar, "year": self.year}


def missing_notice(calendar: Calendar, today: date) -> MissingNotice | None:
    """The first year whose holidays the calendar lacks: this one, and from December the next.

    A country with a yearly notice lacks a year until it has a make-up workday (imported or entered
    by hand); another one until it has any day.
    """
    found = missing_notices(today, [calendar])
    return found[0] if found else None


def missing_notices(
    today: date, calendars: Sequence[Calendar] | None = None
) -> list[MissingNotice]:
    """The same for several calendars, by default all that are active: two queries."""
    if calendars is None:
        calendars = list(Calendar.objects.filter(active=True).exclude(country=""))
    years = [today.year] + ([today.year + 1] if today.month >= WARNING_MONTH else [])
    known = set(
        CalendarDay.objects.filter(calendar__in=calendars, date__year__in=years)
        .values_list("calendar_id", "date__year", "kind")
        .distinct()
    )
    missing = []
    for calendar in calendars:
        if not calendar.country:
            continue
        kinds = {CalendarDay.Kind.OPEN.value}
        if calendar.country not in ANNOUNCED_YEARLY:
            kinds.add(CalendarDay.Kind.CLOSED.value)
        for year in years:
            if not any((calendar.pk, year, kind) in known for kind in kinds):
                missing.append(MissingNotice(calendar, year))
                break
    return missing
