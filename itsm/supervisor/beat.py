"""The Celery application of beat: it only sends names on time, so it loads no app and no models."""

from typing import Any

from celery import Celery
from celery.signals import beat_init

__all__ = ["app"]

app = Celery("itsm", fixups=[], set_as_current=False)
app.config_from_object("itsm.settings", namespace="CELERY")


@beat_init.connect
def _first_beat(**_: Any) -> None:
    # An interval's first run comes after the interval: the doctor need not wait for it.
    app.send_task("itsm.heartbeat", retry=False)
