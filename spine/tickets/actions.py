"""The writers of what every kind of ticket shares.

Each takes the actor, opens one operation (one transaction, one audit id), locks the parent row
before it reads what it decides on, and leaves the rest (mail, index) to the outbox. Kinds wrap
these in their own `actions.py` with their own columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.core.files.uploadedfile import UploadedFile
from django.db import models
from django.utils.translation import gettext as _

from spine.kit.clock import now
from spine.kit.errors import DomainError, StaleVersion
from spine.outbox.operations import Operation, operation
from spine.people.models import User
from spine.people.policy import require
from spine.threads import actions as threads
from spine.threads.models import Comment, Thread, Watcher
from spine.tickets import clocks, kinds, numbering
from spine.tickets.changes import diff, snapshot
from spine.tickets.fields import TRACKED, check_fields
from spine.tickets.lifecycle import Move, check_source, clean_values
from spine.tickets.models import HoldReason, Link, LinkType, Ticket
from spine.tickets.priority import priority_of

T = TypeVar("T", bound=Ticket)

# Names of people: sealed as digests in the audit trail, so that they can be erased.
PERSONAL = ("assignee", "caller")
# Where `lock` keeps the values it found.
_AS_LOCKED = "_as_locked"
# What staff decide about a ticket; a caller tells impact and urgency, no more.
TRIAGE = ("priority", "priority_reason", "assignee", "assignment_group", "custom")


def create(
    model: type[T],
    kind_code: str,
    *,
    actor: User,
    values: Mapping[str, Any],
    extra: Mapping[str, Any] | None = None,
    files: Sequence[UploadedFile[bytes]] = (),
    source: str | None = None,
) -> T:
    """Opens a ticket. values: Ticket's editable fields by name, plus caller and channel; extra:
    the kind's own columns, already checked."""
    kind = kinds.get(kind_code)
    moment = now()
    cleaned = check_fields(kind_code, values, creating=True)
    caller: User = cleaned.pop("caller", None) or actor
    ticket = model(
        number=numbering.next_number(kind.prefix),
        kind=kind_code,
        state=kind.lifecycle.initial,
        caller=caller,
        opened_by=actor,
        organization=cleaned.pop("organization", None) or caller.organization,
        opened_at=moment,
        updated_at=moment,
        **cleaned,
        **(extra or {}),
    )
    _settle_priority(ticket, cleaned)
    require(actor, f"{kind_code}.create", ticket)
    if any(values.get(name) not in (None, "", {}) for name in TRIAGE):
        require(actor, f"{kind_code}.work", ticket)
    _check_assignment(ticket)
    with operation(actor, f"{kind_code}.create", source=source) as op:
        thread = Thread.objects.create() if files else None
        ticket.thread = thread
        planned = clocks.plan(ticket)
        ticket.save(force_insert=True)
        clocks.store(ticket, planned)
        for file in files:
            assert thread is not None
            threads.store_attachment(actor=actor, thread=thread, file=file)
        op.record(
            target=ticket,
            verb=f"{kind_code}.created",
            data={"title": ticket.title, "channel": ticket.channel, "files": len(files)},
        )
    return ticket


def update(
    ticket: T,
    *,
    actor: User,
    values: Mapping[str, Any],
    extra: Mapping[str, Any] | None = None,
    expected_version: int | None = None,
    source: str | None = None,
) -> T:
    """Changes fields; never state. Returns the stored record as it now is."""
    kind = kinds.kind_of(ticket)
    with operation(actor, f"{ticket.kind}.update", source=source) as op:
        stored = lock(ticket)
        require(actor, f"{ticket.kind}.update", stored)
        check_version(stored, expected_version)
        cleaned = check_fields(ticket.kind, values, current=stored)
        extra = extra or {}
        before = snapshot(stored, {*TRACKED, *cleaned, *extra})
        for name, value in {**cleaned, **extra}.items():
            setattr(stored, name, value)
        _settle_priority(stored, cleaned)
        _check_assignment(stored, before)
        changes = diff(before, stored)
        if not changes:
            return stored
        _count_reassignment(stored, changes)
        _save(stored, before, now())
        op.record(target=stored, verb=f"{kind.code}.updated", changes=changes, personal=PERSONAL)
    return stored


def perform(
    ticket: T,
    move_code: str,
    *,
    actor: User,
    values: Mapping[str, Any] | None = None,
    expected_version: int | None = None,
    source: str | None = None,
) -> T:
    """Makes a move of the kind's lifecycle. Returns the stored record as it now is."""
    kind = kinds.kind_of(ticket)
    move = kind.lifecycle.move(move_code)
    with operation(actor, f"{ticket.kind}.{move.code}", source=source) as op:
        stored = lock(ticket)
        require(actor, move.verb, stored)
        check_version(stored, expected_version)
        check_source(kind.lifecycle, move, stored)
        cleaned = clean_values(move, values or {})
        move.guard(stored, actor, cleaned)
        words = _comment_of_move(stored, move, cleaned, actor)
        _apply(op, stored, move, actor, cleaned)
        if words is not None:
            _note_comment(op, stored, words, actor)
    return stored


