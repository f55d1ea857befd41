from __future__ import annotations

from celery import shared_task

from spine.rest import idempotency


@shared_task(name="rest.prune_idempotency")
def prune_idempotency() -> int:
    return idempotency.prune()
