"""Calendars and policies as rows; the arithmetic over them is pure (`arithmetic`)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from spine.people.models import translated


def default_stages() -> list[int]:
    return [50, 75, 100]


class Calendar(models.Model):
    """Working hours in a zone. `hours`: {"0": [["09:00", "12:00"], ...], ...}, Monday is 0."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    translations = models.JSONField(default=dict, blank=True)
    zone = models.CharField(max_length=64, default="UTC")
    always_open = models.BooleanField(default=False)
    hours = models.JSONField(default=dict, blank=True)
    country = models.CharField(max_length=2, blank=True)
    subdivision = models.CharField(max_length=10, blank=True)
    version = models.PositiveIntegerField(default=1)
    active = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["name", "id"]

    def __str__(self) -> str:
        return translated(self.name, self.translations)


class CalendarDay(models.Model):
    """A date that is not what its weekday says: a holiday, a make-up workday, other hours."""

    class Kind(models.TextChoices):
        CLOSED = "closed", _("Closed")
        OPEN = "open", _("Open")

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="days")
    date = models.DateField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    # Empty for an open day means the hours of a Monday.
    hours = models.JSONField(default=list, blank=True)
    name = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=16, default="manual")

    class Meta:
        ordering: ClassVar = ["date"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["calendar", "date"], name="calendar_day_once")
        ]


class Policy(models.Model):
    """Conditions -> targets in a calendar. The first active one whose conditions hold is taken."""

    class Kind(models.TextChoices):
        SLA = "sla", _("SLA")
        OLA = "ola", _("OLA")
        UC = "uc", _("Underpinning contract")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    translations = models.JSONField(default=dict, blank=True)
    kind = models.CharField(max_length=4, choices=Kind.choices, default=Kind.SLA)
    ticket_kind = models.CharField(max_length=16)
    conditions = models.JSONField(default=dict, blank=True)
    position = models.PositiveIntegerField(default=100)
    calendar = models.ForeignKey(Calendar, on_delete=models.PROTECT, related_name="policies")
    pause_reasons = models.JSONField(default=list, blank=True)
    active = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering: ClassVar = ["position", "id"]

    def __str__(self) -> str:
        return translated(self.name, self.translations)


class Target(models.Model):
    """Business seconds for a metric, for one priority or (None) for the rest."""

    class Metric(models.TextChoices):
        RESPONSE = "response", _("Respond")
        RESOLUTION = "resolution", _("Resolve")

    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="targets")
    metric = models.CharField(max_length=12, choices=Metric.choices)
    priority = models.PositiveSmallIntegerField(null=True, blank=True)
    seconds = models.PositiveIntegerField()
    stages = models.JSONField(default=default_stages)

    class Meta:
        ordering: ClassVar = ["metric", "priority"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["policy", "metric", "priority"],
                name="target_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(seconds__gt=0), name="target_positive"),
        ]
