"""Who talks to whom: binds the listeners named in settings to the outbox."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from spine.outbox import registry
from spine.outbox.registry import Listener

log = logging.getLogger("evenkeel.wiring")


def resolve(paths: list[str]) -> tuple[list[Listener], list[CheckMessage]]:
    """The listeners of these dotted paths in their order, and what is wrong with the others."""
    found: dict[str, Listener] = {}
    wrong: list[CheckMessage] = []
    for path in paths:
        try:
            listener = import_string(path)
        except ImportError as error:
            wrong.append(Error(f"LISTENERS: {path} can't be imported: {error}", id="itsm.E001"))
            continue
        if not isinstance(listener, Listener):
            wrong.append(
                Error(f"LISTENERS: {path} is not a spine.outbox Listener.", id="itsm.E002")
            )
        elif listener.name in found:
            wrong.append(
                Error(
                    f"LISTENERS: {path} has the name of another listener, {listener.name!r}.",
                    id="itsm.E003",
                )
            )
        else:
            found[listener.name] = listener
    return list(found.values()), wrong


def install() -> None:
    """At start-up. What can't be resolved is an error of the system check, and is logged, as a web
    server runs no checks."""
    listeners, wrong = resolve(settings.LISTENERS)
    for message in wrong:
        log.error(message.msg)
    registry.install(listeners)


def check_listeners(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """System check: every listener resolves, each name once."""
    return resolve(settings.LISTENERS)[1]
