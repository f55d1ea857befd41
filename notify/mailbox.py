"""A mail backend for where no server is configured: mail lands on the mailbox page."""

from __future__ import annotations

from collections.abc import Sequence
from email import policy
from email.message import Message
from email.parser import BytesParser

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from notify.models import MailboxMessage
from spine.kit.clock import now

KEPT = 5_000


class MailboxBackend(BaseEmailBackend):
    """Keeps each message as a server would have got it: written out and parsed again."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        made = [_received(message) for message in email_messages if message.recipients()]
        MailboxMessage.objects.bulk_create(made)
        return len(made)


def _received(message: EmailMessage) -> MailboxMessage:
    parsed = BytesParser(policy=policy.default).parsebytes(message.message().as_bytes())
    return MailboxMessage(
        message_id=str(parsed["Message-ID"] or "")[:200],
        sender=str(parsed["From"] or "")[:320],
        recipients=", ".join(message.recipients()),
        subject=str(parsed["Subject"] or "").strip()[:400],
        text=_part(parsed, "text/plain"),
        html=_part(parsed, "text/html"),
        headers=[[name, str(value)] for name, value in parsed.items()],
        received_at=now(),
    )


def _part(parsed: Message, content_type: str) -> str:
    for part in parsed.walk():
        if part.get_content_type() == content_type and not part.get_filename():
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                return payload.decode(part.get_content_charset() or "utf-8", "replace")
    return ""


def prune() -> int:
    """Drops what is older than the newest few thousand. Returns how many."""
    newest = list(MailboxMessage.objects.values_list("pk", flat=True)[KEPT : KEPT + 1])
    return MailboxMessage.objects.filter(pk__lte=newest[0]).delete()[0] if newest else 0
