"""Incident: an interruption to a service, from first report to confirmed repair."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from incidents.querysets import IncidentManager
from spine.sla.models import Calendar
from spine.tickets.models import Ticket


class State(models.TextChoices):
    NEW = "new", _("New")
    IN_PROGRESS = "in_progress", _("In Progress")
    ON_HOLD = "on_hold", _("On Hold")
    RESOLVED = "resolved", _("Resolved")
    CLOSED = "closed", _("Closed")
    CANCELED = "canceled", _("Canceled")


class CloseCode(models.TextChoices):
    SOLUTION = "solution_provided", _("Solution provided")
    WORKAROUND = "workaround_provided", _("Workaround provided")
    BY_CHANGE = "resolved_by_change", _("Resolved by change")
    BY_PROBLEM = "resolved_by_problem", _("Resolved by problem")
    BY_REQUEST = "resolved_by_request", _("Resolved by request")
    BY_CALLER = "resolved_by_caller", _("Resolved by caller")
    KNOWN_ERROR = "known_error", _("Known error")
    DUPLICATE = "duplicate", _("Duplicate")
    USER_ERROR = "user_error", _("User error")
    NOT_REPRODUCIBLE = "not_reproducible", _("Not reproducible")
    NONE = "no_resolution_provided", _("No resolution provided")


class Incident(Ticket):
    close_code = models.CharField(max_length=64, blank=True, choices=CloseCode.choices)
    close_notes = models.TextField(blank=True)
    resolved_by = models.ForeignKey(
        "people.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # When the caller said that it helped; None where it closed by itself.
    confirmed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[IncidentManager] = IncidentManager()


class IncidentSettings(models.Model):
    """What administrators tune about incidents; one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    # Business days that the caller has to say that it did not help.
    auto_close_days = models.PositiveSmallIntegerField(default=5)
    calendar = models.ForeignKey(
        Calendar, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="incident_settings_one_row"),
            models.CheckConstraint(
                condition=models.Q(auto_close_days__range=(1, 90)),
                name="incident_auto_close_1_to_90_days",
            ),
        ]
