"""Who is told of what happened to a ticket, and in which words.

Nobody is told of what they did themselves; nobody is told of what they may not see; the content of
a work note goes only to those who may read notes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from spine.audit.models import Entry
from spine.people.models import Team, User
from spine.people.reach import reach_of
from spine.people.roles import Right
from spine.threads.models import Comment, Watcher
from spine.tickets.models import HoldReason, Ticket
from spine.tickets.scope import works_in


class Event(StrEnum):
    CREATED = "created"
    RESOLVED = "resolved"
    CANCELED = "canceled"
    REOPENED = "reopened"
    HELD = "held"
    COMMENTED = "commented"
    NOTED = "noted"
    ASSIGNED = "assigned"
    QUEUED = "queued"
    WOKEN = "woken"
    CLOSED = "closed"


class Why(StrEnum):
    """For what reason somebody gets a mail; the last line of it says so."""

    CALLER = "caller"
    ASSIGNEE = "assignee"
    TEAM = "team"
    WATCHER = "watcher"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person, or a team by its own address (then `user` is None)."""

    key: str
    address: str
    name: str
    why: Why
    event: Event
    user: User | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """One operation on one ticket, as its readers understand it: however many entries it left, it
    is one thing to tell."""

    event: Event
    ticket: Ticket
    actor: User
    comment: Comment | None = None
    changes: dict[str, list[Any]] = field(default_factory=dict)


# The most telling entry of an operation speaks for all of it.
_SPEAKS = ("created", "resolved", "canceled", "reopened", "held", "commented", "resumed", "closed",
           "confirmed", "updated")  # fmt: skip


def speaks_for(entries: Iterable[Entry]) -> Entry | None:
    """The entry whose delivery makes the mails of its whole operation."""
    by_past = {entry.verb.rpartition(".")[2]: entry for entry in reversed(list(entries))}
    return next((by_past[past] for past in _SPEAKS if past in by_past), None)


def happening(
    entries: list[Entry], speaker: Entry, ticket: Ticket, actor: User
) -> Happening | None:
    """None where there is nothing to tell anybody."""
    past = speaker.verb.rpartition(".")[2]
    changes: dict[str, list[Any]] = {}
    for entry in entries:
        changes |= entry.changes
    comment = _comment(entries)
    event = _event(past, actor, comment, changes)
    return None if event is None else Happening(event, ticket, actor, comment, changes)


def _event(
    past: str, actor: User, comment: Comment | None, changes: dict[str, list[Any]]
) -> Event | None:
    if past == "commented":
        if comment is None:
            return None
        return Event.NOTED if comment.visibility == Comment.Visibility.NOTE else Event.COMMENTED
    if past == "resumed":
        # Somebody who resumes by hand tells nobody; the follow-up time does.
        return Event.WOKEN if actor.is_system else None
    if past == "updated":
        if (changes.get("assignee") or [None, None])[1] is not None:
            return Event.ASSIGNED
        return Event.QUEUED if "assignment_group" in changes else None
    if past == "confirmed":
        return None
    return Event(past)


def _comment(entries: list[Entry]) -> Comment | None:
    for entry in entries:
        if entry.verb.endswith(".commented") and "comment" in entry.data:
            return (
                Comment.objects.select_related("author").filter(uuid=entry.data["comment"]).first()
            )
    return None


def audience(what: Happening) -> list[Recipient]:
    """Everybody to tell, each once, for the strongest of their reasons."""
    chosen: dict[str, Recipient] = {}
    for one in _everybody(what):
        if one.user is None or _may_hear(one, what):
            chosen.setdefault(one.key, one)
    return list(chosen.values())


def _everybody(what: Happening) -> Iterable[Recipient]:
    ticket, event = what.ticket, what.event
    if event in {Event.CREATED, Event.ASSIGNED, Event.QUEUED}:
        yield from _handlers(what)
    if event in _TO_CALLER or (event == Event.HELD and _concerns_caller(what)):
        yield from _person(ticket.caller, Why.CALLER, event)
        if ticket.opened_by_id != ticket.caller_id and not _works(ticket.opened_by, ticket):
            yield from _person(ticket.opened_by, Why.CALLER, event)
    if event in _TO_HANDLERS or (event == Event.COMMENTED and _by_caller(what)):
        yield from _handlers(what)
    if event == Event.NOTED and ticket.assignee is not None:
        yield from _person(ticket.assignee, Why.ASSIGNEE, event)
    if event in _TO_WATCHERS and ticket.thread_id is not None:
        for watcher in Watcher.objects.filter(thread=ticket.thread_id).select_related("user"):
            yield from _person(watcher.user, Why.WATCHER, event)


_TO_CALLER = frozenset(
    {Event.CREATED, Event.COMMENTED, Event.RESOLVED, Event.REOPENED, Event.CLOSED, Event.CANCELED}
)
_TO_HANDLERS = frozenset({Event.REOPENED, Event.WOKEN, Event.CANCELED})
_TO_WATCHERS = frozenset(
    {Event.COMMENTED, Event.NOTED, Event.HELD, Event.RESOLVED, Event.REOPENED, Event.CLOSED,
     Event.CANCELED}
)  # fmt: skip


def _concerns_caller(what: Happening) -> bool:
    """On hold is inner business unless the caller is waited for or was written to."""
    return what.ticket.hold_reason == HoldReason.CALLER or what.comment is not None


def _by_caller(what: Happening) -> bool:
    """An agent who opened it for somebody speaks as an agent."""
    ticket, actor = what.ticket, what.actor
    return actor.pk == ticket.caller_id or (
        actor.pk == ticket.opened_by_id and not _works(actor, ticket)
    )


def _works(user: User, ticket: Ticket) -> bool:
    return reach_of(user).has(Right.TICKETS_WORK, ticket.organization_id)


def _handlers(what: Happening) -> Iterable[Recipient]:
    """Whoever has it; where nobody has, the group: by its own address if there is one."""
    ticket, event = what.ticket, what.event
    if ticket.assignee is not None:
        told = Event.ASSIGNED if event == Event.CREATED else event
        yield from _person(ticket.assignee, Why.ASSIGNEE, told)
        return
    group = ticket.assignment_group
    if group is None:
        return
    told = Event.QUEUED if event == Event.CREATED else event
    if group.email:
        yield from _team(group, told)
        return
    for member in group.members.filter(is_active=True).order_by("id"):
        yield from _person(member, Why.TEAM, told)


def _team(group: Team, event: Event) -> Iterable[Recipient]:
    yield Recipient(f"team:{group.pk}", group.email, group.name, Why.TEAM, event)


def _person(user: User, why: Why, event: Event) -> Iterable[Recipient]:
    if user.email and user.is_active and not user.is_system:
        yield Recipient(f"user:{user.pk}", user.email, user.name, why, event, user)


def _may_hear(one: Recipient, what: Happening) -> bool:
    assert one.user is not None
    if one.user.pk == what.actor.pk:
        return False
    if what.event == Event.NOTED and not may_read_notes(one.user, what.ticket):
        return False
    return Ticket.objects.visible_to(one.user).filter(pk=what.ticket.pk).exists()


def may_read_notes(user: User, ticket: Ticket) -> bool:
    return works_in(user, Right.NOTES_READ, ticket)
