"""What the API itself remembers: answers to requests that carried an Idempotency-Key."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class IdempotencyRecord(models.Model):
    """The answer to a write, stored in the write's own transaction, kept for a day.

    `user_id` is no foreign key: people stand above this room.
    """

    user_id = models.BigIntegerField()
    key = models.CharField(max_length=255)
    request = models.CharField(max_length=600)  # "POST /api/v1/incidents/"
    digest = models.CharField(max_length=64)  # of the parsed body
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user_id", "key"], name="idempotency_once")
        ]
