"""The incident's states and moves (ITIL 4; the graph is fixed, its settings are not)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from incidents.models import CloseCode
from incidents.models import State as S
from spine.kit.clock import now
from spine.kit.errors import DomainError
from spine.people.models import User
from spine.people.reach import reach_of
from spine.people.roles import Right
from spine.tickets.fields import parse_moment
from spine.tickets.lifecycle import Lifecycle, Move, State, Value
from spine.tickets.models import HoldReason, Ticket

FOLLOW_UP_LIMIT = timedelta(days=366)

STATES = (
    State(S.NEW, S.NEW.label, "new"),
    State(S.IN_PROGRESS, S.IN_PROGRESS.label, "progress"),
    State(S.ON_HOLD, S.ON_HOLD.label, "hold"),
    State(S.RESOLVED, S.RESOLVED.label, "done"),
    State(S.CLOSED, S.CLOSED.label, "done", active=False),
    State(S.CANCELED, S.CANCELED.label, "canceled", active=False),
)

OPEN = frozenset({S.NEW, S.IN_PROGRESS, S.ON_HOLD})


def _take(ticket: Ticket, actor: User, _values: dict[str, Any]) -> dict[str, Any]:
    """The agent who starts the work has it, unless somebody has it already."""
    works = reach_of(actor).has(Right.TICKETS_WORK, ticket.organization_id)
    if ticket.assignee_id is not None or actor.is_system or not works:
        return {}
    group = ticket.assignment_group
    if group is not None and not group.team_members.filter(user=actor).exists():
        return {}
    return {"assignee": actor}


def _hold_fits(_ticket: Ticket, _actor: User, values: dict[str, Any]) -> None:
    if values["hold_reason"] == HoldReason.CALLER and not values.get("comment"):
        raise DomainError("required", _("Tell the caller what you need from them."), "comment")
    if "follow_up_at" in values:
        moment = parse_moment(values["follow_up_at"], "follow_up_at")
        if not now() < moment <= now() + FOLLOW_UP_LIMIT:
            raise DomainError(
                "invalid", _("The follow-up lies in the future, within a year."), "follow_up_at"
            )
        values["follow_up_at"] = moment


def _hold(_ticket: Ticket, _actor: User, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "hold_reason": values["hold_reason"],
        "follow_up_at": values.get("follow_up_at"),
    }


def _resolve(ticket: Ticket, actor: User, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "close_code": values["close_code"],
        "close_notes": values["close_notes"],
        "resolved_at": now(),
        "resolved_by": actor,
        **_take(ticket, actor, values),
    }


def _reopen(ticket: Ticket, _actor: User, _values: dict[str, Any]) -> dict[str, Any]:
    return {
        "resolved_at": None,
        "confirmed_at": None,
        "reopen_count": ticket.reopen_count + 1,
    }


def _confirm(_ticket: Ticket, _actor: User, _values: dict[str, Any]) -> dict[str, Any]:
    moment = now()
    return {"confirmed_at": moment, "closed_at": moment}


def _close(_ticket: Ticket, _actor: User, _values: dict[str, Any]) -> dict[str, Any]:
    return {"closed_at": now()}


def _cancel(_ticket: Ticket, _actor: User, values: dict[str, Any]) -> dict[str, Any]:
    return {"closed_at": now(), "close_notes": values["reason"]}


_NOTE = Value("note", gettext_lazy("Work note"), "markdown")

LIFECYCLE = Lifecycle(
    kind="incident",
    initial=S.NEW,
    states=STATES,
    moves=(
        Move(
            "start", gettext_lazy("Start work"), frozenset({S.NEW}), S.IN_PROGRESS,
            verb="incident.work", past="started", effect=_take, primary=True,
        ),
        Move(
            "resume", gettext_lazy("Resume"), frozenset({S.ON_HOLD}), S.IN_PROGRESS,
            verb="incident.work", past="resumed", effect=_take, primary=True,
        ),
        Move(
            "hold", gettext_lazy("Put on hold"), frozenset({S.NEW, S.IN_PROGRESS}), S.ON_HOLD,
            verb="incident.work", past="held", guard=_hold_fits, effect=_hold,
            values=(
                Value("hold_reason", gettext_lazy("What are you waiting for?"), "choice",
                      required=True, choices=lambda: list(HoldReason.choices)),
                Value("follow_up_at", gettext_lazy("Wake it at"), "datetime",
                      help=gettext_lazy("It comes back to work by itself then.")),
                Value("comment", gettext_lazy("Message to the caller"), "markdown",
                      help=gettext_lazy("Needed when you wait for the caller.")),
            ),
        ),
        Move(
            "resolve", gettext_lazy("Resolve"), OPEN, S.RESOLVED,
            verb="incident.work", past="resolved", effect=_resolve, primary=True,
            values=(
                Value("close_code", gettext_lazy("How was it solved?"), "choice",
                      required=True, choices=lambda: list(CloseCode.choices)),
                Value("close_notes", gettext_lazy("What was done"), "markdown", required=True,
                      help=gettext_lazy("The caller reads this.")),
            ),
        ),
        Move(
            "confirm", gettext_lazy("It helped"), frozenset({S.RESOLVED}), S.CLOSED,
            verb="incident.confirm", past="confirmed", effect=_confirm,
        ),
        Move(
            "reopen", pgettext_lazy("verb", "Reopen"), frozenset({S.RESOLVED}), S.IN_PROGRESS,
            verb="incident.reopen", past="reopened", effect=_reopen,
            values=(
                Value("comment", gettext_lazy("What is still wrong?"), "markdown",
                      required=True),
            ),
        ),
        Move(
            "close", gettext_lazy("Close"), frozenset({S.RESOLVED}), S.CLOSED,
            verb="incident.close", past="closed", effect=_close,
        ),
        Move(
            "cancel", pgettext_lazy("incident", "Cancel"), OPEN, S.CANCELED,
            verb="incident.cancel", past="canceled", effect=_cancel,
            values=(
                Value("reason", gettext_lazy("Why is it canceled?"), "text", required=True,
                      max_length=2000),
            ),
        ),
    ),
)  # fmt: skip
