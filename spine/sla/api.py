"""Calendars and SLA policies over REST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from spine.kit.keyset import Orderings
from spine.people.models import User
from spine.people.reach import reach_of
from spine.rest.fields import (
    BatchField,
    BooleanField,
    IntegerField,
    ListField,
    MomentField,
    ObjectField,
    RefField,
    TextField,
)
from spine.rest.filters import Choice, Column, FilterSet, Flag, Reference, Text
from spine.rest.serializers import StrictSerializer
from spine.rest.viewsets import RecordViewSet
from spine.sla.models import Calendar, CalendarDay, Policy, Target

DAY: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "date": {"type": "string", "format": "date"},
        "kind": {"type": "string", "enum": ["closed", "open"]},
        "hours": {"type": ["array", "null"], "items": {"type": "string"}},
        "name": {"type": "string"},
        "source": {"type": "string"},
    },
    "additionalProperties": False,
}
TARGET: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "metric": {"type": "string", "enum": ["response", "resolution"]},
        "priority": {"type": ["integer", "null"], "minimum": 1, "maximum": 5},
        "seconds": {"type": "integer", "minimum": 1},
        "stages": {"type": "array", "items": {"type": "integer"}},
    },
    "additionalProperties": False,
}


def calendars_for(user: User) -> QuerySet[Calendar]:
    """Configuration is global; staff read it."""
    rows = Calendar.objects.all()
    return rows if reach_of(user).is_staff else rows.none()


def policies_for(user: User) -> QuerySet[Policy]:
    rows = Policy.objects.all()
    return rows if reach_of(user).is_staff else rows.none()


class CalendarRef(RefField):
    def __init__(self, **options: Any) -> None:
        options.setdefault("expand", "spine.sla.api.CalendarSerializer")
        super().__init__(Calendar, calendars_for, **options)


def _days(
    ids: Sequence[Any], _user: Any, _memo: dict[str, Any]
) -> Mapping[Any, list[dict[str, Any]]]:
    columns = ("date", "kind", "hours", "name", "source")
    return _grouped(CalendarDay.objects.filter(calendar__in=ids), "calendar_id", columns)


def _targets(
    ids: Sequence[Any], _user: Any, _memo: dict[str, Any]
) -> Mapping[Any, list[dict[str, Any]]]:
    columns = ("metric", "priority", "seconds", "stages")
    return _grouped(Target.objects.filter(policy__in=ids), "policy_id", columns)


def _grouped(
    rows: QuerySet[Any], owner: str, columns: tuple[str, ...]
) -> Mapping[Any, list[dict[str, Any]]]:
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in rows.values(owner, *columns):
        found.setdefault(row.pop(owner), []).append(row)
    return found


class CalendarSerializer(StrictSerializer):
    id = TextField(source="uuid", read_only=True)
    name = TextField(read_only=True)
    zone = TextField(read_only=True)
    week = ObjectField(read_only=True, help_text=_("Working hours: {day: [span, ...]}."))
    is_24x7 = BooleanField(read_only=True)
    country = TextField(read_only=True)
    subdivision = TextField(read_only=True)
    active = BooleanField(read_only=True)
    version = IntegerField(read_only=True)
    updated_at = MomentField(read_only=True)
    days = BatchField("id", _days, {"type": "array", "items": DAY}, empty=list)


class PolicySerializer(StrictSerializer):
    id = TextField(source="uuid", read_only=True)
    name = TextField(read_only=True)
    agreement = TextField(read_only=True)
    ticket_kind = TextField(read_only=True)
    conditions = ObjectField(read_only=True)
    position = IntegerField(read_only=True)
    calendar = CalendarRef(read_only=True)
    pause_reasons = ListField(child=TextField(), read_only=True)
    active = BooleanField(read_only=True)
    version = IntegerField(read_only=True)
    updated_at = MomentField(read_only=True)
    targets = BatchField("id", _targets, {"type": "array", "items": TARGET}, empty=list)


class CalendarFilters(FilterSet):
    columns: ClassVar[Mapping[str, Column]] = {
        "name": Text(),
        "country": Text(),
        "zone": Text(),
        "is_24x7": Flag(),
        "active": Flag(),
    }


class PolicyFilters(FilterSet):
    columns: ClassVar[Mapping[str, Column]] = {
        "name": Text(),
        "ticket_kind": Text(),
        "agreement": Choice(choices=Policy.Agreement.choices),
        "calendar": Reference(rows=calendars_for),
        "active": Flag(),
    }


class CalendarViewSet(RecordViewSet):
    serializer_class = CalendarSerializer
    filterset_class = CalendarFilters
    natural_keys = ("name",)
    version_column = "version"
    orderings = Orderings({"name": ("name", "id"), "-name": ("-name", "-id")})

    def records(self, user: User) -> QuerySet[Calendar]:
        return calendars_for(user)


class PolicyViewSet(RecordViewSet):
    serializer_class = PolicySerializer
    filterset_class = PolicyFilters
    natural_keys = ("name",)
    version_column = "version"
    orderings = Orderings(
        {"position": ("ticket_kind", "agreement", "position", "id"), "name": ("name", "id")}
    )

    def records(self, user: User) -> QuerySet[Policy]:
        return policies_for(user)
