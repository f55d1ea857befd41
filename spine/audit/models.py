"""What was done, by whom, to what: append-only entries, and the seals that prove them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from spine.audit.querysets import EntryQuerySet


class Source(models.TextChoices):
    """The door through which the work came in."""

    WEB = "web", _("Desk")
    PORTAL = "portal", _("Portal")
    API = "api", _("API")
    MAIL = "mail", _("E-mail")
    IMPORT = "import", _("Import")
    TASK = "task", _("Background task")
    SHELL = "shell", _("Command line")
    OUTSIDE = "outside", _("Outside the application")


class Entry(models.Model):
    """One fact of the audit trail. Written by `operation(...).record(...)` and by the outside
    triggers alone; a trigger refuses to change or remove it.

    The table is partitioned by month of `at`, so its primary key in the database is (id, at); `id`
    comes from one sequence and is unique by itself, which is all that the ORM needs.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    # No constraint in the database: an entry outlives the row it names, and an archived month must
    # be detachable without a look at people.
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    actor_label = models.TextField()
    # sha256(salt + label): the seal covers the digest, so a name can be erased with its salt and
    # the chain still holds. A null salt means erased (or, outside the application, no person).
    actor_salt = models.UUIDField(null=True)
    actor_digest = models.BinaryField(max_length=32)
    verb = models.CharField(max_length=80)
    target_type = models.CharField(max_length=80)
    target_id = models.CharField(max_length=64)
    target_label = models.TextField()
    changes = models.JSONField(default=dict)
    data = models.JSONField(default=dict)
    operation = models.UUIDField(null=True)
    source = models.CharField(max_length=10, choices=Source.choices)
    # The writing transaction's id, set by the database: what the sealing order stands on.
    xid = models.BigIntegerField(editable=False)

    objects = EntryQuerySet.as_manager()

    class Meta:
        db_table = "audit_entry"
        ordering: ClassVar = ["at", "id"]
        indexes: ClassVar = [
            models.Index(
                fields=["target_type", "target_id", "at", "id"], name="audit_entry_target"
            ),
            models.Index(fields=["actor", "at"], name="audit_entry_actor"),
            models.Index(fields=["verb", "at"], name="audit_entry_verb"),
            models.Index(fields=["operation"], name="audit_entry_operation"),
            models.Index(fields=["xid", "id"], name="audit_entry_sealing"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.target_label or self.target_id}"

    @property
    def outside(self) -> bool:
        """Whether the row was changed in the database, past the application."""
        return self.source == Source.OUTSIDE


class EntryPersonal(models.Model):
    """A personal value of an entry, kept beside it so that it can be erased.

    The entry holds `{"digest": sha256(salt + value)}` at `path` ("changes.email.0",
    "data.phone"); `value` is JSON as text, exactly the bytes that were digested.
    """

    id = models.BigAutoField(primary_key=True)
    entry_id = models.BigIntegerField()
    path = models.CharField(max_length=200)
    salt = models.CharField(max_length=32)
    value = models.TextField()
    # Whose value it is: a user's id as text, or empty if the record is not about one person.
    subject = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "audit_entry_personal"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["entry_id", "path"], name="audit_personal_once"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["subject"], name="audit_personal_subject", condition=~models.Q(subject="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.entry_id} {self.path}"


class Seal(models.Model):
    """A link of the chain: it proves every entry after the previous seal's (upto_xid, upto_id) up
    to its own, in the order (xid, id).

    ids, digests: the covered entries' ids (8 bytes each, big-endian) and SHA-256 digests (32 bytes
    each), packed in that order, so that a broken link can name its entry. hash: SHA-256 over
    `previous`, the seal's own values and both packed columns.
    """

    id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    upto_xid = models.BigIntegerField()
    upto_id = models.BigIntegerField()
    # The highest entry id that any seal so far covers.
    max_id = models.BigIntegerField()
    # The database cluster that handed out the transaction ids: a restored dump starts anew.
    cluster = models.CharField(max_length=32)
    count = models.PositiveIntegerField()
    ids = models.BinaryField()
    digests = models.BinaryField()
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        db_table = "audit_seal"
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.id}:{self.hash[:12]}"


class Archive(models.Model):
    """A month that was detached from the trail. Its entries stay proven by the seals; while the
    table is still in the database, `audit verify` reads it, too."""

    id = models.BigAutoField(primary_key=True)
    table = models.CharField(max_length=63, unique=True)
    month = models.DateField(unique=True)
    count = models.BigIntegerField()
    # First and last id of each unbroken run, so that a missing entry is told from an archived one.
    runs = models.JSONField()
    archived_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        db_table = "audit_archive"
        ordering: ClassVar = [F("month").asc()]

    def __str__(self) -> str:
        return self.table

    def runs_of_ids(self) -> list[tuple[int, int]]:
        """Pairs (first, last), both included, ascending."""
        runs: list[Any] = self.runs
        return [(int(first), int(last)) for first, last in runs]
