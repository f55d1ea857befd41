"""Errors that a person can read.

Actions raise these; pages show `message` beside `field`, the API renders RFC 9457 problem details.
"""

from __future__ import annotations

from collections.abc import Sequence


class DomainError(Exception):
    """The input or the moment does not allow what was asked.

    code: stable machine name (`required`, `not_in_state`, ...); message: a translated sentence;
    field: the input it belongs to, or None for the record as a whole.
    """

    status = 400

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = str(message)
        self.field = field


class InvalidInput(DomainError):
    """Several inputs are wrong at once; `errors` names each."""

    def __init__(self, errors: Sequence[DomainError]) -> None:
        first = errors[0]
        super().__init__(first.code, first.message, first.field)
        self.errors = list(errors)


class NotAllowed(DomainError):
    """Inside the person's scope, but without the right: 403 with the reason."""

    status = 403


class Conflict(DomainError):
    """The record's present state refuses it (a move that is not open now, a repeated key)."""

    status = 409


class StaleVersion(DomainError):
    """Somebody else saved first; `current` is the version now stored."""

    status = 412

    def __init__(self, message: str, *, current: int) -> None:
        super().__init__("stale_version", message)
        self.current = current
