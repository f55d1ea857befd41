from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate


class AuditConfig(AppConfig):
    name = "spine.audit"
    label = "audit"

    def ready(self) -> None:
        # A migration is work of the application: rows that it moves are not changed "outside".
        # The setting lasts for the session, as each migration has its own transaction.
        pre_migrate.connect(_open, sender=self, dispatch_uid="audit-migration-open")
        post_migrate.connect(_close, sender=self, dispatch_uid="audit-migration-close")


def _open(*, using: str, **_kwargs: Any) -> None:
    _set(using, "migration")


def _close(*, using: str, **_kwargs: Any) -> None:
    _set(using, "")


def _set(using: str, value: str) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT set_config('evenkeel.operation', %s, false)", [value])
