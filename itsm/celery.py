"""The Celery application: workers find every app's `tasks.py`."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init
from django.conf import settings

from itsm import embedded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "itsm.settings")

app = Celery("itsm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
@beat_init.connect
def _start_embedded_servers(**_: Any) -> None:
    # A worker or beat started by hand talks to the broker before any database connection does.
    if settings.EMBEDDED_REDIS:
        embedded.ensure_running(settings.DATA_DIR)
