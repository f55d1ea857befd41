"""Tickets as what can be found: number, title, description, replies; work notes apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from django.db.models import QuerySet
from django.urls import NoReverseMatch

from spine.people.models import User
from spine.people.reach import reach_of
from spine.people.roles import Right
from spine.search import sources
from spine.search.sources import Hit, Source, Texts
from spine.threads import markdown
from spine.threads.models import Comment
from spine.tickets import kinds
from spine.tickets.kinds import Kind
from spine.tickets.models import Ticket
from spine.tickets.scope import works_in

# The newest replies of a long thread; a document ends somewhere.
_COMMENTS = 300
_QUOTED = 200
_QUOTED_LENGTH = 2_000


def register(kind: Kind) -> Source:
    """Makes the kind's tickets findable; called for every kind at start-up."""
    return sources.register(
        Source(
            kind=kind.code,
            label=kind.plural,
            icon=kind.icon,
            target_type="tickets.ticket",
            verbs=(f"{kind.code}.*",),
            records=_records(kind),
            texts=_texts,
            visible=_visible,
            hits=_hits,
            organizations=_organizations,
            noteless=_noteless(kind),
            number_prefixes=(kind.prefix,),
            order=10,
        )
    )


def _records(kind: Kind) -> Callable[[], QuerySet[Any]]:
    def read() -> QuerySet[Any]:
        rows: QuerySet[Any] = kind.model_class()._default_manager.all()
        return rows

    return read


def _visible(rows: QuerySet[Any], user: User) -> QuerySet[Any]:
    visible: QuerySet[Any] = rows.visible_to(user)  # type: ignore[attr-defined]
    return visible


def _organizations(user: User) -> frozenset[int] | None:
    return reach_of(user).organizations(Right.TICKETS_READ)


def _noteless(kind: Kind) -> Callable[[User], list[int]]:
    def read(user: User) -> list[int]:
        closed = reach_of(user).closed_team_ids
        if not closed:
            return []
        own = kind.model_class()._default_manager.own(user)
        return list(own.filter(assignment_group__in=sorted(closed)).values_list("pk", flat=True))

    return read


def _texts(tickets: list[Ticket]) -> Iterable[Texts]:
    said = _comments([ticket.thread_id for ticket in tickets if ticket.thread_id])
    for ticket in tickets:
        comments = said.get(ticket.thread_id or 0, [])
        public = [body for body, note in comments if not note]
        closing = getattr(ticket, "close_notes", "")
        yield Texts(
            title=ticket.title,
            body="\n".join([ticket.description, closing, *public]),
            notes="\n".join(body for body, note in comments if note),
            number=ticket.number,
            external_id=ticket.external_id,
            organization_id=ticket.organization_id,
            ranked_at=ticket.opened_at,
        )


def _comments(threads: list[int]) -> dict[int, list[tuple[str, bool]]]:
    """(text, whether it is a work note) by thread, the newest of each."""
    said: dict[int, list[tuple[str, bool]]] = defaultdict(list)
    if not threads:
        return said
    rows = Comment.objects.filter(thread__in=threads).order_by("-created_at", "-id")
    for thread, body, visibility in rows.values_list("thread_id", "body", "visibility").iterator():
        if len(said[thread]) < _COMMENTS:
            said[thread].append((body, visibility == Comment.Visibility.NOTE))
    return said


def _hits(rows: QuerySet[Any], user: User) -> dict[int, Hit]:
    tickets = list(rows.select_related("assignment_group", "assignee"))
    staff = reach_of(user).is_staff
    quoted = _quotable(tickets, user)
    hits: dict[int, Hit] = {}
    for ticket in tickets:
        kind = kinds.kind_of(ticket)
        state = kind.lifecycle.state(ticket.state)
        who = [ticket.assignment_group, ticket.assignee] if staff else []
        hits[ticket.pk] = Hit(
            title=ticket.title,
            url=(kind.url if staff else kind.portal_url)(ticket),
            number=ticket.number,
            hint=" · ".join(str(one) for one in who if one is not None),
            state=str(state.label),
            tone=state.tone,
            excerpts=(markdown.rough(ticket.description[:20_000]), *quoted[ticket.thread_id or 0]),
            value=ticket.number,
        )
    return hits


def _quotable(tickets: list[Ticket], user: User) -> dict[int, list[str]]:
    """What was said and this person may read, for the line under a result."""
    quoted: dict[int, list[str]] = defaultdict(list)
    threads = {
        ticket.thread_id: works_in(user, Right.NOTES_READ, ticket)
        for ticket in tickets
        if ticket.thread_id
    }
    if not threads:
        return quoted
    rows = Comment.objects.filter(thread__in=threads).order_by("-created_at", "-id")
    for thread, body, visibility in rows.values_list("thread_id", "body", "visibility")[:_QUOTED]:
        if visibility == Comment.Visibility.PUBLIC or threads[thread]:
            quoted[thread].append(markdown.rough(body[:_QUOTED_LENGTH]))
    return quoted


def link_number(number: str, portal: bool) -> str | None:
    """The page of a ticket's number in a text; the page itself says whether one may see it."""
    kind = kinds.by_number(number)
    if kind is None or not number[len(kind.prefix) :].isdigit():
        return None
    named: Any = SimpleNamespace(number=number)
    try:
        return (kind.portal_url if portal else kind.url)(named)
    except NoReverseMatch:
        return None
