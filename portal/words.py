"""A ticket's state in the caller's own words: what happens, who has it, when to expect what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from incidents.models import State
from spine.tickets.models import HoldReason, Ticket
from spine.ui import times


@dataclass(frozen=True, slots=True)
class Status:
    """sentence: one line; step: 0..3 of received, in work, solved, closed; tone: as `state`."""

    sentence: str
    step: int
    tone: str
    asks_caller: bool = False


def status_of(ticket: Ticket, *, response_due: Any = None) -> Status:
    """response_due: when the first answer is expected, for a ticket nobody has begun."""
    match ticket.state:
        case State.NEW:
            return Status(_received(response_due), 0, "new")
        case State.IN_PROGRESS:
            return Status(_in_work(ticket), 1, "progress")
        case State.ON_HOLD:
            asks = ticket.hold_reason == HoldReason.CALLER
            return Status(_waiting(ticket), 1, "hold", asks_caller=asks)
        case State.RESOLVED:
            return Status(
                _("Solved %(when)s. Did it help?") % {"when": times.when(_at(ticket.resolved_at))},
                2,
                "done",
                asks_caller=True,
            )
        case State.CANCELED:
            return Status(_("Canceled"), 3, "canceled")
        case _other:
            return Status(
                _("Closed %(when)s") % {"when": times.when(_at(ticket.closed_at))}, 3, "done"
            )


def _at(moment: Any) -> Any:
    from spine.kit.clock import now

    return moment or now()


def _received(response_due: Any) -> str:
    if response_due is None:
        return _("We have it. Somebody will look at it soon.")
    return _("We have it. Expect a first answer by %(when)s.") % {"when": times.when(response_due)}


def _in_work(ticket: Ticket) -> str:
    who = ticket.assignee.name if ticket.assignee else ""
    if not who and ticket.assignment_group:
        who = ticket.assignment_group.name
    if who and ticket.due_at:
        return _("%(who)s works on it. Expect a solution by %(when)s.") % {
            "who": who,
            "when": times.when(ticket.due_at),
        }
    if who:
        return _("%(who)s works on it.") % {"who": who}
    return _("We are working on it.")


def _waiting(ticket: Ticket) -> str:
    match ticket.hold_reason:
        case HoldReason.CALLER:
            return _("We need an answer from you to go on.")
        case HoldReason.VENDOR:
            return _("Waiting for our supplier.")
        case HoldReason.CHANGE:
            return _("Waiting for a planned change.")
        case HoldReason.PROBLEM:
            return _("Waiting until its cause is found.")
        case _other:
            return _("On hold for the moment.")


def steps(status: Status) -> list[dict[str, Any]]:
    labels = [_("Received"), _("In work"), _("Solved"), _("Closed")]
    return [
        {
            "label": label,
            "done": place < status.step or (place == status.step and status.step == 3),
            "current": place == status.step,
            "bad": False,
        }
        for place, label in enumerate(labels)
    ]
