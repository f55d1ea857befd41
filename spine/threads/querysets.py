"""Named reads of comments and attachments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from spine.threads.models import Attachment, Comment


class CommentQuerySet(models.QuerySet["Comment"]):
    def readable(self, *, notes: bool) -> CommentQuerySet:
        """All of them for those who may read work notes, else the public ones."""
        return self if notes else self.filter(visibility="public")

    def for_timeline(self) -> CommentQuerySet:
        return self.select_related("author").prefetch_related("attachments")


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def readable(self, *, notes: bool) -> AttachmentQuerySet:
        return self if notes else self.filter(internal=False)
