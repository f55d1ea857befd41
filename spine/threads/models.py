"""What people say about a record: comments, attachments, watchers.

A Thread is made on first use; its owner (a ticket, an item, a risk) points to it, and loading the
owner within the reader's scope is the permission check for all that hangs on it.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from spine.threads.querysets import AttachmentQuerySet, CommentQuerySet


class Installation(models.Model):
    """The one row that tells this database from another one that uses the same folder of files."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(id=1), name="installation_only_one")
        ]


class Thread(models.Model):
    created_at = models.DateTimeField(auto_now_add=True)


class Comment(models.Model):
    class Visibility(models.TextChoices):
        PUBLIC = "public", _("Reply")
        NOTE = "note", _("Work note")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="comments")
    visibility = models.CharField(max_length=10, choices=Visibility.choices)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    body = models.TextField()
    # Written by the platform itself (an automatic reply): it stops no response clock.
    automatic = models.BooleanField(default=False)
    channel = models.CharField(max_length=16, default="web")
    created_at = models.DateTimeField()

    objects = CommentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        indexes: ClassVar = [
            models.Index(fields=["thread", "created_at", "id"], name="comment_thread_time")
        ]


class Attachment(models.Model):
    """A file kept under a name of our own; what the sender called it is only a label."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="attachments")
    comment = models.ForeignKey(
        Comment, on_delete=models.CASCADE, null=True, blank=True, related_name="attachments"
    )
    # Whether only those who may read work notes see it.
    internal = models.BooleanField(default=False)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    storage_name = models.CharField(max_length=200, unique=True)
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        indexes: ClassVar = [models.Index(fields=["thread", "id"], name="attachment_thread")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(size__gte=0), name="attachment_size_not_negative")
        ]

    @property
    def is_image(self) -> bool:
        return self.content_type in {"image/png", "image/jpeg", "image/gif", "image/webp"}


class Watcher(models.Model):
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="watchers")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="watching"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["thread", "user"], name="watcher_once")
        ]
        indexes: ClassVar = [models.Index(fields=["user", "thread"], name="watcher_user")]
