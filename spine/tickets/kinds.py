"""The one registry of ticket kinds, frozen at start-up and verified by a system check.

What the spine asks of a kind it asks here, so that no spine code branches on a kind's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spine.tickets.lifecycle import Label, Lifecycle

if TYPE_CHECKING:
    from spine.tickets.models import Ticket


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of ticket.

    model: dotted label ("incidents.Incident"); prefix: of numbers ("INC"); hold_state and
    progress_state let the spine's clocks and wake-ups talk about states without knowing them;
    resume: move code that a reply or a follow-up time makes; url: of the record's page.
    """

    code: str
    label: Label
    plural: Label
    prefix: str
    icon: str
    model: str
    lifecycle: Lifecycle
    url: Callable[[Ticket], str]
    portal_url: Callable[[Ticket], str]
    # States in which the resolution clock stands still whatever the policy says.
    paused_states: frozenset[str]
    hold_state: str
    responded_states: frozenset[str]
    resolved_states: frozenset[str]
    resume: str

    def model_class(self) -> type[Any]:
        from django.apps import apps

        return apps.get_model(self.model)


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    if kind.code in _kinds or any(kind.prefix == other.prefix for other in _kinds.values()):
        raise RuntimeError(f"two kinds named {kind.code} or numbered {kind.prefix}")
    _kinds[kind.code] = kind
    return kind


def kind_of(ticket: Ticket) -> Kind:
    return _kinds[ticket.kind]


def get(code: str) -> Kind:
    return _kinds[code]


def every() -> list[Kind]:
    return list(_kinds.values())


def by_number(number: str) -> Kind | None:
    """The kind whose prefix the number carries."""
    for kind in _kinds.values():
        if number.upper().startswith(kind.prefix):
            return kind
    return None
