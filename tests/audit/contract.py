"""What other rooms' tests ask of the trail."""

from __future__ import annotations

from typing import Any

from spine.audit.models import Entry


def assert_audited(target: Any, verb: str, *, times: int = 1, **expected: Any) -> Entry:
    """`target` has exactly `times` entries of `verb`; returns the last.

    expected: attributes of that entry (actor=user, source="api", changes={...}); of `changes` and
    `data` only the keys that are given are compared.
    """
    entries = list(Entry.objects.for_target(target))
    found = [entry for entry in entries if entry.verb == verb]
    assert len(found) == times, (
        f"{verb} was recorded {len(found)} times on {target!r}, not {times}; "
        f"there are: {[entry.verb for entry in entries]}"
    )
    entry = found[-1]
    for name, value in expected.items():
        actual = getattr(entry, name)
        if isinstance(value, dict):
            actual = {key: actual.get(key) for key in value}
        assert actual == value, f"{verb}.{name} is {actual!r}, not {value!r}"
    # Inside an operation by a known person: nothing slipped past the application.
    assert entry.operation is not None
    assert entry.actor_id is not None
    assert entry.actor_label
    return entry


def assert_not_audited(target: Any, verb: str) -> None:
    """`target` has no entry of `verb`."""
    assert not Entry.objects.for_target(target).filter(verb=verb).exists()
