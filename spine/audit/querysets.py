"""Named reads of the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import models

from spine.audit.targets import target_of

if TYPE_CHECKING:
    from spine.audit.models import Entry


class EntryQuerySet(models.QuerySet["Entry"]):
    def for_target(self, obj: Any, *, since: datetime | None = None) -> EntryQuerySet:
        """Entries about `obj` (a model instance), oldest first.

        since: the record's own beginning, if known; months before it are then not looked at.
        """
        target = target_of(obj)
        rows = self.filter(target_type=target.type, target_id=target.id)
        if since is not None:
            rows = rows.filter(at__gte=since)
        return rows.order_by("at", "id")

    def of_operation(self, operation: UUID) -> EntryQuerySet:
        """All that one operation did, in order."""
        return self.filter(operation=operation).order_by("at", "id")

    def outside(self) -> EntryQuerySet:
        """Rows that were changed in the database, past the application."""
        return self.filter(source="outside")
