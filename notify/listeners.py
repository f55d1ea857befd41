"""From what happened to the mails that tell of it."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from notify.audience import audience, happening, speaks_for
from notify.composing import compose
from notify.models import OutgoingMail
from notify.tasks import send_due
from spine.audit.models import Entry
from spine.outbox.models import Delivery
from spine.outbox.registry import Listener
from spine.people.models import User
from spine.tickets import kinds
from spine.tickets.models import Ticket

# An operation's entries carry almost the same time; the bounds keep the look-up to a month or two.
_AROUND = timedelta(hours=1)


def handle(delivery: Delivery) -> None:
    """Writes the mails of the delivery's operation, once: only the entry that speaks for it does,
    and a repetition meets the rows of the first time."""
    if delivery.target_type != "tickets.ticket":
        return
    entries = _operation(delivery)
    speaker = speaks_for(entries)
    if speaker is None or speaker.pk != delivery.entry_id:
        return
    ticket = _ticket(int(delivery.target_id))
    actor = User.objects.filter(pk=delivery.actor_id).first()
    if ticket is None or actor is None:
        return
    what = happening(entries, speaker, ticket, actor)
    if what is None:
        return
    mails = [compose(what, one, delivery.pk) for one in audience(what)]
    with transaction.atomic():
        OutgoingMail.objects.bulk_create(
            [made for made in mails if made is not None], ignore_conflicts=True
        )
        send_due.after_commit()


def _operation(delivery: Delivery) -> list[Entry]:
    """What else the same operation did to the same ticket."""
    return list(
        Entry.objects.filter(
            operation=delivery.payload["operation"],
            target_type=delivery.target_type,
            target_id=delivery.target_id,
            at__range=(delivery.entry_at - _AROUND, delivery.entry_at + _AROUND),
        ).order_by("id")
    )


def _ticket(pk: int) -> Ticket | None:
    plain = Ticket.objects.filter(pk=pk).only("kind").first()
    if plain is None:
        return None
    rows = kinds.kind_of(plain).model_class()._default_manager.filter(pk=pk)
    found: Ticket | None = rows.select_related(
        "caller", "opened_by", "assignee", "assignment_group", "thread"
    ).first()
    return found


mail = Listener(
    name="notify.mail",
    verbs=(
        "*.created", "*.commented", "*.resolved", "*.held", "*.reopened", "*.resumed", "*.updated",
        "*.closed", "*.confirmed", "*.canceled",
    ),
    handle=handle,
)  # fmt: skip
