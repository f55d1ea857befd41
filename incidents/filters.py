"""One filterset for the list page and the API, and the orderings that an index serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from incidents.lifecycle import LIFECYCLE
from incidents.models import State
from spine.kit.keyset import Orderings
from spine.people.models import Team, User
from spine.people.reach import reach_of
from spine.rest.filters import Choice, Column, FilterSet, Flag, Moment, Number, Reference, Text
from spine.search.filters import Words
from spine.services.models import Service
from spine.threads.models import Comment
from spine.tickets.models import (
    Category,
    Channel,
    ExternalReference,
    HoldReason,
    Link,
    LinkType,
    Ticket,
)

ORDERINGS = Orderings(
    {
        "-opened_at": ("-opened_at", "-id"),
        "opened_at": ("opened_at", "id"),
        "-updated_at": ("-updated_at", "-id"),
        "updated_at": ("updated_at", "id"),
        "due_at": ("due_at", "id"),
        "priority": ("priority", "opened_at", "id"),
        "-resolved_at": ("-resolved_at", "-id"),
    }
)
# Their indexes hold open tickets (or, the last, resolved ones) alone: a page offers them only
# where the filter says so.
OPEN_ORDERINGS = frozenset({"due_at", "priority"})
RESOLVED_ORDERINGS = frozenset({"-resolved_at"})


@dataclass(frozen=True)
class StateColumn(Choice):
    """A choice of states that are all open (or all over) says so to the database, too: the partial
    indexes of open tickets serve only where `active` stands in the query."""

    def apply(self, queryset: QuerySet[Any], path: str, lookup: str, value: Any) -> QuerySet[Any]:
        found = super().apply(queryset, path, lookup, value)
        chosen = value if isinstance(value, list) else [value]
        active = {LIFECYCLE.state(code).active for code in chosen}
        return found.filter(active=active.pop()) if len(active) == 1 else found


MINE = "mine"


@dataclass(frozen=True)
class TeamReference(Reference):
    """A team; `mine` stands for all that the reader is in."""

    def resolve(self, texts: list[str], user: Any, parameter: str) -> list[int]:
        named = [text for text in texts if text != MINE]
        ids = super().resolve(named, user, parameter) if named else []
        return ids if len(named) == len(texts) else [*ids, *sorted(reach_of(user).team_ids)]


@dataclass(frozen=True)
class Related(Column):
    """A related record by its number here, or by its name in another system.

    link: the link's type, or "" for any; kind: of the ticket linked to, or "" for any.
    """

    relation: str = ""
    link: str = ""
    kind: str = ""

    lookups: ClassVar[tuple[str, ...]] = ("exact", "in")
    schema: ClassVar[Mapping[str, Any]] = {"type": "string", "maxLength": 200}

    def one(self) -> forms.Field:
        return forms.CharField(required=False, max_length=200)

    def apply(self, queryset: QuerySet[Any], path: str, lookup: str, value: Any) -> QuerySet[Any]:
        names = value if isinstance(value, list) else [value]
        outside = ExternalReference.objects.filter(
            relation=self.relation, external_id__in=names
        ).values("ticket_id")
        if not self.link and not self.kind:
            return queryset.filter(pk__in=outside)
        targets = Ticket.objects.filter(number__in=[name.upper() for name in names])
        if self.kind:
            targets = targets.filter(kind=self.kind)
        links = Link.objects.filter(target__in=targets)
        if self.link:
            links = links.filter(type=self.link)
        # One set of ids: an OR of two subqueries would read the whole table.
        return queryset.filter(pk__in=links.values("source_id").union(outside))


@dataclass(frozen=True)
class AwaitingReply(Flag):
    """Whether the caller had the last public word. Worked out per ticket, so it goes with a filter
    that leaves few (an assignee, a team)."""

    def apply(self, queryset: QuerySet[Any], path: str, lookup: str, value: Any) -> QuerySet[Any]:
        asked = queryset.alias(last_author=Subquery(LAST_AUTHOR))
        theirs = Q(last_author=F("caller_id"))
        found: QuerySet[Any] = asked.filter(theirs) if value else asked.exclude(theirs)
        return found


# Who wrote the last public comment of a ticket; None without one.
LAST_AUTHOR = (
    Comment.objects.filter(
        thread_id=OuterRef("thread_id"), visibility=Comment.Visibility.PUBLIC, automatic=False
    )
    .order_by("-created_at", "-id")
    .values("author_id")[:1]
)


def _people(user: User) -> QuerySet[User]:
    found: QuerySet[User] = User.objects.visible_to(user)
    return found


class IncidentFilters(FilterSet):
    q = Words(kind="incident")

    columns: ClassVar[Mapping[str, Column]] = {
        "number": Text(),
        "title": Text(search=True),
        "state": StateColumn(choices=State.choices),
        "active": Flag(),
        "impact": Number(minimum=1, maximum=3),
        "urgency": Number(minimum=1, maximum=3),
        "priority": Number(minimum=1, maximum=5),
        "caller": Reference(rows=_people, keys=("username", "name"), me=True),
        "opened_by": Reference(rows=_people, keys=("username", "name"), me=True),
        "assignee": Reference(rows=_people, keys=("username", "name"), me=True, nullable=True),
        "assignment_group": TeamReference(rows=lambda _user: Team.objects.all(), nullable=True),
        "service": Reference(rows=lambda _user: Service.objects.all(), nullable=True),
        "channel": Choice(choices=Channel.choices),
        "category": Reference(
            rows=lambda _user: Category.objects.filter(kind="incident", parent__isnull=True),
            nullable=True,
        ),
        "subcategory": Reference(
            rows=lambda _user: Category.objects.filter(kind="incident", parent__isnull=False),
            nullable=True,
        ),
        "awaiting_reply": AwaitingReply(),
        "breached": Flag(),
        "response_breached": Flag(),
        "reopen_count": Number(minimum=0),
        "reassignment_count": Number(minimum=0),
        "opened_at": Moment(),
        "resolved_at": Moment(nullable=True),
        "closed_at": Moment(nullable=True),
        "updated_at": Moment(),
        "due_at": Moment(nullable=True),
        "follow_up_at": Moment(nullable=True),
        "hold_reason": Choice(choices=HoldReason.choices),
        # Text, as imported records keep their source's own codes.
        "close_code": Text(),
        "external_source": Text(),
        "external_id": Text(),
        "problem": Related(relation="problem", kind="problem"),
        "change": Related(relation="change", kind="change"),
        "caused_by": Related(relation="caused_by", link=LinkType.CAUSED_BY),
        "item": Related(relation="item"),
    }
