"""Connects to the embedded PostgreSQL, starting it where it does not run."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base
from django.db.utils import OperationalError
from psycopg2 import OperationalError as DriverError

from itsm import embedded
from itsm.db_backend.client import DatabaseClient

# A killed server is back within a second; recovery after heavy writing takes longer.
PATIENCE_SECONDS = 20.0
# The server's own words while it is on its way (SQLSTATE 57P03 and a socket nobody listens on).
ON_ITS_WAY = (
    "starting up",
    "recovery mode",
    "shutting down",
    "not yet accepting",
    "Connection refused",
    "No such file or directory",
    "server closed the connection",
    "Connection reset",
)


class DatabaseWrapper(base.DatabaseWrapper):
    """The stock backend with one difference: a server that is not there is started."""

    client_class = DatabaseClient

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                # Tests need no safety against a power cut.
                embedded.ensure_running(
                    settings.DATA_DIR, durable=False if settings.TESTING else None
                )
            except embedded.EmbeddedError as error:
                raise OperationalError(str(error)) from error
            try:
                return super().get_new_connection(conn_params)
            except DriverError as error:
                passing = any(word in str(error) for word in ON_ITS_WAY)
                if not passing or time.monotonic() > deadline:
                    raise
            time.sleep(0.05)
