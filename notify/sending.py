"""Hands queued mails to the mail server, each to one worker, again until it takes them.

A worker leases mails in PostgreSQL: one that dies lets them come due again. Between the server's
"taken" and the row's "sent" lies a moment in which a crash repeats a mail; it then carries the
same Message-ID.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import formataddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import transaction
from django.db.models import F, QuerySet

from notify.models import OutgoingMail
from spine.kit.clock import now

log = logging.getLogger("evenkeel.notify")

BATCH = 50
# Longer than a batch can take: each mail may wait for the server's time-out once.
LEASE = timedelta(minutes=20)
MAX_ATTEMPTS = 24
_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(hours=2)
# Proof that it was sent; longer would be keeping people's words without need.
KEPT = timedelta(days=90)
_PRUNED_AT_ONCE = 5000


def send_due(limit: int = BATCH) -> int:
    """Tries what is due, at most `limit` mails. Returns how many were tried."""
    mails = _lease(limit)
    if not mails:
        return 0
    connection = get_connection()
    try:
        connection.open()
    except OSError as error:
        # smtplib's errors are OSErrors, too. The server is away: no mail is to blame.
        log.warning("mail: the server does not answer: %s", error)
        for mail in mails:
            _put_back(mail, error, counts=False)
        return len(mails)
    try:
        for mail in mails:
            _send(mail, connection)
    finally:
        connection.close()
    return len(mails)


def _lease(limit: int) -> list[OutgoingMail]:
    moment = now()
    with transaction.atomic():
        due = list(
            OutgoingMail.objects.select_for_update(skip_locked=True)
            .filter(state=OutgoingMail.State.QUEUED, wake_at__lte=moment)
            .order_by("wake_at", "id")[:limit]
        )
        OutgoingMail.objects.filter(pk__in=[mail.pk for mail in due]).update(
            wake_at=moment + LEASE, attempts=F("attempts") + 1
        )
    for mail in due:
        mail.attempts += 1
        mail.wake_at = moment + LEASE
    return due


def _send(mail: OutgoingMail, connection: Any) -> None:
    try:
        message(mail, connection).send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _answer in error.recipients.values()]
        _failed(mail, error, permanent=all(code >= 500 for code in codes))
    except smtplib.SMTPResponseException as error:
        _failed(mail, error, permanent=500 <= error.smtp_code < 600)
    except ValueError as error:
        # A header that can't be written: no repetition will mend it.
        _failed(mail, error, permanent=True)
    except OSError as error:
        _failed(mail, error, permanent=False)
    else:
        _mine(mail).update(state=OutgoingMail.State.SENT, sent_at=now(), last_error="")


def message(mail: OutgoingMail, connection: Any = None) -> EmailMultiAlternatives:
    """The mail as Django sends it. Headers say that a machine wrote it, so that no other machine
    answers, and which ticket's conversation it belongs to."""
    headers = {
        "Message-ID": mail.message_id,
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
    if mail.references:
        headers |= {"In-Reply-To": mail.references, "References": mail.references}
    made = EmailMultiAlternatives(
        subject=mail.subject,
        body=mail.text,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[formataddr((mail.name, mail.address))],
        headers=headers,
        connection=connection,
    )
    made.attach_alternative(mail.html, "text/html")
    return made


def _mine(mail: OutgoingMail) -> QuerySet[OutgoingMail]:
    """The row as long as the lease is this worker's: a slower one changes nothing any more."""
    return OutgoingMail.objects.filter(
        pk=mail.pk, state=OutgoingMail.State.QUEUED, wake_at=mail.wake_at
    )


def _failed(mail: OutgoingMail, error: Exception, *, permanent: bool) -> None:
    if permanent or mail.attempts >= MAX_ATTEMPTS:
        log.warning("mail %s: given up: %s", mail.pk, error)
        _mine(mail).update(state=OutgoingMail.State.FAILED, last_error=str(error)[:2000])
    else:
        _put_back(mail, error, counts=True)


def _put_back(mail: OutgoingMail, error: Exception, *, counts: bool) -> None:
    _mine(mail).update(
        wake_at=_next_try(mail.attempts),
        attempts=mail.attempts if counts else max(0, mail.attempts - 1),
        last_error=str(error)[:2000],
    )


def _next_try(attempts: int) -> datetime:
    doublings = max(0, min(attempts - 1, 10))
    return now() + min(_FIRST_WAIT * (1 << doublings), _LONGEST_WAIT)


def retry(ids: Iterable[int]) -> int:
    """Given-up mails start anew. Returns how many."""
    return OutgoingMail.objects.filter(pk__in=list(ids), state=OutgoingMail.State.FAILED).update(
        state=OutgoingMail.State.QUEUED, attempts=0, wake_at=now()
    )


def prune() -> int:
    """Deletes what was sent long ago, a bounded number at a time. Returns how many."""
    old = (
        OutgoingMail.objects.filter(state=OutgoingMail.State.SENT, sent_at__lt=now() - KEPT)
        .order_by("id")
        .values("id")[:_PRUNED_AT_ONCE]
    )
    return OutgoingMail.objects.filter(id__in=old).delete()[0]
