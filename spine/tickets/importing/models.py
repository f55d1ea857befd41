"""What the importer itself has to remember."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from spine.tickets.models import Ticket


class SourceRecord(models.Model):
    """What the source last said of a ticket, so that the next run can tell the source's changes
    from our own work on the record.

    digest: SHA-256 over the values and the events; values: {field: value as the source gave it,
    references by name, moments in ISO 8601}.
    """

    ticket = models.OneToOneField(
        Ticket, on_delete=models.CASCADE, primary_key=True, related_name="source_record"
    )
    digest = models.CharField(max_length=64)
    values = models.JSONField()

    class Meta:
        db_table = "importing_source_record"
        constraints: ClassVar = []

    def __str__(self) -> str:
        return self.digest[:12]
