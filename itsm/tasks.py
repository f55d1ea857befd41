"""The platform's own pulse."""

from __future__ import annotations

from celery import shared_task

from itsm.doctor import heartbeat


@shared_task(name="itsm.heartbeat")
def beat() -> None:
    """Sent by beat, run by a worker: a fresh mark proves both."""
    heartbeat.record()
