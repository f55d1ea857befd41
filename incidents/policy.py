"""Who may do what with an incident, with the reason a page shows. Scope comes before."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from incidents.models import State
from spine.people.models import User
from spine.people.policy import YES, Decision, no, rule
from spine.people.reach import reach_of
from spine.people.roles import Right, Role
from spine.tickets.models import Ticket
from spine.tickets.scope import works_in


def _staff(user: User, right: Right, ticket: Ticket) -> bool:
    if ticket._state.adding:
        # About to be opened: anybody who answers the phone may send it to a restricted queue.
        return reach_of(user).has(right, ticket.organization_id)
    return works_in(user, right, ticket)


def _involved(user: User, ticket: Ticket) -> bool:
    """Caller or opener; an auditor's account stays out of what it audits."""
    return user.pk in {ticket.caller_id, ticket.opened_by_id} and not _audits(user)


def _audits(user: User) -> bool:
    reach = reach_of(user)
    return Role.AUDITOR in reach.roles and not reach.has(Right.TICKETS_WORK)


@rule("incident.create")
def create(user: User, ticket: Any) -> Decision:
    """Everybody reports what troubles them; for somebody else, staff do."""
    if _audits(user):
        return no("reads_only", _("An auditor's account reads and exports; it changes nothing."))
    if (
        ticket is None
        or ticket.caller_id == user.pk
        or _staff(user, Right.TICKETS_FOR_OTHERS, ticket)
    ):
        return YES
    if not reach_of(user).is_staff:
        return no("not_for_others", _("You can report for yourself only."))
    return no("role_required", _("Your role reads here, but does not open tickets for others."))


@rule("incident.update", "incident.work")
def work(user: User, ticket: Ticket) -> Decision:
    if _staff(user, Right.TICKETS_WORK, ticket):
        if ticket.state in {State.CLOSED, State.CANCELED}:
            return no("closed", _("It is closed. Open a new incident and link it."))
        return YES
    return no("role_required", _("Only agents work on incidents."))


@rule("incident.note")
def note(user: User, ticket: Ticket) -> Decision:
    if _staff(user, Right.NOTES_WRITE, ticket):
        return YES
    return no("role_required", _("Only agents write work notes."))


@rule("incident.read_notes")
def read_notes(user: User, ticket: Ticket) -> Decision:
    if _staff(user, Right.NOTES_READ, ticket):
        return YES
    return no("role_required", _("Work notes are for staff."))


@rule("incident.comment")
def comment(user: User, ticket: Ticket) -> Decision:
    """The people it concerns and those who work on it; a watcher may follow up, too."""
    if ticket.state in {State.CLOSED, State.CANCELED}:
        return no("closed", _("It is closed. Report it anew and we will link the two."))
    if _involved(user, ticket) or _staff(user, Right.TICKETS_WORK, ticket):
        return YES
    if ticket.thread_id and ticket.thread.watchers.filter(user=user).exists():  # type: ignore[union-attr]
        return YES
    return no("role_required", _("Your role reads here, but does not write."))


@rule("incident.confirm")
def confirm(user: User, ticket: Ticket) -> Decision:
    if _involved(user, ticket):
        return YES
    return no("caller_only", _("Only the caller says whether it helped."))


@rule("incident.reopen")
def reopen(user: User, ticket: Ticket) -> Decision:
    if _involved(user, ticket) or _staff(user, Right.TICKETS_WORK, ticket):
        return YES
    return no("role_required", _("The caller or an agent reopens it."))


@rule("incident.close")
def close(user: User, ticket: Ticket) -> Decision:
    """It closes by itself; a lead may close it now."""
    if _staff(user, Right.TICKETS_BULK, ticket):
        return YES
    return no("role_required", _("It closes by itself, or a team lead closes it."))


@rule("incident.cancel")
def cancel(user: User, ticket: Ticket) -> Decision:
    if _staff(user, Right.TICKETS_WORK, ticket):
        return YES
    if _involved(user, ticket):
        if ticket.state == State.NEW:
            return YES
        return no("work_started", _("Work has started. Tell the agent that you no longer need it."))
    return no("role_required", _("The caller or an agent cancels it."))


@rule("incident.bulk")
def bulk(user: User, _ticket: Any) -> Decision:
    if reach_of(user).has(Right.TICKETS_BULK):
        return YES
    return no("role_required", _("Bulk work is for team leads."))
