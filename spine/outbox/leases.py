"""Taking deliveries, and giving them back: every statement that moves a delivery's state.

A lane is one listener and one target. Within a lane deliveries are handled in the order of their
ids: only a lane's first pending delivery may be taken, and with it those right behind it. Whoever
holds a lane's first holds the lane, so no lock on lanes is needed. Ids follow commit order as long
as the writer holds the target's row lock, which every action does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Now

from spine.outbox.models import Delivery

# `attempts = 0`: the followers of a delivery that failed before wait until it is done or dead, so
# that one that kills its worker does not use up their attempts as well.
# The lowest ids are taken, so that of each lane it is the beginning, without a hole.
# `n.id + 0` and ANY (ARRAY ...) keep the planner off the primary key's order and off a hash join:
# with a small LIMIT it would walk the whole table for a lane's few rows.
_CLAIM = """
WITH heads AS (
    SELECT d.id, d.target_type, d.target_id, d.attempts FROM outbox_delivery d
    WHERE d.state = 'pending' AND d.listener = %(listener)s AND d.wake_at <= clock_timestamp()
      AND NOT EXISTS (
        SELECT 1 FROM outbox_delivery e
        WHERE e.state = 'pending' AND e.target_id = d.target_id AND e.listener = d.listener
          AND e.target_type = d.target_type AND e.id < d.id)
    ORDER BY d.wake_at, d.id LIMIT %(limit)s FOR UPDATE OF d SKIP LOCKED
), followers AS (
    SELECT f.id FROM heads h CROSS JOIN LATERAL (
        SELECT n.id FROM outbox_delivery n
        WHERE n.state = 'pending' AND n.target_id = h.target_id AND n.listener = %(listener)s
          AND n.target_type = h.target_type AND n.id > h.id
        ORDER BY n.id + 0 LIMIT %(limit)s
    ) f WHERE h.attempts = 0
), lease AS MATERIALIZED (
    SELECT clock_timestamp() + make_interval(secs => %(lease)s) AS until
)
UPDATE outbox_delivery d
SET attempts = d.attempts + 1, leased_until = lease.until, wake_at = lease.until
FROM lease
WHERE d.state = 'pending' AND d.id = ANY (ARRAY (
    SELECT id FROM (SELECT id FROM heads UNION ALL SELECT id FROM followers) taken
    ORDER BY id LIMIT %(limit)s))
RETURNING d.*
"""


def claim(listener: str, *, limit: int, lease: float) -> list[Delivery]:
    """Takes up to `limit` deliveries that are due, for `lease` seconds. Commits by itself; another
    worker sees them as taken from then on. Returned in the order in which to handle them."""
    rows = Delivery.objects.raw(_CLAIM, {"listener": listener, "limit": limit, "lease": lease})
    return sorted(rows, key=lambda delivery: delivery.id)


def _still_ours(deliveries: Sequence[Delivery]) -> Q:
    # A lease's end is as good as a token: whoever took it over since has another one.
    return Q(
        id__in=[delivery.id for delivery in deliveries],
        leased_until=deliveries[0].leased_until,
        state=Delivery.State.PENDING,
    )


def renew(deliveries: Sequence[Delivery], lease: float) -> bool:
    """Prolongs the lease of what is left of a claim. False if some of it went to another worker."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp() + make_interval(secs => %s)", [lease])
        until: datetime = cursor.fetchone()[0]
    updated = Delivery.objects.filter(_still_ours(deliveries)).update(
        leased_until=until, wake_at=until
    )
    for delivery in deliveries:
        delivery.leased_until = until
    return updated == len(deliveries)


def mark_done(deliveries: Sequence[Delivery]) -> None:
    Delivery.objects.filter(_still_ours(deliveries)).update(
        state=Delivery.State.DONE, done_at=Now(), leased_until=None, last_error=""
    )


def mark_dead(delivery: Delivery, error: str) -> None:
    Delivery.objects.filter(_still_ours([delivery])).update(
        state=Delivery.State.DEAD, leased_until=None, last_error=error
    )


def put_off(
    delivery: Delivery, followers: Sequence[Delivery], *, seconds: float, error: str
) -> None:
    """Back to pending for later; those behind it in its lane were not tried and wait as long."""
    wake_at = Now() + timedelta(seconds=seconds)
    Delivery.objects.filter(_still_ours([delivery])).update(
        leased_until=None, wake_at=wake_at, last_error=error
    )
    give_back(followers, seconds=seconds)


def give_back(deliveries: Sequence[Delivery], *, seconds: float = 0) -> None:
    """Untried deliveries: no attempt is counted."""
    if deliveries:
        Delivery.objects.filter(_still_ours(deliveries)).update(
            leased_until=None,
            wake_at=Now() + timedelta(seconds=seconds),
            attempts=F("attempts") - 1,
        )
