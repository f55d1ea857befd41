"""The registry of measures: a name, a unit, a query. KPIs, indicators and after-checks read it,
whoever defines them, so that a number has one definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Measure:
    """`query(**scope)` returns a number in `unit`, or None where there is nothing to measure:
    "not measured", never 0 or 100%."""

    code: str
    label: Any
    unit: str
    formula: Any
    query: Callable[..., float | None]
    higher_is_better: bool


_measures: dict[str, Measure] = {}


def register(measure: Measure) -> Measure:
    if measure.code in _measures:
        raise RuntimeError(f"two measures named {measure.code}")
    _measures[measure.code] = measure
    return measure


def get(code: str) -> Measure:
    return _measures[code]


def every() -> list[Measure]:
    return [_measures[code] for code in sorted(_measures)]
