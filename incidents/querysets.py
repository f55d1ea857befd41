"""Named reads of incidents."""

from __future__ import annotations

from django.db import models

from spine.tickets.querysets import ScopedQuerySet


class IncidentQuerySet(ScopedQuerySet):
    pass


class IncidentManager(models.Manager.from_queryset(IncidentQuerySet)):  # type: ignore[misc]
    """Names the kind in every query, so that the indexes that begin with it serve."""

    def get_queryset(self) -> IncidentQuerySet:
        queryset: IncidentQuerySet = super().get_queryset()
        return queryset.filter(kind="incident")
