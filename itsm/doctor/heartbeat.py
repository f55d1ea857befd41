"""The sign of life of beat: it sends a task every ten seconds, a worker writes down when."""

from __future__ import annotations

import time

from django.core.cache import cache

KEY = "doctor:heartbeat"
KEPT_SECONDS = 24 * 3600
STALE_SECONDS = 60.0


def record() -> None:
    cache.set(KEY, time.time(), KEPT_SECONDS)


def age_seconds() -> float | None:
    """Seconds since the last beat, None when there was none within a day."""
    last = cache.get(KEY)
    return None if last is None else max(0.0, time.time() - float(last))
