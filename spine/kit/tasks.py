"""Celery tasks that start only when the transaction that asked for them has committed."""

from __future__ import annotations

from typing import Any

from celery import Task
from django.db import transaction


class CommitAwareTask(Task[Any, Any]):
    """`after_commit(...)` instead of `delay(...)`: a rolled-back write sends nothing, and a broker
    that is away costs a delay only, as a sweep finds the row."""

    def after_commit(self, *args: Any, **kwargs: Any) -> None:
        def send() -> None:
            try:
                self.apply_async(args=args, kwargs=kwargs, retry=False)
            except self.app.connection_for_write().connection_errors:
                pass

        transaction.on_commit(send)
