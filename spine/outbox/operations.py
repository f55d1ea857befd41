"""Operations whose entries go to the listeners: what every room above the outbox uses.

    with operation(actor, "incident.resolve", source="web") as op:
        ...
        op.record(target=ticket, verb="incident.resolved", changes={...})

Each entry leaves a `Delivery` per listener in the same transaction; they are drained after commit.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection

from spine.audit.encoding import to_json
from spine.audit.operations import Operation as AuditOperation
from spine.audit.writing import ROWS_PER_INSERT, Recorded
from spine.outbox.nudge import nudge_after_commit
from spine.outbox.registry import listeners_of

_ROW = "(%s,%s,%s,%s,%s,%s,%s::jsonb,'pending',0,'')"
_INSERT = (
    "INSERT INTO outbox_delivery (listener, entry_id, entry_at, verb, target_type, target_id, "
    "payload, state, attempts, last_error) VALUES "
)


def deliver(recorded: list[Recorded], operation: uuid.UUID) -> None:
    """Writes a delivery per entry and listener, in the entries' order, with one INSERT."""
    rows: list[tuple[Any, ...]] = []
    for entry in recorded:
        names = listeners_of(entry.verb)
        if not names:
            continue
        payload = to_json(
            {
                "actor": entry.actor_id,
                "source": entry.source,
                "operation": operation,
                "fields": entry.fields,
            }
        )
        rows += [
            (name, entry.id, entry.at, entry.verb, entry.target.type, entry.target.id, payload)
            for name in names
        ]
    if not rows:
        return
    with connection.cursor() as cursor:
        for start in range(0, len(rows), ROWS_PER_INSERT):
            chunk = rows[start : start + ROWS_PER_INSERT]
            values = ",".join([_ROW] * len(chunk))
            cursor.execute(f"{_INSERT}{values}", [value for row in chunk for value in row])
    nudge_after_commit()


class Operation(AuditOperation):
    """See `spine.audit.operations.Operation`; joined to a plain one, it makes that one deliver."""

    observer = staticmethod(deliver)


def operation(
    actor: AbstractBaseUser,
    name: str,
    *,
    source: str | None = None,
    savepoint: bool = True,
) -> Operation:
    """An operation that writes entries and their deliveries. See `Operation`."""
    return Operation(actor, name, source=source, savepoint=savepoint)
