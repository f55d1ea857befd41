"""Puts an operation's entries into the trail: one INSERT for all of them, in the order recorded."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connections

from spine.audit.models import EntryPersonal
from spine.audit.personal import Kept
from spine.audit.targets import Target

ROWS_PER_INSERT = 1000
_ROW = "(%s,%s,%s,%s::uuid,%s,%s,%s,%s,%s,%s::jsonb,%s::jsonb,%s::uuid,%s)"
_INSERT = (
    "INSERT INTO audit_entry (at, actor_id, actor_label, actor_salt, actor_digest, verb, "
    "target_type, target_id, target_label, changes, data, operation, source) VALUES "
)


@dataclass(slots=True)
class Recorded:
    """An entry that waits for the end of its operation; `id` is there once it is written."""

    at: datetime
    actor_id: int
    actor_label: str
    actor_salt: uuid.UUID
    actor_digest: bytes
    verb: str
    target: Target
    # JSON text: what is recorded is what was true at that moment.
    changes: str
    data: str
    # Names of the changed fields.
    fields: list[str]
    source: str
    kept: list[Kept] = field(default_factory=list)
    subject: str = ""
    id: int = 0
    # Registered with the savepoint it was recorded in; gone from there if that rolled back.
    marker: Callable[[], None] | None = None


def write(recorded: Sequence[Recorded], operation: uuid.UUID, prelude: str, using: str) -> None:
    """Writes the entries and sets their ids.

    prelude: a statement to send ahead in the same round trip (closing the operation's setting).
    """
    with connections[using].cursor() as cursor:
        for start in range(0, len(recorded), ROWS_PER_INSERT):
            chunk = recorded[start : start + ROWS_PER_INSERT]
            params: list[Any] = []
            for row in chunk:
                params += (
                    row.at, row.actor_id, row.actor_label, str(row.actor_salt), row.actor_digest,
                    row.verb, *row.target, row.changes, row.data,
                    str(operation), row.source,
                )  # fmt: skip
            values = ",".join([_ROW] * len(chunk))
            cursor.execute(f"{prelude}{_INSERT}{values} RETURNING id", params)
            prelude = ""
            for row, (pk,) in zip(chunk, cursor.fetchall(), strict=True):
                row.id = pk
    personal = [
        EntryPersonal(
            entry_id=row.id, path=kept.path, salt=kept.salt, value=kept.value, subject=row.subject
        )
        for row in recorded
        for kept in row.kept
    ]
    if personal:
        EntryPersonal.objects.using(using).bulk_create(personal, batch_size=ROWS_PER_INSERT)
