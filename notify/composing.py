"""Writes the mails of one happening: each in its reader's language and time zone."""

from __future__ import annotations

import zoneinfo
from email.utils import parseaddr
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.safestring import SafeString, mark_safe

from notify import words
from notify.audience import Event, Happening, Recipient, may_read_notes
from notify.models import OutgoingMail
from spine.kit.clock import now
from spine.people.reach import reach_of
from spine.threads import markdown
from spine.threads.models import Comment
from spine.tickets import kinds

QUOTED = 20_000


def host() -> str:
    """The name that Message-IDs carry: of the sender's address, as it is the one that is ours."""
    address = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    return address.rpartition("@")[2] or urlsplit(settings.BASE_URL).hostname or "localhost"


def compose(what: Happening, one: Recipient, delivery_id: int) -> OutgoingMail | None:
    """The mail, not yet saved; None where the address is none."""
    try:
        validate_email(one.address)
    except ValidationError:
        return None
    with translation.override(_language(one)), timezone.override(_zone(one)):
        context = _context(what, one)
        text = render_to_string("notify/ticket.txt", context)
        html = render_to_string("notify/ticket.html", context)
        subject = words.subject(what)
    moment = now()
    return OutgoingMail(
        delivery_id=delivery_id,
        recipient=one.key,
        user=one.user,
        address=one.address,
        name=" ".join(one.name.split())[:200],
        event=one.event.value,
        target_type="tickets.ticket",
        target_id=str(what.ticket.pk),
        subject=subject,
        text=text,
        html=html,
        message_id=f"<{delivery_id}.{one.key.replace(':', '.')}.evenkeel@{host()}>",
        references=f"<ticket-{what.ticket.uuid}@{host()}>",
        wake_at=moment,
        created_at=moment,
    )


def _language(one: Recipient) -> str:
    return (one.user.language if one.user is not None else "") or settings.LANGUAGE_CODE


def _zone(one: Recipient) -> zoneinfo.ZoneInfo:
    name = one.user.timezone if one.user is not None else settings.TIME_ZONE
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo("UTC")


def _context(what: Happening, one: Recipient) -> dict[str, object]:
    kind = kinds.kind_of(what.ticket)
    # A team's own address is read by staff.
    staff = one.user is None or reach_of(one.user).is_staff
    body = _quotable(what, one)[:QUOTED]
    address = (kind.url if staff else kind.portal_url)(what.ticket)
    return {
        "language": translation.get_language(),
        "sentence": words.sentence(what, one),
        "facts": words.facts(what, one, staff=staff),
        "body": markdown.plain(body),
        "body_html": absolute(markdown.render(body, portal=not staff)) if body else "",
        "link": f"{settings.BASE_URL}{address}",
        "invitation": words.invitation(what, one, staff=staff),
        "reason": words.reason(one),
    }


def _quotable(what: Happening, one: Recipient) -> str:
    """What the reader may read of it. A note may stand beside something public in one operation."""
    note = what.comment is not None and what.comment.visibility == Comment.Visibility.NOTE
    if note and (one.user is None or not may_read_notes(one.user, what.ticket)):
        return ""
    if note and what.event != Event.NOTED:
        return ""
    return words.body(what, one)


def absolute(html: SafeString) -> SafeString:
    """Links within the platform with its address, as a mail has no page they could start from.

    The text is cleaned HTML, in which a quotation mark stands nowhere but around a value.
    """
    return mark_safe(html.replace(' href="/', f' href="{settings.BASE_URL}/'))  # noqa: S308
