"""Keeps calendars up to date by themselves."""

from __future__ import annotations

import logging

from celery import shared_task

from spine.kit.clock import now
from spine.kit.errors import DomainError
from spine.people.models import User
from spine.sla.actions import import_holidays
from spine.sla.models import Calendar

log = logging.getLogger(__name__)


@shared_task(name="sla.refresh_holidays")
def refresh_holidays() -> int:
    """Brings this and the next year's holidays up to date in every active calendar with a country;
    returns how many changed. A newer version of the holiday data (a new notice) arrives this way.
    """
    actor = User.objects.system()
    this_year = now().year
    changed = 0
    for calendar in Calendar.objects.filter(active=True).exclude(country=""):
        try:
            years = (this_year, this_year + 1)
            changed += import_holidays(actor=actor, calendar=calendar, years=years).changed
        except DomainError as refused:
            # One calendar that can't be refreshed must not keep the others from it.
            log.warning("holidays of calendar %s: %s", calendar.uuid, refused.message)
    return changed
