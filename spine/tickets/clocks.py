"""Binds SLA policies to tickets: starts, pauses, re-targets and stops the two clocks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from spine.tickets.models import Ticket


def start(ticket: Ticket, moment: datetime) -> None:
    """Starts the clocks that a policy asks for; writes the ticket's due time."""


def advance(ticket: Ticket, before: dict[str, Any], moment: datetime) -> None:
    """Follows a change of state, priority or policy; sets due_at and breach flags on the ticket
    (the caller saves it)."""


def replied(ticket: Ticket, moment: datetime) -> set[str]:
    """The first human public reply stops the response clock. Returns Ticket columns it set."""
    return set()
