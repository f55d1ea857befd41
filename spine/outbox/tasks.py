"""What the workers do for the outbox."""

from __future__ import annotations

from celery import shared_task

from spine.audit.operations import working_from
from spine.outbox import actions, draining
from spine.outbox.nudge import DRAIN_TASK, drain_begins, nudge


@shared_task(name=DRAIN_TASK)
def drain() -> int:
    """Handles what is due; asks for another run if there is more than one run's worth."""
    drain_begins()
    with working_from("task"):
        tried, finished = draining.drain()
    if not finished:
        nudge()
    return tried


@shared_task(name="outbox.sweep")
def sweep() -> int:
    """Takes what no nudge came for: lost messages, ended leases, retries that came due."""
    with working_from("task"):
        tried, finished = draining.drain()
    if not finished:
        nudge()
    actions.prune()
    return tried
