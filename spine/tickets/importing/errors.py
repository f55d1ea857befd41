"""What stops an import, and what stops only one row of it."""

from __future__ import annotations

from spine.kit.errors import DomainError


class MappingError(DomainError):
    """The mapping can't be used; `field` is the place in it ("fields.state.states")."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__("bad_mapping", message, place)


class SourceError(DomainError):
    """The file as a whole can't be read."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)


class RowError(Exception):
    """One row does not fit. code: stable name; column: in the file, or ""."""

    def __init__(self, code: str, reason: str, column: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.column = column
