"""Priority is a lookup of impact x urgency, never typed in.

The matrix is small and read on every write, so it is kept per process and re-read when its
stored version moves (`forget_matrix` after a change in this process, a minute elsewhere).
"""

from __future__ import annotations

import time

from spine.tickets.models import PriorityRule

KEPT_SECONDS = 60.0
_kept: tuple[float, dict[tuple[int, int], int]] | None = None


def matrix() -> dict[tuple[int, int], int]:
    """{(impact, urgency): priority}; impact + urgency - 1 where no rule is stored."""
    global _kept
    if _kept is None or time.monotonic() - _kept[0] > KEPT_SECONDS:
        cells = {(i, u): i + u - 1 for i in (1, 2, 3) for u in (1, 2, 3)}
        for row in PriorityRule.objects.all():
            cells[row.impact, row.urgency] = row.priority
        _kept = (time.monotonic(), cells)
    return _kept[1]


def forget_matrix() -> None:
    global _kept
    _kept = None


def priority_of(impact: int, urgency: int) -> int:
    return matrix()[impact, urgency]
