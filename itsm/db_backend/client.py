"""`manage.py dbshell` with the psql that comes with the embedded server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import client

from itsm import embedded


class DatabaseClient(client.DatabaseClient):
    executable_name = "psql"

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        args, env = super().settings_to_cmd_args_env(settings_dict, parameters)
        return [str(embedded.postgres_binaries() / "psql"), *args[1:]], env

    def runshell(self, parameters: Iterable[str]) -> None:
        embedded.ensure_running(settings.DATA_DIR)
        super().runshell(parameters)
