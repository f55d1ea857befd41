"""Calendars, policies and their targets: what is promised, and in whose working time."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import BooleanField, F, Func, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from spine.people.models import translated
from spine.sla.arithmetic import DEFAULT_STAGES

# Ten years of working time; also what keeps the arithmetic inside the calendars' range.
MAX_TARGET_SECONDS = 315_360_000
MAX_STAGE_PERCENT = 1000
MAX_STAGES = 10


def default_stages() -> list[int]:
    return list(DEFAULT_STAGES)


def revise() -> pgtrigger.Trigger:
    """Any change, whoever makes it, gives the configuration a new revision, so that no process
    goes on with what it has cached."""
    return pgtrigger.Trigger(
        name="revise",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
        func=(
            "INSERT INTO sla_revision (id, token) VALUES (1, gen_random_uuid()) "
            "ON CONFLICT (id) DO UPDATE SET token = EXCLUDED.token; RETURN NULL;"
        ),
    )


class _StagesInRange(Func):
    template = f"(1 <= ALL(%(expressions)s) AND {MAX_STAGE_PERCENT} >= ALL(%(expressions)s))"
    output_field: ClassVar = BooleanField()
    conditional = True


class Revision(models.Model):
    """One row. Its token differs after every committed change of any table below; being random,
    it never comes back after a rollback."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    token = models.UUIDField(default=uuid.uuid4)

    class Meta:
        db_table = "sla_revision"
        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=1), name="sla_one_revision")]

    def __str__(self) -> str:
        return str(self.token)


class Calendar(models.Model):
    """Working hours in a time zone. `version` moves with the hours and the days alike."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200, unique=True)
    translations = models.JSONField(default=dict, blank=True)
    zone = models.CharField(max_length=64, default="UTC")
    # The written form of spine.sla.hours: {"mon": ["09:00-12:00", "13:00-18:00"], ...}.
    week = models.JSONField(default=dict, blank=True)
    is_24x7 = models.BooleanField(default=False)
    # Whose public holidays are imported: ISO 3166-1 code and its subdivision, or "" for none.
    country = models.CharField(max_length=2, blank=True, default="")
    subdivision = models.CharField(max_length=16, blank=True, default="")
    active = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(name=""), name="calendar_has_a_name"),
            models.CheckConstraint(
                condition=Q(is_24x7=False) | Q(country="", week={}),
                name="calendar_24x7_has_no_hours_nor_holidays",
            ),
            models.CheckConstraint(
                condition=Q(subdivision="") | ~Q(country=""),
                name="calendar_subdivision_has_a_country",
            ),
        ]
        triggers: ClassVar = [revise()]

    def __str__(self) -> str:
        return translated(self.name, self.translations)


class CalendarDay(models.Model):
    """A date whose hours differ from the weekday's: a holiday, a make-up workday, a short day."""

    class Kind(models.TextChoices):
        CLOSED = "closed", pgettext_lazy("calendar day", "Closed")
        OPEN = "open", pgettext_lazy("calendar day", "Open")

    class Source(models.TextChoices):
        HOLIDAYS = "holidays", _("Imported")
        MANUAL = "manual", _("Entered by hand")

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="days")
    date = models.DateField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    # A list of spans; null on an open day means the usual hours of a workday, whatever they are.
    hours = models.JSONField(null=True, blank=True)
    name = models.CharField(max_length=200, blank=True, default="")
    translations = models.JSONField(default=dict, blank=True)
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.MANUAL)

    class Meta:
        ordering: ClassVar = ["date"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["calendar", "date"], name="calendar_day_once"),
            models.CheckConstraint(
                condition=Q(kind="open") | Q(kind="closed", hours__isnull=True),
                name="calendar_day_closed_has_no_hours",
            ),
            models.CheckConstraint(
                condition=Q(source__in=["holidays", "manual"]), name="calendar_day_source_known"
            ),
        ]
        triggers: ClassVar = [revise()]

    def __str__(self) -> str:
        return translated(self.name, self.translations) or str(self.date)


class Policy(models.Model):
    """What is promised for the tickets of a kind that meet the conditions.

    Of each agreement, the first active policy in order of position whose conditions hold applies.
    """

    class Agreement(models.TextChoices):
        SLA = "sla", _("Service level agreement")
        OLA = "ola", _("Operational level agreement")
        UC = "uc", _("Underpinning contract")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200, unique=True)
    translations = models.JSONField(default=dict, blank=True)
    agreement = models.CharField(max_length=3, choices=Agreement.choices, default=Agreement.SLA)
    ticket_kind = models.CharField(max_length=32)
    conditions = models.JSONField(default=dict, blank=True)
    position = models.PositiveIntegerField()
    calendar = models.ForeignKey(Calendar, on_delete=models.PROTECT, related_name="policies")
    # Codes of the hold reasons that pause the resolution clock.
    pause_reasons = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    active = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["ticket_kind", "agreement", "position"]
        verbose_name_plural = "policies"
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(name=""), name="policy_has_a_name"),
            models.CheckConstraint(condition=~Q(ticket_kind=""), name="policy_has_a_ticket_kind"),
            models.CheckConstraint(
                condition=Q(agreement__in=["sla", "ola", "uc"]), name="policy_agreement_known"
            ),
            # Deferred, so that policies can change places inside a transaction.
            models.UniqueConstraint(
                fields=["ticket_kind", "agreement", "position"],
                name="policy_position_once",
                deferrable=models.Deferrable.DEFERRED,
            ),
        ]
        triggers: ClassVar = [revise()]

    def __str__(self) -> str:
        return translated(self.name, self.translations)


class Target(models.Model):
    """How much working time a policy gives, for one priority or (null) for all others."""

    class Metric(models.TextChoices):
        RESPONSE = "response", _("Response")
        RESOLUTION = "resolution", _("Resolution")

    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="targets")
    metric = models.CharField(max_length=10, choices=Metric.choices)
    priority = models.PositiveSmallIntegerField(null=True, blank=True)
    seconds = models.PositiveIntegerField()
    # Percentages of the target at which something happens; 100 is the breach.
    stages = ArrayField(models.PositiveSmallIntegerField(), default=default_stages)

    class Meta:
        ordering: ClassVar = ["policy", "metric", F("priority").asc(nulls_last=True)]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["policy", "metric", "priority"],
                name="target_once_per_priority",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(metric__in=["response", "resolution"]), name="target_metric_known"
            ),
            models.CheckConstraint(
                condition=Q(seconds__gte=1, seconds__lte=MAX_TARGET_SECONDS),
                name="target_seconds_in_range",
            ),
            models.CheckConstraint(
                condition=Q(priority__isnull=True) | Q(priority__gte=1, priority__lte=5),
                name="target_priority_1_to_5",
            ),
            models.CheckConstraint(
                condition=Q(stages__contains=[100]) & Q(stages__len__lte=MAX_STAGES),
                name="target_stages_have_the_breach",
            ),
            models.CheckConstraint(
                condition=_StagesInRange(F("stages")), name="target_stages_in_range"
            ),
        ]
        triggers: ClassVar = [revise()]

    def __str__(self) -> str:
        return f"{self.metric} {self.priority or '*'}: {self.seconds} s"
