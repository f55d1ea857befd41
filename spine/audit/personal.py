"""Personal values: digested in the entry, kept beside it, and removable without a broken chain."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from spine.audit.encoding import to_json
from spine.audit.models import Entry, EntryPersonal


class Kept(NamedTuple):
    """A concealed value on its way to `EntryPersonal`."""

    path: str
    salt: str
    value: str


def name_digest(salt: uuid.UUID, label: str) -> bytes:
    """32 bytes that stand for an actor's name in the seals."""
    return sha256(f"{salt}{label}".encode()).digest()


def conceal(part: str, content: dict[str, Any], fields: Iterable[str]) -> list[Kept]:
    """Replaces the named fields' values in `content` by digests; returns what goes beside.

    part: "changes" (values are [old, new]) or "data". Empty values stay as they are: there is
    nothing personal in them.
    """
    kept: list[Kept] = []

    def digest(path: str, value: Any) -> Any:
        if value in (None, "", [], {}):
            return value
        text = to_json(value)
        salt = secrets.token_hex(16)
        kept.append(Kept(path, salt, text))
        return {"digest": sha256((salt + text).encode()).hexdigest()}

    for field in fields:
        if field not in content:
            continue
        value = content[field]
        if part == "changes":
            content[field] = [
                digest(f"changes.{field}.{side}", item) for side, item in enumerate(value)
            ]
        else:
            content[field] = digest(f"data.{field}", value)
    return kept


def reveal(entries: Sequence[Entry]) -> None:
    """Puts the personal values that are still kept back into the entries' `changes` and `data`, in
    memory, in one query. An erased one becomes {"erased": true}."""
    by_id = {entry.pk: entry for entry in entries if _has_digest(entry)}
    if not by_id:
        return
    kept = {
        (row.entry_id, row.path): json.loads(row.value)
        for row in EntryPersonal.objects.filter(entry_id__in=by_id)
    }
    for pk, entry in by_id.items():
        for field, pair in entry.changes.items():
            if isinstance(pair, list):
                entry.changes[field] = [
                    _shown(kept, pk, f"changes.{field}.{side}", item)
                    for side, item in enumerate(pair)
                ]
        for field, value in entry.data.items():
            entry.data[field] = _shown(kept, pk, f"data.{field}", value)


def _is_digest(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"digest"}


def _has_digest(entry: Entry) -> bool:
    values = [item for pair in entry.changes.values() if isinstance(pair, list) for item in pair]
    return any(_is_digest(value) for value in (*values, *entry.data.values()))


def _shown(kept: dict[tuple[int, str], Any], pk: int, path: str, value: Any) -> Any:
    return kept.get((pk, path), {"erased": True}) if _is_digest(value) else value
