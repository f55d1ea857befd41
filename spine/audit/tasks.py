"""What beat asks of the trail."""

from __future__ import annotations

from celery import shared_task

from spine.audit import partitions, sealing


@shared_task(name="audit.seal")
def seal() -> int:
    """Seals what is final. Returns the number of entries."""
    return sum(made.count for made in sealing.seal_pending())


@shared_task(name="audit.partitions")
def make_partitions() -> list[str]:
    """Makes the coming months' partitions. Returns the months made (ISO dates)."""
    return [month.isoformat() for month in partitions.make_ahead()]
