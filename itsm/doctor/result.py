"""The answer of one check."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """`detail` says what was seen; `fix`, for anything but ok, the one thing to do about it."""

    state: State
    detail: str
    fix: str = ""

    def as_dict(self, name: str) -> dict[str, str]:
        return {"name": name, **{k: str(v) for k, v in asdict(self).items()}}


def ok(detail: str) -> Finding:
    return Finding(State.OK, detail)


def warning(detail: str, fix: str) -> Finding:
    return Finding(State.WARNING, detail, fix)


def failed(detail: str, fix: str) -> Finding:
    return Finding(State.FAILED, detail, fix)
