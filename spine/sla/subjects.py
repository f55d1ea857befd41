"""What may be promised about: each ticket kind tells which fields policies may ask for.

This room knows no ticket, so the kinds introduce themselves when their app is ready:

    register("incident", fields=("priority", "service", "service__tier", ...),
             hold_reasons=("awaiting_caller", ...))
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from spine.kit.errors import DomainError


@dataclass(frozen=True)
class Subject:
    """fields: names as `spine.kit.conditions` reads them; hold_reasons: codes that may pause."""

    kind: str
    fields: frozenset[str]
    hold_reasons: frozenset[str]


_subjects: dict[str, Subject] = {}


def register(kind: str, *, fields: Iterable[str], hold_reasons: Iterable[str] = ()) -> None:
    """Introduces a ticket kind; saying the same again is harmless, something else an error."""
    subject = Subject(kind, frozenset(fields), frozenset(hold_reasons))
    if _subjects.setdefault(kind, subject) != subject:
        raise RuntimeError(f"{kind} is registered twice, differently")


def subject_of(kind: str) -> Subject:
    """Raises `DomainError` for a kind that nobody registered."""
    try:
        return _subjects[kind]
    except KeyError:
        raise DomainError(
            "unknown_ticket_kind",
            _("“%(kind)s” is not a kind of ticket.") % {"kind": str(kind)[:40]},
            "ticket_kind",
        ) from None


def kinds() -> list[str]:
    """The kinds known, in order of name."""
    return sorted(_subjects)
