"""The Celery application of supervised processes: pool processes do not outlive their parent."""

import gc
import os
import signal
import warnings
from typing import Any

from celery.exceptions import SecurityWarning
from celery.signals import worker_before_create_process, worker_process_init

from itsm.celery import app
from itsm.embedded.process import die_with_parent

__all__ = ["app"]

if os.geteuid() == 0:
    # Who runs the demo as root chose so for all of it; six lines of the worker's add nothing.
    warnings.simplefilter("ignore", SecurityWarning)


@worker_before_create_process.connect
def _share_what_is_loaded(**_: Any) -> None:
    # A collection in a pool process would write to, and so copy, every page it was forked with.
    gc.collect()
    gc.freeze()


@worker_process_init.connect
def _follow_parent(**_: Any) -> None:
    # What it had taken is not lost: recovery comes from leases in the database.
    die_with_parent(signal.SIGKILL)
