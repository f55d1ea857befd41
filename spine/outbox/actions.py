"""What an administrator may do about deliveries, and what is cleared away."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models.functions import Now

from spine.audit.operations import operation
from spine.outbox.models import Delivery
from spine.outbox.nudge import nudge_after_commit

DONE_KEPT = timedelta(days=3)
PRUNED_AT_ONCE = 5000


def retry_dead(
    *,
    actor: AbstractBaseUser,
    listener: str | None = None,
    ids: Iterable[int] | None = None,
) -> int:
    """Dead deliveries (of one listener, or these ids; else all) start anew. Returns how many."""
    rows = Delivery.objects.filter(state=Delivery.State.DEAD)
    if listener is not None:
        rows = rows.filter(listener=listener)
    if ids is not None:
        rows = rows.filter(id__in=list(ids))
    with operation(actor, "outbox.retry_dead") as op:
        # Each is on the record: a repetition can reach the outside a second time.
        dead = list(rows.select_for_update().order_by("id"))
        for delivery in dead:
            op.record(
                target=delivery,
                verb="outbox.retried",
                data={"listener": delivery.listener, "attempts": delivery.attempts},
            )
        Delivery.objects.filter(id__in=[delivery.id for delivery in dead]).update(
            state=Delivery.State.PENDING, attempts=0, wake_at=Now(), leased_until=None
        )
        if dead:
            nudge_after_commit()
    return len(dead)


def prune() -> int:
    """Deletes deliveries that were done days ago, a bounded number at a time. The entry stays."""
    old = (
        Delivery.objects.filter(state=Delivery.State.DONE, done_at__lt=Now() - DONE_KEPT)
        .order_by("done_at")
        .values("id")[:PRUNED_AT_ONCE]
    )
    return Delivery.objects.filter(id__in=old).delete()[0]
