"""What changed on a record, in the shape that the audit trail and the timeline share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import models


def plain(value: Any) -> Any:
    """A JSON value: references as {"id", "name"}, so that a later rename rewrites no history."""
    if isinstance(value, models.Model):
        return {"id": value.pk, "name": str(getattr(value, "name", value))}
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def snapshot(record: models.Model, fields: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in fields}


def diff(before: dict[str, Any], record: models.Model) -> dict[str, list[Any]]:
    """{field: [old, new]} of the fields in `before` that differ now."""
    changed: dict[str, list[Any]] = {}
    for name, old in before.items():
        new = getattr(record, name)
        if old != new:
            changed[name] = [plain(old), plain(new)]
    return changed
