"""Background work of mail."""

from __future__ import annotations

from celery import shared_task

from notify import mailbox, sending
from spine.kit.tasks import CommitAwareTask


@shared_task(name="notify.send_due", base=CommitAwareTask, ignore_result=True)
def send_due() -> int:
    """Sends what is due; asks for another run while there is more. Beat starts it, too, so that a
    lost message costs seconds."""
    tried = sending.send_due()
    if tried == sending.BATCH:
        send_due.delay()
    return tried


@shared_task(name="notify.prune", ignore_result=True)
def prune() -> int:
    """Drops mails that were sent long ago and what the mailbox need not keep. Returns how many."""
    return sending.prune() + mailbox.prune()
