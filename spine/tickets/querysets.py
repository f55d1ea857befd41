"""Named reads of tickets. Scope is SQL over plain indexed columns."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q

from spine.people.roles import Right
from spine.threads.models import Watcher
from spine.tickets.scope import works_filter

if TYPE_CHECKING:
    from spine.people.models import User
    from spine.tickets.models import Category, TicketClock

PEOPLE = ("caller", "opened_by", "assignee")


class ScopedQuerySet(models.QuerySet):  # type: ignore[type-arg]
    """Scope shared by Ticket and every kind (they inherit its columns)."""

    def visible_to(self, user: User) -> Self:
        """What this person may see: everything in the organizations where they read tickets but
        restricted queues they are not in, and always what is their own."""
        scope = works_filter(user, Right.TICKETS_READ)
        if scope is None:
            return self.filter(self._own_filter(user))
        if not scope:
            return self
        # Agents call, too: their own tickets in somebody else's queue stay theirs to follow.
        return self.filter(scope | self._own_filter(user))

    def own(self, user: User) -> Self:
        """The person's own tickets: as caller, opener or watcher."""
        return self.filter(self._own_filter(user))

    @staticmethod
    def _own_filter(user: User) -> Q:
        # The watched ids are resolved first: an OR with a subquery defeats the indexes.
        threads = list(Watcher.objects.filter(user=user).values_list("thread_id", flat=True)[:5000])
        own = Q(caller_id=user.pk) | Q(opened_by_id=user.pk)
        return own | Q(thread_id__in=threads) if threads else own

    def active(self) -> Self:
        return self.filter(active=True)

    def for_list(self) -> Self:
        """What a row of any list shows, in one query."""
        return self.select_related("assignee", "assignment_group", "service", "caller")

    def for_record(self) -> Self:
        return self.select_related(
            "caller",
            "caller__organization",
            "opened_by",
            "organization",
            "assignment_group",
            "assignee",
            "service",
            "category",
            "subcategory",
            "thread",
        )


class TicketQuerySet(ScopedQuerySet):
    def to_wake(self, moment: datetime) -> TicketQuerySet:
        """On hold, with a follow-up time that has come."""
        return self.filter(active=True, follow_up_at__isnull=False, follow_up_at__lte=moment)


class CategoryQuerySet(models.QuerySet["Category"]):
    def top(self, kind: str) -> CategoryQuerySet:
        return self.filter(kind=kind, parent__isnull=True, active=True)


class ClockQuerySet(models.QuerySet["TicketClock"]):
    def due(self, moment: datetime) -> ClockQuerySet:
        return self.filter(wake_at__isnull=False, wake_at__lte=moment).order_by("wake_at", "id")
