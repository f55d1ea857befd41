from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from email import policy
from email.parser import BytesParser
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from notify import listeners
from notify.models import OutgoingMail
from spine.outbox import draining


@pytest.fixture
def told() -> Callable[[], list[OutgoingMail]]:
    """Drains what happened so far; returns the mails that this made, in order."""

    def drain() -> list[OutgoingMail]:
        before = set(OutgoingMail.objects.values_list("pk", flat=True))
        while draining.drain_once(listeners.mail):
            pass
        return list(OutgoingMail.objects.exclude(pk__in=before).order_by("pk"))

    return drain


class Receiver:
    """A real SMTP server in a thread. refuse: answers by address instead of "250 OK"."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.envelopes: list[Envelope] = []
        self.refuse: dict[str, str] = {}
        self._controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 taken"

    @property
    def messages(self) -> list[Any]:
        parser = BytesParser(policy=policy.default)
        return [parser.parsebytes(envelope.original_content or b"") for envelope in self.envelopes]


@pytest.fixture
def smtp(settings: Any) -> Iterator[Receiver]:
    receiver = Receiver()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = receiver.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    receiver.start()
    yield receiver
    receiver.stop()
