"""What can be found: one row per record, with its words as PostgreSQL compares them."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q


class Document(models.Model):
    """The searchable form of a record; made anew from the record whenever it changes.

    `body` holds all that everybody who sees the record may read, the title at weight A; `full`
    holds that and the work notes, and is there only where there are any. `words` is the title
    alone, so that a title is found among a million texts that mention the same word.
    """

    kind = models.CharField(max_length=16)
    # Found by the beginnings of names. Their index is their own: people must not be looked for
    # among a million texts in which a word begins alike.
    names = models.BooleanField(default=False)
    object_id = models.BigIntegerField()
    organization_id = models.BigIntegerField(null=True)
    number = models.CharField(max_length=40, blank=True)
    external_id = models.CharField(max_length=200, blank=True)
    # Recent first: when the record was opened or last written to, as its source says.
    ranked_at = models.DateTimeField()
    words = SearchVectorField()
    body = SearchVectorField()
    full = SearchVectorField(null=True)

    class Meta:
        db_table = "search_document"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "object_id"], name="search_document_once")
        ]
        # A small pending list: every search reads all of it.
        indexes: ClassVar = [
            *(
                GinIndex(
                    fields=[column], name=f"search_{column}", gin_pending_list_limit=256,
                    condition=Q(names=False),
                )
                for column in ("words", "body")
            ),
            GinIndex(
                fields=["full"], name="search_full", gin_pending_list_limit=256,
                condition=Q(full__isnull=False),
            ),
            GinIndex(
                fields=["body"], name="search_names", gin_pending_list_limit=256,
                condition=Q(names=True),
            ),
            models.Index(
                F("kind"), F("ranked_at").desc(), F("object_id").desc(), name="search_recent"
            ),
            models.Index(
                F("organization_id"), F("kind"), F("ranked_at").desc(), F("object_id").desc(),
                name="search_organization",
            ),
            models.Index(
                OpClass(F("number"), name="varchar_pattern_ops"),
                name="search_number",
                condition=~Q(number=""),
            ),
            models.Index(
                OpClass(F("external_id"), name="varchar_pattern_ops"),
                name="search_external",
                condition=~Q(external_id=""),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"
