"""Mail on its way out, and the mailbox that stands in for a mail server."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class OutgoingMail(models.Model):
    """One mail to one recipient: written by the listener, sent by a worker, kept as proof.

    `message_id` follows from the delivery and the recipient, so that whatever is repeated on the
    way carries the same one, and mail programs show it once.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Given up")

    # Of the outbox; the row there is pruned after some days, its id stays unique.
    delivery_id = models.BigIntegerField()
    # Who it is for: "user:7", or "team:3" for a team's own address.
    recipient = models.CharField(max_length=40)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    address = models.EmailField()
    name = models.CharField(max_length=200, blank=True)
    event = models.CharField(max_length=32)
    target_type = models.CharField(max_length=80)
    target_id = models.CharField(max_length=64)
    subject = models.CharField(max_length=400)
    text = models.TextField()
    html = models.TextField()
    message_id = models.CharField(max_length=200, unique=True)
    # The record's own id in References, so that mail programs keep its mails together.
    references = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    # When it is next to be tried; while a worker has it, the end of its lease.
    wake_at = models.DateTimeField()
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["delivery_id", "recipient"], name="outgoing_mail_once_each"
            )
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["wake_at", "id"], condition=Q(state="queued"), name="outgoing_mail_due"
            ),
            models.Index(fields=["-id"], condition=Q(state="failed"), name="outgoing_mail_failed"),
            models.Index(fields=["target_type", "target_id", "id"], name="outgoing_mail_target"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.message_id}"


class MailboxMessage(models.Model):
    """A mail as a server would have got it, where no server is configured."""

    message_id = models.CharField(max_length=200, blank=True)
    sender = models.CharField(max_length=320)
    recipients = models.TextField()
    subject = models.CharField(max_length=400, blank=True)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    # [[name, value], ...], decoded, in their order.
    headers = models.JSONField(default=list)
    received_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = [F("id").desc()]

    def __str__(self) -> str:
        return self.subject