def _apply(op: Operation, stored: Ticket, move: Move, actor: User, values: dict[str, Any]) -> None:
    """The write half of a move; the row is locked and everything has been checked."""
    kind = kinds.kind_of(stored)
    moment = now()
    columns = move.effect(stored, actor, values)
    before = snapshot(stored, {*TRACKED, *columns})
    target = kind.lifecycle.state(move.target)
    stored.state = target.code
    stored.active = target.active
    if target.code != kind.hold_state:
        stored.hold_reason = ""
        stored.follow_up_at = None
    for name, value in columns.items():
        setattr(stored, name, value)
    changes = diff(before, stored)
    _count_reassignment(stored, changes)
    _save(stored, before, moment)
    op.record(
        target=stored,
        verb=f"{stored.kind}.{move.past}",
        changes=changes,
        data={"move": move.code},
        personal=PERSONAL,
    )


def comment(
    ticket: T,
    *,
    actor: User,
    body: str,
    visibility: str = Comment.Visibility.PUBLIC,
    files: Sequence[UploadedFile[bytes]] = (),
    channel: str = "web",
    automatic: bool = False,
    source: str | None = None,
) -> Comment:
    """A reply to the caller or a work note, with files. The caller's reply resumes a ticket that
    awaits them; the first human reply of staff stops the response clock."""
    kind = kinds.kind_of(ticket)
    if visibility not in Comment.Visibility.values:
        raise DomainError("invalid_choice", _("There is no such choice."), "visibility")
    verb = "comment" if visibility == Comment.Visibility.PUBLIC else "note"
    with operation(actor, f"{ticket.kind}.{verb}", source=source) as op:
        stored = lock(ticket)
        require(actor, f"{ticket.kind}.{verb}", stored)
        made = threads.add_comment(
            actor=actor,
            thread=thread_of(stored),
            body=body,
            visibility=visibility,
            files=files,
            channel=channel,
            automatic=automatic,
        )
        _note_comment(op, stored, made, actor, files=len(files))
        if (
            visibility == Comment.Visibility.PUBLIC
            and actor.pk == stored.caller_id
            and stored.state == kind.hold_state
            and stored.hold_reason == HoldReason.CALLER
        ):
            move = kind.lifecycle.move(kind.resume)
            _apply(op, stored, move, actor, {})
    return made


def _note_comment(
    op: Operation, stored: Ticket, made: Comment, actor: User, *, files: int = 0
) -> None:
    """Puts a comment on the record; a human reply of staff stops the response clock."""
    moment = now()
    touched = {"updated_at"}
    stored.updated_at = moment
    public = made.visibility == Comment.Visibility.PUBLIC
    if public and not made.automatic and actor.pk != stored.caller_id:
        touched |= clocks.replied(stored, moment)
    stored.save(update_fields=touched)
    op.record(
        target=stored,
        verb=f"{stored.kind}.commented",
        data={
            "comment": str(made.uuid),
            "visibility": made.visibility,
            "automatic": made.automatic,
            "files": files,
        },
    )


def wake(ticket: T, *, actor: User) -> bool:
    """The follow-up time came: back to work. False if the ticket has moved on meanwhile."""
    kind = kinds.kind_of(ticket)
    with operation(actor, f"{ticket.kind}.wake", source="task") as op:
        stored = lock(ticket)
        if (
            stored.state != kind.hold_state
            or stored.follow_up_at is None
            or stored.follow_up_at > now()
        ):
            return False
        _apply(op, stored, kind.lifecycle.move(kind.resume), actor, {})
    return True


def watch(ticket: Ticket, *, actor: User, user: User | None = None, on: bool = True) -> None:
    """Follows the ticket (or stops), for oneself or, as staff, for somebody else."""
    watcher = user or actor
    with operation(actor, f"{ticket.kind}.watch") as op:
        stored = lock(ticket)
        require(
            actor,
            f"{ticket.kind}.comment" if watcher.pk == actor.pk else f"{ticket.kind}.update",
            stored,
        )
        thread = thread_of(stored)
        if on:
            _row, changed = Watcher.objects.get_or_create(thread=thread, user=watcher)
        else:
            gone, _rows = Watcher.objects.filter(thread=thread, user=watcher).delete()
            changed = bool(gone)
        if changed:
            verb = "watched" if on else "unwatched"
            op.record(target=stored, verb=f"{ticket.kind}.{verb}", data={"user": watcher.username})


