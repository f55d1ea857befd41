"""What has been promised to a listener, from the moment it was true until it is done."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from spine.audit.models import Entry


class Delivery(models.Model):
    """One entry on its way to one listener, written in the entry's own transaction.

    `id` is stable over every attempt: a listener that reaches the outside sends it along (as a
    Message-ID, a webhook-id), so that a repetition is recognised there.
    """

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        DONE = "done", _("Done")
        DEAD = "dead", _("Given up")

    id = models.BigAutoField(primary_key=True)
    listener = models.CharField(max_length=64)
    entry_id = models.BigIntegerField()
    entry_at = models.DateTimeField()
    verb = models.CharField(max_length=80)
    target_type = models.CharField(max_length=80)
    target_id = models.CharField(max_length=64)
    # {"actor": user id, "source": "web", "operation": uuid, "fields": [changed fields]}; the rest
    # is in the entry.
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    # When it is next to be taken. While a worker has it, the end of its lease: a worker that dies
    # simply lets it come due again.
    wake_at = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    done_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "outbox_delivery"
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(
                fields=["listener", "wake_at", "id"],
                name="outbox_due",
                condition=Q(state="pending"),
            ),
            # The order within a lane (one listener, one target).
            models.Index(
                fields=["target_id", "listener", "target_type", "id"],
                name="outbox_lane",
                condition=Q(state="pending"),
            ),
            models.Index(fields=["done_at"], name="outbox_done", condition=Q(state="done")),
            models.Index(fields=["id"], name="outbox_dead", condition=Q(state="dead")),
        ]

    def __str__(self) -> str:
        return f"{self.listener} {self.verb} {self.target_type} {self.target_id}"

    @cached_property
    def entry(self) -> Entry:
        """The audit entry this is about; one query, into one month."""
        return Entry.objects.get(pk=self.entry_id, at=self.entry_at)

    @property
    def actor_id(self) -> int:
        return int(self.payload["actor"])

    @property
    def lane(self) -> tuple[str, str, str]:
        return (self.listener, self.target_type, self.target_id)

    def leased(self, moment: datetime) -> bool:
        return self.leased_until is not None and self.leased_until > moment
