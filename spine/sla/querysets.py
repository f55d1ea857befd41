"""What the clocks read: policies, targets and calendars, cached until anything of it changes.

A process keeps one `Configuration`. Asking for it costs one query of one row (its revision); a
sweep or an import asks once and uses it throughout.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from spine.kit.conditions import Predicate, compile_predicate
from spine.people.models import translated
from spine.sla.calendar import SpecialDay, WorkCalendar
from spine.sla.hours import ALL_WEEK, CLOSED, parse_hours, parse_week, usual_hours
from spine.sla.models import Calendar, CalendarDay, Policy, Target

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TargetTerms:
    """seconds: working time given. stages: percentages, ascending."""

    seconds: int
    stages: tuple[int, ...]


@dataclass(frozen=True)
class PolicyTerms:
    """A policy as it stood at one revision."""

    id: int
    uuid: UUID
    version: int
    name: str
    translations: Mapping[str, str]
    agreement: str
    ticket_kind: str
    calendar_id: int
    pause_reasons: frozenset[str]
    targets: Mapping[tuple[str, int | None], TargetTerms]
    predicate: Predicate = field(compare=False)

    def __str__(self) -> str:
        return translated(self.name, dict(self.translations))

    def matches(self, subject: Any) -> bool:
        """Whether the conditions hold for a mapping or an object."""
        try:
            return self.predicate(subject)
        except TypeError:
            # Text compared with a number, say: the condition can't hold, and no ticket may fail.
            log.warning("policy %s: its conditions don't fit the ticket's values", self.uuid)
            return False

    def target(self, metric: str, priority: int | None) -> TargetTerms | None:
        """The target for a priority, else the policy's default, else None: no clock."""
        exact = self.targets.get((metric, priority))
        return exact if exact is not None else self.targets.get((metric, None))


@dataclass
class Configuration:
    """All that is promised, at one revision. Safe to share between threads."""

    token: UUID | None
    policies: Mapping[tuple[str, str], tuple[PolicyTerms, ...]]
    by_id: Mapping[int, PolicyTerms]
    _calendars: dict[int, WorkCalendar] = field(default_factory=dict, repr=False)

    def policy_for(
        self, ticket_kind: str, subject: Any, agreement: str = Policy.Agreement.SLA
    ) -> PolicyTerms | None:
        """The first policy of an agreement that applies, by position; None if none does."""
        for policy in self.policies.get((ticket_kind, str(agreement)), ()):
            if policy.matches(subject):
                return policy
        return None

    def calendar(self, calendar_id: int) -> WorkCalendar:
        """The calendar for arithmetic. Raises `Calendar.DoesNotExist`."""
        found = self._calendars.get(calendar_id)
        if found is None:
            found = self._calendars[calendar_id] = _build_calendar(calendar_id)
        return found


_cached: Configuration | None = None


def configuration() -> Configuration:
    """The configuration as this transaction sees it: one query, unless it has changed."""
    global _cached
    token = _revision()
    cached = _cached
    if token is not None and cached is not None and cached.token == token:
        return cached
    fresh = _read_configuration(token)
    _cached = fresh
    return fresh


def _revision() -> UUID | None:
    # Asked with every ticket that is opened or moved.
    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM sla_revision ORDER BY id LIMIT 1")
        row = cursor.fetchone()
    return row[0] if row is not None else None


def load_work_calendar(calendar_id: int) -> WorkCalendar:
    """The calendar for arithmetic, from the cache while nothing has changed.

    Raises `Calendar.DoesNotExist`.
    """
    return configuration().calendar(calendar_id)


def _read_configuration(token: UUID | None) -> Configuration:
    targets: dict[int, dict[tuple[str, int | None], TargetTerms]] = {}
    for target in Target.objects.all():
        terms = TargetTerms(target.seconds, tuple(sorted(set(target.stages))))
        targets.setdefault(target.policy_id, {})[target.metric, target.priority] = terms
    policies: dict[tuple[str, str], list[PolicyTerms]] = {}
    by_id = {}
    for row in Policy.objects.order_by("position", "id"):
        terms_of_policy = PolicyTerms(
            id=row.pk,
            uuid=row.uuid,
            version=row.version,
            name=row.name,
            translations=row.translations,
            agreement=row.agreement,
            ticket_kind=row.ticket_kind,
            calendar_id=row.calendar_id,
            pause_reasons=frozenset(row.pause_reasons),
            targets=targets.get(row.pk, {}),
            predicate=compile_predicate(row.conditions),
        )
        by_id[row.pk] = terms_of_policy
        if row.active:
            policies.setdefault((row.ticket_kind, row.agreement), []).append(terms_of_policy)
    ordered = {key: tuple(found) for key, found in policies.items()}
    return Configuration(token, ordered, by_id)


def _build_calendar(calendar_id: int) -> WorkCalendar:
    row = Calendar.objects.get(pk=calendar_id)
    week = ALL_WEEK if row.is_24x7 else parse_week(row.week)
    usual = usual_hours(week)
    special = {}
    for day in CalendarDay.objects.filter(calendar_id=calendar_id):
        if day.kind == CalendarDay.Kind.CLOSED:
            hours = CLOSED
        else:
            hours = usual if day.hours is None else parse_hours(day.hours)
        special[day.date] = SpecialDay(hours, day.name, day.translations)
    return WorkCalendar(row.name, ZoneInfo(row.zone), week, special, row.version)
