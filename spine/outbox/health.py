"""How the outbox is doing, for `doctor` and the metrics."""

from __future__ import annotations

from typing import TypedDict

from django.db import connection

from spine.outbox.registry import installed


class Health(TypedDict):
    """pending, dead, orphaned (pending, with a listener that is not installed): counts, each up to
    10,000. lag_seconds: how long the oldest due one has been waiting for a worker."""

    pending: int
    dead: int
    orphaned: int
    lag_seconds: float


def health() -> Health:
    names = [listener.name for listener in installed()]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT
                (SELECT count(*) FROM (
                    SELECT 1 FROM outbox_delivery WHERE state = 'pending' LIMIT 10000) p),
                (SELECT count(*) FROM (
                    SELECT 1 FROM outbox_delivery WHERE state = 'dead' LIMIT 10000) d),
                (SELECT count(*) FROM (
                    SELECT 1 FROM outbox_delivery
                    WHERE state = 'pending' AND listener <> ALL(%s::text[]) LIMIT 10000) o),
                (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - first.wake_at)), 0)
                   FROM unnest(%s::text[]) name CROSS JOIN LATERAL (
                    SELECT wake_at FROM outbox_delivery
                    WHERE state = 'pending' AND listener = name ORDER BY wake_at LIMIT 1) first)
            """,
            [names, names],
        )
        pending, dead, orphaned, lag = cursor.fetchone()
    return Health(pending=pending, dead=dead, orphaned=orphaned, lag_seconds=max(0.0, float(lag)))
