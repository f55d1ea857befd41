"""Tells the workers, after commit, that there is something to drain.

A nudge is a courtesy: the sweep finds every delivery without it. So it is never retried, never
waits long, and is left out while one is already on its way or the broker is known to be away.
"""

from __future__ import annotations

import logging
import time

from celery import current_app
from django.core.cache import cache
from django.db import connection, transaction

log = logging.getLogger("evenkeel.outbox")

DRAIN_TASK = "outbox.drain"
# Set when a drain is asked for, deleted when one begins: whoever commits in between is covered by
# that drain. It expires by itself, should the message be lost.
PENDING_KEY = "outbox:drain-asked"
PENDING_SECONDS = 5
# After a failure, how long this process does not ask again.
PAUSE_SECONDS = 5.0

_paused_until = 0.0


def nudge_after_commit() -> None:
    """At most one nudge per transaction, and none if it rolls back."""
    here = set(connection.savepoint_ids)
    # One asked for at an outer level outlives whatever happens to this savepoint.
    if any(hook[1] is nudge and hook[0] <= here for hook in connection.run_on_commit):
        return
    transaction.on_commit(nudge)


def nudge() -> None:
    """Asks for a drain now. Never raises."""
    global _paused_until
    if time.monotonic() < _paused_until:
        return
    try:
        if cache.add(PENDING_KEY, 1, timeout=PENDING_SECONDS):
            current_app.send_task(DRAIN_TASK, retry=False, ignore_result=True)
    except Exception as error:  # noqa: BLE001 - whatever the broker's client raises
        _paused_until = time.monotonic() + PAUSE_SECONDS
        log.warning("outbox: no nudge for %s s, the broker is away: %s", PAUSE_SECONDS, error)


def drain_begins() -> None:
    """From here on a new commit needs a new nudge."""
    try:
        cache.delete(PENDING_KEY)
    except Exception as error:  # noqa: BLE001 - the key expires by itself
        log.warning("outbox: %s", error)
