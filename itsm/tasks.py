"""Tasks of the platform itself."""

from __future__ import annotations

from celery import shared_task

from itsm.doctor import heartbeat


@shared_task(name="itsm.heartbeat")
def beat_heartbeat() -> None:
    """Sent by beat, run by a worker: a fresh time proves both and the broker between them."""
    heartbeat.record()
