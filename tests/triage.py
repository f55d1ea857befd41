"""A ticket as if staff had assigned it, without a trace on its record."""

from __future__ import annotations

from typing import Any

from incidents.models import Incident
from spine.outbox.operations import operation
from spine.tickets.models import Ticket


def triaged(incident: Incident, **values: Any) -> Incident:
    """The incident with what callers may not decide themselves (group, assignee, priority)."""
    with operation(incident.opened_by, "test.triage"):
        Ticket.objects.filter(pk=incident.pk).update(**values)
    return Incident.objects.get(pk=incident.pk)