def link(source: Ticket, target: Ticket, *, actor: User, type: str) -> Link:  # noqa: A002
    """`source` type `target`, once."""
    if type not in LinkType.values:
        raise DomainError("invalid_choice", _("There is no such choice."), "type")
    if source.pk == target.pk:
        raise DomainError("loop", _("A ticket can't be linked to itself."), "target")
    require(actor, f"{source.kind}.update", source)
    with operation(actor, f"{source.kind}.link") as op:
        made, new = Link.objects.get_or_create(
            source_id=source.pk,
            target_id=target.pk,
            type=type,
            defaults={"created_by": actor, "created_at": now()},
        )
        if new:
            op.record(
                target=source,
                verb=f"{source.kind}.linked",
                data={"type": type, "number": target.number},
            )
    return made


def lock(ticket: T) -> T:
    """The row (parent and child) as it is stored now, locked until the transaction ends.

    Nothing is joined to it: after a wait PostgreSQL reads the locked rows anew, but joined ones
    from before the wait. What they refer to is loaded afterwards, by statements that see it.
    """
    model = type(ticket) if type(ticket) is not Ticket else kinds.kind_of(ticket).model_class()
    # The plugin can't name the manager of a type variable.
    manager: Any = model._default_manager
    found: T = manager.select_for_update(of=_row_tables(model)).get(pk=ticket.pk)
    found.__dict__[_AS_LOCKED] = {**found.__dict__, "custom": dict(found.custom)}
    return found


def _row_tables(model: type[models.Model]) -> tuple[str, ...]:
    return ("self",) if model is Ticket else ("self", "ticket_ptr")


def check_version(stored: Ticket, expected: int | None) -> None:
    if expected is not None and expected != stored.version:
        raise StaleVersion(
            _(
                "Somebody changed this record meanwhile. "
                "Nothing of yours is lost: compare and save again."
            ),
            current=stored.version,
        )


def thread_of(stored: Ticket) -> Thread:
    """The ticket's thread, made on first use (the row is locked, so it is made once)."""
    if stored.thread_id is None:
        stored.thread = Thread.objects.create()
        Ticket.objects.filter(pk=stored.pk).update(thread=stored.thread)
    assert stored.thread is not None
    return stored.thread


def _comment_of_move(
    stored: Ticket, move: Move, values: dict[str, Any], actor: User
) -> Comment | None:
    """A move may carry words to the caller (`comment`) or to colleagues (`note`)."""
    for name, visibility in (
        ("comment", Comment.Visibility.PUBLIC),
        ("note", Comment.Visibility.NOTE),
    ):
        if values.get(name):
            return threads.add_comment(
                actor=actor, thread=thread_of(stored), body=values[name], visibility=visibility
            )
    return None


def _save(stored: Ticket, before: dict[str, Any], moment: datetime) -> None:
    stored.version += 1
    stored.updated_at = moment
    clocks.advance(stored, before, moment)
    # The columns that differ from the locked row: most changes touch a few of forty, and none of
    # the kind's own table.
    locked, here = stored.__dict__[_AS_LOCKED], stored.__dict__
    names = [f.name for f in stored._meta.concrete_fields if here[f.attname] != locked[f.attname]]
    stored.save(update_fields=names)


def _settle_priority(stored: Ticket, given: Mapping[str, Any]) -> None:
    """The matrix decides unless the priority was overridden with a reason."""
    if "priority" in given:
        if not stored.priority_reason.strip():
            raise DomainError(
                "required", _("Overriding the priority needs a reason."), "priority_reason"
            )
        return
    if not stored.priority_reason:
        stored.priority = priority_of(stored.impact, stored.urgency)


def _check_assignment(stored: Ticket, before: Mapping[str, Any] | None = None) -> None:
    """An assignee works in the group; a new group lets an assignee go who is not in it."""
    assignee, group = stored.assignee, stored.assignment_group
    if assignee is None:
        return
    if not assignee.is_active:
        raise DomainError("inactive", _("This person has left."), "assignee")
    if group is None:
        return
    if group.team_members.filter(user=assignee).exists():
        return
    if before is not None and before.get("assignee") == assignee:
        stored.assignee = None
        return
    raise DomainError(
        "not_in_group",
        _("%(person)s is not in %(group)s.") % {"person": assignee.name, "group": group.name},
        "assignee",
    )


def _count_reassignment(stored: Ticket, changes: Mapping[str, list[Any]]) -> None:
    """From one group or person to another counts; a first assignment does not."""
    for name in ("assignment_group", "assignee"):
        pair = changes.get(name)
        if pair is not None and pair[0] is not None and pair[1] is not None:
            stored.reassignment_count += 1
            return
