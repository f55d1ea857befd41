"""Background work of incidents. Tasks take ids, call actions and may run twice."""

from __future__ import annotations

from celery import shared_task

from incidents.closing import close_silent
from spine.kit.clock import now
from spine.people.models import User


@shared_task(name="incidents.auto_close")
def auto_close() -> int:
    system: User = User.objects.system()
    return close_silent(actor=system, moment=now())
