"""What a new installation starts with: two calendars and the promises for incidents."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext_noop

from spine.kit.clock import now
from spine.people.models import User
from spine.sla.actions import create_calendar, create_policy, import_holidays
from spine.sla.hours import WEEKDAYS
from spine.sla.models import Calendar, Policy

MINUTE, HOUR = 60, 3600
OFFICE_HOURS = ["09:00-12:00", "13:00-18:00"]
# Records of earlier years are imported and measured in working hours, too.
YEARS_BACK = 11

BUSINESS_HOURS = gettext_noop("Business hours")
AROUND_THE_CLOCK = gettext_noop("24x7")
CRITICAL_INCIDENTS = gettext_noop("Critical and high incidents")
INCIDENTS = gettext_noop("Incidents")
NAMES_ZH = {
    BUSINESS_HOURS: "工作时间",
    AROUND_THE_CLOCK: "全天候",
    CRITICAL_INCIDENTS: "紧急和高优先级事件",
    INCIDENTS: "事件",
}
PAUSE_REASONS = ("awaiting_caller", "awaiting_change", "awaiting_problem", "awaiting_vendor")
# (response, resolution) in working seconds of the policy's calendar; a working day has 8 hours.
CRITICAL_TARGETS: Mapping[int | None, tuple[int, int]] = {
    1: (15 * MINUTE, 4 * HOUR),
    2: (30 * MINUTE, 8 * HOUR),
}
OTHER_TARGETS: Mapping[int | None, tuple[int, int]] = {
    3: (2 * HOUR, 16 * HOUR),
    4: (4 * HOUR, 40 * HOUR),
    None: (8 * HOUR, 80 * HOUR),
}


def ensure_defaults(actor: User) -> None:
    """Makes what is missing, by name; what an administrator has changed stays as it is.

    Needs the ticket kind "incident" registered in `spine.sla.subjects`.
    """
    calendars = {row.name: row for row in Calendar.objects.all()}
    business = calendars.get(BUSINESS_HOURS) or _business_hours(actor)
    around_the_clock = calendars.get(AROUND_THE_CLOCK) or create_calendar(
        actor=actor,
        name=AROUND_THE_CLOCK,
        zone="Asia/Shanghai",
        is_24x7=True,
        translations=_translations(AROUND_THE_CLOCK),
    )
    critical = {"field": "priority", "op": "in", "value": [1, 2]}
    _policy(actor, CRITICAL_INCIDENTS, around_the_clock, critical, CRITICAL_TARGETS)
    _policy(actor, INCIDENTS, business, {}, OTHER_TARGETS)


def _business_hours(actor: User) -> Calendar:
    calendar = create_calendar(
        actor=actor,
        name=BUSINESS_HOURS,
        zone="Asia/Shanghai",
        week=dict.fromkeys(WEEKDAYS[:5], OFFICE_HOURS),
        country="CN",
        translations=_translations(BUSINESS_HOURS),
    )
    this_year = now().year
    years = range(this_year - YEARS_BACK, this_year + 2)
    import_holidays(actor=actor, calendar=calendar, years=years)
    calendar.refresh_from_db()
    return calendar


def _policy(
    actor: User,
    name: str,
    calendar: Calendar,
    conditions: Mapping[str, object],
    targets: Mapping[int | None, tuple[int, int]],
) -> None:
    if Policy.objects.filter(name=name).exists():
        return
    create_policy(
        actor=actor,
        name=name,
        ticket_kind="incident",
        calendar=calendar,
        conditions=conditions,
        pause_reasons=PAUSE_REASONS,
        translations=_translations(name),
        targets=[
            {"metric": metric, "priority": priority, "seconds": seconds}
            for priority, pair in targets.items()
            for metric, seconds in zip(("response", "resolution"), pair, strict=True)
        ],
    )


def _translations(name: str) -> dict[str, str]:
    return {"zh-hans": NAMES_ZH[name]}
