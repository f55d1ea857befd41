"""A ticket's state in the caller's own words: what happens, who has it, when to expect what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from incidents.models import State
from spine.kit.clock import now
from spine.people.models import User
from spine.tickets.models import HoldReason, Ticket
from spine.ui import times


@dataclass(frozen=True, slots=True)
class Status:
    """sentence: what is; more: what comes next, or ""; step: 0..3 of received, in work, solved,
    closed; tone: as the tag `state`; ask: what the reader may do now: answer, judge or ""."""

    sentence: str
    step: int
    tone: str
    more: str = ""
    ask: str = ""


def status_of(
    ticket: Ticket,
    reader: User,
    *,
    answer_due: datetime | None = None,
    closes_in_days: int | None = None,
) -> Status:
    """answer_due: when the first answer is expected, while none was given; closes_in_days:
    business days until a solved ticket closes by itself, where that is to be said."""
    match ticket.state:
        case State.NEW:
            return Status(_received(ticket), 0, "new", more=_promise(ticket, answer_due))
        case State.IN_PROGRESS:
            return Status(_in_work(ticket), 1, "progress", more=_promise(ticket, None))
        case State.ON_HOLD:
            return _waiting(ticket, reader)
        case State.RESOLVED:
            return _solved(ticket, reader, closes_in_days)
        case State.CANCELED:
            return Status(_("Canceled"), 3, "canceled")
        case _other:
            when = times.when(ticket.closed_at or now())
            return Status(_("Closed %(when)s") % {"when": when}, 3, "done")


def holder_of(ticket: Ticket) -> str:
    """Who has it: the person, else their team, else "" while nobody has."""
    if ticket.assignee is not None:
        return ticket.assignee.name
    return ticket.assignment_group.name if ticket.assignment_group is not None else ""


def _received(ticket: Ticket) -> str:
    holder = holder_of(ticket)
    if holder:
        return _("%(who)s has it.") % {"who": holder}
    return _("We have it.")


def _in_work(ticket: Ticket) -> str:
    holder = holder_of(ticket)
    if holder:
        return _("%(who)s works on it.") % {"who": holder}
    return _("We are working on it.")


def _promise(ticket: Ticket, answer_due: datetime | None) -> str:
    """What to expect by when; a time that has passed is not promised once more."""
    moment = now()
    if answer_due is not None:
        if answer_due <= moment:
            return _("Our first answer is late.")
        return _("Expect a first answer by %(when)s.") % {"when": times.when(answer_due, moment)}
    if ticket.due_at is not None:
        if ticket.due_at <= moment:
            return _("It takes longer than we promised.")
        return _("Expect a solution by %(when)s.") % {"when": times.when(ticket.due_at, moment)}
    return _("Somebody will look at it soon.") if ticket.state == State.NEW else ""


def _waiting(ticket: Ticket, reader: User) -> Status:
    match ticket.hold_reason:
        case HoldReason.CALLER if ticket.caller_id == reader.pk:
            return Status(
                _("We need an answer from you."),
                1,
                "hold",
                more=_("Work goes on as soon as you reply."),
                ask="answer",
            )
        case HoldReason.CALLER:
            sentence = _("Waiting for an answer from %(who)s.") % {"who": ticket.caller.name}
        case HoldReason.VENDOR:
            sentence = _("Waiting for our supplier.")
        case HoldReason.CHANGE:
            sentence = _("Waiting for a planned change.")
        case HoldReason.PROBLEM:
            sentence = _("Waiting until its cause is found.")
        case _other:
            sentence = _("On hold for the moment.")
    return Status(sentence, 1, "hold", more=_until(ticket.follow_up_at))


def _until(moment: datetime | None) -> str:
    if moment is None or moment <= now():
        return ""
    return _("We look at it again %(when)s.") % {"when": times.when(moment)}


def _solved(ticket: Ticket, reader: User, closes_in_days: int | None) -> Status:
    when = times.when(ticket.resolved_at or now())
    involved = reader.pk in {ticket.caller_id, ticket.opened_by_id}
    if not involved:
        return Status(_("Solved %(when)s.") % {"when": when}, 2, "done")
    more = ""
    if closes_in_days is not None:
        more = ngettext(
            "Without a word from you it closes by itself after %(count)d working day.",
            "Without a word from you it closes by itself after %(count)d working days.",
            closes_in_days,
        ) % {"count": closes_in_days}
    sentence = _("Solved %(when)s. Did it help?") % {"when": when}
    return Status(sentence, 2, "done", more=more, ask="judge")


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
