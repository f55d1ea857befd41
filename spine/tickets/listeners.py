"""What tickets do later about changes elsewhere."""

from __future__ import annotations

from spine.outbox.models import Delivery
from spine.outbox.registry import Listener
from spine.people.models import User
from spine.tickets import sweeping


def _recompute(delivery: Delivery) -> None:
    system: User = User.objects.system()
    sweeping.recompute(actor=system, calendar_id=int(delivery.target_id))


# Made anew from the calendar as it now is, so a repeated delivery changes nothing.
clocks = Listener(
    name="tickets.clocks",
    verbs=("calendar.*",),
    handle=_recompute,
    lease=600.0,
)
