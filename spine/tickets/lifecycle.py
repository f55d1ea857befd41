"""Lifecycles as typed data, and the one way through them.

A kind's lifecycle is a `Lifecycle` of `State`s and `Move`s in `<app>/lifecycle.py`, so that the
process can be read, compared and printed. `perform()` is the only writer of `state`:

lock the row -> policy -> source state -> required values and guard -> write -> clocks -> audit
entry -> deliveries, all in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from spine.kit.errors import Conflict, DomainError, InvalidInput
from spine.people.policy import Decision, may

if TYPE_CHECKING:
    from spine.people.models import User
    from spine.tickets.models import Ticket

Label = str | Promise


@dataclass(frozen=True, slots=True)
class State:
    """tone: how it looks (new, progress, hold, done, canceled). `active` mirrors Ticket.active."""

    code: str
    label: Label
    tone: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class Value:
    """An input of a move. kind: text, markdown, choice, datetime, user, team, ticket."""

    name: str
    label: Label
    kind: str = "text"
    required: bool = False
    choices: Callable[[], list[tuple[str, Label]]] | None = None
    help: Label = ""
    max_length: int = 20_000


Guard = Callable[["Ticket", "User", dict[str, Any]], None]
Effect = Callable[["Ticket", "User", dict[str, Any]], dict[str, Any]]


def _no_guard(_ticket: Ticket, _actor: User, _values: dict[str, Any]) -> None:
    return None


def _no_effect(_ticket: Ticket, _actor: User, _values: dict[str, Any]) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Move:
    """One edge (or several with the same meaning).

    verb: what `may()` is asked; guard: raises DomainError if the values or the record do not fit;
    effect: returns the columns to write with the state ({column: value}).
    """

    code: str
    label: Label
    sources: frozenset[str]
    target: str
    verb: str
    past: str
    values: tuple[Value, ...] = ()
    guard: Guard = _no_guard
    effect: Effect = _no_effect
    primary: bool = False
    # Shown as a button; the rest happen by themselves (close by itself, resume on reply).
    offered: bool = True


@dataclass(frozen=True, slots=True)
class Lifecycle:
    kind: str
    initial: str
    states: tuple[State, ...]
    moves: tuple[Move, ...]
    _by_code: dict[str, Move] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        codes = {state.code for state in self.states}
        for move in self.moves:
            if move.code in self._by_code:
                raise RuntimeError(f"{self.kind}: two moves named {move.code}")
            if not (move.sources | {move.target}) <= codes:
                raise RuntimeError(f"{self.kind}: {move.code} names an unknown state")
            self._by_code[move.code] = move

    def state(self, code: str) -> State:
        return next(state for state in self.states if state.code == code)

    def move(self, code: str) -> Move:
        found = self._by_code.get(code)
        if found is None:
            raise DomainError("unknown_move", _("There is no such move."), "move")
        return found


@dataclass(frozen=True, slots=True)
class Offer:
    """A move that is open from the present state, and whether this person may make it."""

    move: Move
    decision: Decision


def offers(lifecycle: Lifecycle, ticket: Ticket, user: User) -> list[Offer]:
    """Every offered move from the present state, the denied ones with the reason."""
    return [
        Offer(move, may(user, move.verb, ticket))
        for move in lifecycle.moves
        if move.offered and ticket.state in move.sources
    ]


def check_source(lifecycle: Lifecycle, move: Move, ticket: Ticket) -> None:
    if ticket.state not in move.sources:
        raise Conflict(
            "not_in_state",
            _("“%(move)s” is not open in the state “%(state)s”.")
            % {"move": move.label, "state": lifecycle.state(ticket.state).label},
            "move",
        )


def clean_values(move: Move, values: Mapping[str, Any]) -> dict[str, Any]:
    """Only declared values, the required ones present, choices known, texts within bounds."""
    errors: list[DomainError] = []
    known = {value.name: value for value in move.values}
    for name in values:
        if name not in known:
            errors.append(DomainError("unknown_field", _("There is no such field."), name))
    cleaned: dict[str, Any] = {}
    for value in move.values:
        given = values.get(value.name)
        if isinstance(given, str):
            given = given.strip()
        if given in (None, ""):
            if value.required:
                errors.append(DomainError("required", _("This is needed."), value.name))
            continue
        error = _check_value(value, given)
        if error is not None:
            errors.append(error)
        else:
            cleaned[value.name] = given
    if errors:
        raise InvalidInput(errors)
    return cleaned


def _check_value(value: Value, given: Any) -> DomainError | None:
    if value.kind in {"text", "markdown", "choice"} and not isinstance(given, str):
        return DomainError("invalid", _("This is a text."), value.name)
    if isinstance(given, str):
        if "\x00" in given:
            return DomainError("invalid", _("The text holds a NUL character."), value.name)
        if len(given) > value.max_length:
            return DomainError(
                "too_long",
                _("At most %(count)d characters.") % {"count": value.max_length},
                value.name,
            )
    if value.kind != "choice" or value.choices is None:
        return None
    if given in {code for code, _label in value.choices()}:
        return None
    return DomainError("invalid_choice", _("There is no such choice."), value.name)
