"""Background work of tickets. Sweeps follow what is due, not what exists."""

from __future__ import annotations

from celery import shared_task

from spine.kit.clock import now
from spine.people.models import User
from spine.tickets import actions, sweeping
from spine.tickets.models import Ticket

WAKE_BATCH = 500


@shared_task(name="tickets.sweep_wake_ups")
def sweep_wake_ups() -> int:
    """Takes tickets whose follow-up time has come back to work. Each locks and looks again, so
    two sweeps at once wake a ticket once."""
    system: User = User.objects.system()
    woken = 0
    for ticket in Ticket.objects.to_wake(now()).order_by("follow_up_at")[:WAKE_BATCH]:
        woken += actions.wake(ticket, actor=system)
    return woken


@shared_task(name="tickets.sweep_clocks")
def sweep_clocks() -> int:
    system: User = User.objects.system()
    return sweeping.sweep(actor=system)


@shared_task(name="tickets.recompute_clocks")
def recompute_clocks(calendar_id: int) -> int:
    system: User = User.objects.system()
    return sweeping.recompute(actor=system, calendar_id=calendar_id)
