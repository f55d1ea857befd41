"""What a measurement gives: a value beside its target and its floor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(slots=True)
class Figure:
    """One number. value and floor are medians over `runs` and `floor_runs`, taken in turn.

    unit: "ms", "1/s", "rows/s", "s", "KB", "MB", "x" or "" for a count. ratio: how many times the
    floor's cost, at least 1 where the floor is a floor. must and goal: None where targets.md names
    none for this very number. growth: a figure that is compared with the one at the smallest size.
    """

    row: str
    name: str
    value: float
    unit: str
    more_is_better: bool = False
    must: float | None = None
    goal: float | None = None
    floor: float | None = None
    floor_name: str = ""
    ratio: float | None = None
    runs: list[float] = field(default_factory=list)
    floor_runs: list[float] = field(default_factory=list)
    note: str = ""
    tickets: int = 0
    growth: bool = False

    @property
    def mark(self) -> str:
        """ "goal", "must", "miss", or "" without a target."""
        if self._reaches(self.goal):
            return "goal"
        if self._reaches(self.must):
            return "must"
        return "" if self.must is None else "miss"

    def _reaches(self, bound: float | None) -> bool:
        if bound is None:
            return False
        return self.value >= bound if self.more_is_better else self.value <= bound

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "mark": self.mark}


def figure(
    row: str,
    name: str,
    unit: str,
    runs: Sequence[float],
    floor_runs: Sequence[float] = (),
    *,
    better: str = "less",
    **details: Any,
) -> Figure:
    """runs and floor_runs: of the same repetitions, in order. better: "less" or "more"."""
    more = better == "more"
    ratio = None
    if floor_runs:
        pairs = [
            (theirs / ours if more else ours / theirs)
            for ours, theirs in zip(runs, floor_runs, strict=False)
            if ours and theirs
        ]
        ratio = median(pairs) if pairs else None
    return Figure(
        row=row,
        name=name,
        value=median(runs),
        unit=unit,
        more_is_better=more,
        floor=median(floor_runs) if floor_runs else None,
        ratio=ratio,
        runs=list(runs),
        floor_runs=list(floor_runs),
        **details,
    )


def in_turn(times: int, *measured: Callable[[], Any]) -> list[list[Any]]:
    """Calls each in turn, `times` over; the results of each."""
    results: list[list[Any]] = [[] for _one in measured]
    for _time in range(times):
        for kept, one in zip(results, measured, strict=True):
            kept.append(one())
    return results


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share (0..1) does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]
