"""The Celery application of supervised processes: pool processes do not outlive their parent."""

import signal
from typing import Any

from celery.signals import worker_process_init

from itsm.celery import app
from itsm.embedded.process import die_with_parent

__all__ = ["app"]


@worker_process_init.connect
def _follow_parent(**_: Any) -> None:
    # What it had taken is not lost: recovery comes from leases in the database.
    die_with_parent(signal.SIGKILL)
