"""What the portal's rows and the side of its ticket page say of a ticket."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from incidents.models import Incident, IncidentSettings
from portal.words import status_of, steps
from spine.people.models import User
from spine.tickets.models import TicketClock


def _answers_due(tickets: Iterable[Incident]) -> dict[int, datetime]:
    """{ticket: when its first answer is expected} of those that wait for it."""
    waiting = [ticket.pk for ticket in tickets if ticket.state == "new"]
    if not waiting:
        return {}
    clocks = TicketClock.objects.filter(
        ticket__in=waiting,
        metric=TicketClock.Metric.RESPONSE,
        stopped_at__isnull=True,
    )
    return {clock.ticket_id: clock.due_at for clock in clocks if clock.due_at is not None}


def rows_of(tickets: list[Incident], reader: User) -> list[dict[str, Any]]:
    """As `portal/rows.html` takes them. The tickets come with caller, assignee and group."""
    due = _answers_due(tickets)
    rows = []
    for ticket in tickets:
        status = status_of(ticket, reader, answer_due=due.get(ticket.pk))
        rows.append(
            {
                "ticket": ticket,
                "status": status,
                "steps": steps(status),
                "for_whom": "" if ticket.caller_id == reader.pk else ticket.caller.name,
            }
        )
    return rows


def page_facts(ticket: Incident, reader: User) -> dict[str, Any]:
    """status, steps and the facts of a ticket's own page."""
    days = None
    if ticket.state == "resolved":
        tuned = IncidentSettings.objects.first() or IncidentSettings()
        days = tuned.auto_close_days
    answer_due = _answers_due([ticket]).get(ticket.pk)
    status = status_of(ticket, reader, answer_due=answer_due, closes_in_days=days)
    return {
        "status": status,
        "steps": steps(status),
        "answer_due": answer_due,
        "solution_due": ticket.due_at if ticket.active and ticket.state != "resolved" else None,
        "caller_name": _("You") if ticket.caller_id == reader.pk else ticket.caller.name,
        "opener_name": _("You") if ticket.opened_by_id == reader.pk else ticket.opened_by.name,
        "by_another": ticket.caller_id != ticket.opened_by_id,
        "follows_only": reader.pk not in {ticket.caller_id, ticket.opened_by_id},
    }
