"""Handles what is due. Any number of these may run at once, in any number of processes."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterable

from spine.outbox import leases
from spine.outbox.models import Delivery
from spine.outbox.registry import Listener, Undeliverable, installed

log = logging.getLogger("evenkeel.outbox")

PER_CLAIM = 50
PER_BATCH = 500
FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 3600.0
ERROR_CHARACTERS = 2000


def drain(*, seconds: float = 20.0) -> tuple[int, bool]:
    """Handles due deliveries of all listeners, in turn, for about so long.

    Returns (how many were tried, whether nothing due is left).
    """
    end = time.monotonic() + seconds
    tried = 0
    while True:
        worked = 0
        for listener in installed():
            worked += drain_once(listener)
            if time.monotonic() > end:
                return tried + worked, False
        tried += worked
        if not worked:
            return tried, True


def drain_once(listener: Listener) -> int:
    """Claims once for one listener and handles that. Returns how many were tried."""
    limit = PER_BATCH if listener.batch else PER_CLAIM
    claimed = leases.claim(listener.name, limit=limit, lease=listener.lease)
    claimed = list(_without_exhausted(listener, claimed))
    if not claimed:
        return 0
    if listener.batch:
        return _handle_batch(listener, claimed)
    return _handle_each(listener, claimed)


def _without_exhausted(listener: Listener, claimed: list[Delivery]) -> Iterable[Delivery]:
    """A delivery whose worker died at it every time fails no call: it is counted here."""
    for delivery in claimed:
        if delivery.attempts > listener.max_attempts:
            _bury(delivery, delivery.last_error or "The worker died each time it was tried.")
        else:
            yield delivery


def _handle_batch(listener: Listener, claimed: list[Delivery]) -> int:
    try:
        listener.handle(claimed)
    except Exception as error:  # noqa: BLE001 - whatever a listener raises
        if len(claimed) > 1:
            # One of them spoils it for all: each alone shows which.
            log.info("outbox: %s failed on a batch: %s", listener.name, error)
            return _handle_each(listener, claimed)
        _failed(listener, claimed[0], [], error)
    else:
        leases.mark_done(claimed)
    return len(claimed)


def _handle_each(listener: Listener, claimed: list[Delivery]) -> int:
    left = list(claimed)
    tried = 0
    renew_at = time.monotonic() + listener.lease / 3
    while left:
        if time.monotonic() > renew_at:
            if not leases.renew(left, listener.lease):
                # Held up for longer than the lease; another worker has taken over.
                return tried
            renew_at = time.monotonic() + listener.lease / 3
        delivery = left.pop(0)
        tried += 1
        try:
            listener.handle([delivery] if listener.batch else delivery)
        except Exception as error:  # noqa: BLE001 - whatever a listener raises
            behind = [other for other in left if other.lane == delivery.lane]
            left = [other for other in left if other.lane != delivery.lane]
            _failed(listener, delivery, behind, error)
        else:
            leases.mark_done([delivery])
    return tried


def _failed(
    listener: Listener, delivery: Delivery, behind: list[Delivery], error: Exception
) -> None:
    text = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]
    if isinstance(error, Undeliverable) or delivery.attempts >= listener.max_attempts:
        _bury(delivery, text)
        leases.give_back(behind)
        return
    log.warning("outbox: delivery %s (%s) failed: %s", delivery.id, delivery, text, exc_info=error)
    leases.put_off(delivery, behind, seconds=backoff(delivery.attempts), error=text)


def backoff(attempts: int) -> float:
    """Seconds until the next attempt: doubling, at most an hour, spread by a fifth so that what
    failed together does not come back together."""
    wait = min(FIRST_RETRY_SECONDS * 2.0 ** (attempts - 1), LONGEST_RETRY_SECONDS)
    return wait * random.uniform(0.8, 1.2)  # noqa: S311 - no secret


def _bury(delivery: Delivery, error: str) -> None:
    log.error("outbox: delivery %s (%s) is given up: %s", delivery.id, delivery, error)
    leases.mark_dead(delivery, error)
