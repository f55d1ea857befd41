"""Resolved incidents close by themselves after some business days without a word."""

from __future__ import annotations

import logging
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef

from incidents import actions
from incidents.models import Incident, IncidentSettings
from spine.kit.errors import Conflict, DomainError
from spine.people.models import User
from spine.sla.calendar import WorkCalendar
from spine.sla.hours import CLOSED, WHOLE_DAY
from spine.sla.querysets import load_work_calendar
from spine.threads.models import Comment

log = logging.getLogger("evenkeel.incidents")

BATCH = 200
# Nobody waits longer than this, whatever the calendar closes.
LONGEST = 400


def business_days_before(calendar: WorkCalendar, moment: datetime, days: int) -> datetime:
    """A moment at least `days` business days back: the same local time on the business day that
    lies that many before. On a day without hours, the end of the last business day counts as now,
    so that nothing closes over a weekend that would not have closed by its eve."""
    local = moment.astimezone(calendar.zone)
    day = _business_day_up_to(calendar, local.date())
    at = local.timetz() if day == local.date() else time.max.replace(tzinfo=calendar.zone)
    for _step in range(days):
        day = _business_day_up_to(calendar, day - timedelta(days=1))
    return datetime.combine(day, at).astimezone(moment.tzinfo)


def _business_day_up_to(calendar: WorkCalendar, day: date) -> date:
    for _step in range(LONGEST):
        if calendar.hours_on(day):
            return day
        day -= timedelta(days=1)
    return day


def close_silent(*, actor: User, moment: datetime) -> int:
    """Closes what has been resolved for long enough. Returns how many; safe to run twice."""
    tuned = IncidentSettings.objects.select_related("calendar").first() or IncidentSettings()
    calendar = (
        load_work_calendar(tuned.calendar_id) if tuned.calendar_id is not None else _weekdays()
    )
    cutoff = business_days_before(calendar, moment, tuned.auto_close_days)
    # A word since then, from whoever, starts the silence anew.
    said = Comment.objects.filter(
        thread_id=OuterRef("thread_id"),
        visibility=Comment.Visibility.PUBLIC,
        automatic=False,
        created_at__gt=cutoff,
    )
    silent = Incident.objects.filter(~Exists(said), state="resolved", resolved_at__lte=cutoff)
    closed, last = 0, 0
    while batch := list(silent.filter(pk__gt=last).order_by("pk")[:BATCH]):
        closed += sum(_close(incident, actor) for incident in batch)
        last = batch[-1].pk
    return closed


def _close(incident: Incident, actor: User) -> bool:
    try:
        actions.move_incident(incident, "close", actor=actor, source="task")
    except Conflict:
        # Reopened or closed by somebody in this very moment: they win.
        return False
    except DomainError as error:
        # One that can't be closed must not keep the others open.
        log.warning("%s does not close by itself: %s", incident.number, error.message)
        return False
    return True


def _weekdays() -> WorkCalendar:
    """Monday to Friday in UTC, for an installation without a calendar yet."""
    open_, closed = WHOLE_DAY, CLOSED
    week = (open_, open_, open_, open_, open_, closed, closed)
    return WorkCalendar("weekdays", ZoneInfo("UTC"), week)
