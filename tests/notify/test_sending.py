"""From the queue to a real SMTP server: once, whole, and in the end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.mail import EmailMultiAlternatives, send_mail
from django.db import connection
from django.utils.timezone import now

from incidents.actions import comment_on
from notify import sending
from notify.mailbox import prune
from notify.models import MailboxMessage, OutgoingMail

pytestmark = pytest.mark.django_db


@pytest.fixture
def make_mail():
    def make(place=1, **values):
        defaults = {
            "delivery_id": place,
            "recipient": "user:1",
            "address": f"reader{place}@example.com",
            "name": "Anna Novak",
            "event": "commented",
            "target_type": "tickets.ticket",
            "target_id": "1",
            "subject": "[INC0010001] Printer",
            "text": "Hello\n",
            "html": "<p>Hello</p>",
            "message_id": f"<{place}.user.1.evenkeel@example.com>",
            "references": "<ticket-1@example.com>",
            "wake_at": now(),
            "created_at": now(),
        }
        return OutgoingMail.objects.create(**{**defaults, **values})

    return make


def come_due():
    OutgoingMail.objects.filter(state="queued").update(wake_at=now() - timedelta(seconds=1))


def test_a_mail_arrives_once_with_all_that_it_needs(smtp, make_incident, agent, caller, told):
    caller.name, caller.language = '诺娃, "Anna"', "zh-hans"
    caller.save()
    made = make_incident(
        actor=agent, caller=caller, title="支付接口返回 502，三分之一失败 – ошибка"
    )
    told()
    comment_on(made, actor=agent, body="请再试一次。")
    told()
    assert sending.send_due() == 2
    assert sending.send_due() == 0
    first, second = smtp.messages
    # A long encoded subject begins on a line of its own; readers drop the fold.
    assert first["Subject"].strip() == f"[{made.number}] 支付接口返回 502，三分之一失败 – ошибка"
    assert second["Subject"] == first["Subject"]
    assert str(first["To"].addresses[0].display_name) == '诺娃, "Anna"'
    assert first["To"].addresses[0].addr_spec == "caller@example.com"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["References"] == second["In-Reply-To"] == second["References"]
    assert str(made.uuid) in first["References"]
    assert first["Message-ID"] != second["Message-ID"]
    text = second.get_body(("plain",)).get_content()
    html = second.get_body(("html",)).get_content()
    assert "请再试一次。" in text
    assert "请再试一次。" in html
    assert [row.state for row in OutgoingMail.objects.all()] == ["sent", "sent"]


def test_a_server_that_is_away_costs_time_and_no_mail(smtp, make_mail):
    smtp.stop()
    mails = [make_mail(place) for place in range(1, 4)]
    assert sending.send_due() == 3
    for mail in mails:
        mail.refresh_from_db()
        assert mail.state == "queued"
        assert mail.wake_at > now() + timedelta(seconds=10)
        assert mail.attempts == 0, "no mail is to blame"
        assert mail.last_error
    assert sending.send_due() == 0, "not before its time"
    smtp.start()
    come_due()
    assert sending.send_due() == 3
    assert sorted(str(message["To"].addresses[0].addr_spec) for message in smtp.messages) == [
        "reader1@example.com", "reader2@example.com", "reader3@example.com",
    ]  # fmt: skip


def test_a_passing_refusal_is_tried_again_and_a_final_one_is_not(smtp, make_mail):
    later, never = make_mail(1), make_mail(2)
    fine = make_mail(3)
    smtp.refuse = {later.address: "451 greylisted", never.address: "550 no such user"}
    sending.send_due()
    for mail in (later, never, fine):
        mail.refresh_from_db()
    assert (later.state, never.state, fine.state) == ("queued", "failed", "sent")
    assert "no such user" in never.last_error
    smtp.refuse = {}
    come_due()
    sending.send_due()
    later.refresh_from_db()
    assert later.state == "sent"
    assert len(smtp.messages) == 2
    assert sending.retry([never.pk]) == 1
    sending.send_due()
    assert len(smtp.messages) == 3


def test_it_waits_longer_each_time_and_gives_up_in_the_end(smtp, make_mail, monkeypatch):
    monkeypatch.setattr(sending, "MAX_ATTEMPTS", 3)
    mail = make_mail()
    smtp.refuse = {mail.address: "451 later"}
    waits = []
    for _attempt in range(2):
        come_due()
        sending.send_due()
        mail.refresh_from_db()
        waits.append((mail.wake_at - now()).total_seconds())
    assert waits[1] > waits[0] * 1.5
    come_due()
    sending.send_due()
    mail.refresh_from_db()
    assert mail.state == "failed"


@pytest.mark.parametrize("field", ["subject", "name", "message_id", "references"])
def test_no_header_can_be_smuggled_in(smtp, make_mail, field):
    mail = make_mail(**{field: "x\r\nBcc: victim@example.com\r\n\r\nbody"})
    sending.send_due()
    mail.refresh_from_db()
    recipients = [address for envelope in smtp.envelopes for address in envelope.rcpt_tos]
    assert "victim@example.com" not in recipients
    assert all(message["Bcc"] is None for message in smtp.messages)
    assert mail.state in {"failed", "sent"}
    if mail.state == "failed":
        assert smtp.messages == []


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_send_each_mail_once(smtp, make_mail, monkeypatch):
    monkeypatch.setattr(sending, "BATCH", 5)
    for place in range(1, 31):
        make_mail(place)

    def work(_worker):
        try:
            tried = 0
            while found := sending.send_due(5):
                tried += found
            return tried
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 30
    sent = [str(message["Message-ID"]) for message in smtp.messages]
    assert len(sent) == len(set(sent)) == 30
    assert not OutgoingMail.objects.exclude(state="sent").exists()


def test_a_worker_that_dies_loses_nothing_and_the_repetition_is_recognisable(smtp, make_mail):
    mail = make_mail()
    (taken,) = sending._lease(1)
    assert sending.send_due() == 0, "another worker has it"
    # It handed the mail over and died before it could say so: the lease ends.
    sending.message(taken, None).send()
    OutgoingMail.objects.update(wake_at=now() - timedelta(seconds=1))
    assert sending.send_due() == 1
    first, second = smtp.messages
    assert first["Message-ID"] == second["Message-ID"] == mail.message_id


def test_a_worker_whose_lease_has_ended_changes_nothing(make_mail):
    mail = make_mail()
    (slow,) = sending._lease(1)
    OutgoingMail.objects.update(wake_at=now() + timedelta(hours=3))
    sending._failed(slow, OSError("late"), permanent=True)
    mail.refresh_from_db()
    assert mail.state == "queued"


# Without a server


@pytest.fixture
def mailbox(settings):
    settings.EMAIL_BACKEND = "notify.mailbox.MailboxBackend"


def test_without_a_server_mail_lands_in_the_mailbox(mailbox, make_incident, agent, caller, told):
    made = make_incident(actor=agent, caller=caller, title="打印机 broken")
    told()
    sending.send_due()
    message = MailboxMessage.objects.get()
    assert message.subject == f"[{made.number}] 打印机 broken"
    assert message.recipients == "Anna Novak <caller@example.com>"
    assert made.number in message.text
    assert "<a " in message.html
    assert ["Auto-Submitted", "auto-generated"] in message.headers
    assert OutgoingMail.objects.get().state == "sent"


def test_any_mail_of_the_platform_lands_there(mailbox):
    assert send_mail("Reset", "Hello", "desk@example.com", ["a@example.com", "b@example.com"]) == 1
    message = MailboxMessage.objects.get()
    assert (message.recipients, message.html) == ("a@example.com, b@example.com", "")
    assert EmailMultiAlternatives("No one", "x").send() == 0


def test_the_mailbox_keeps_the_newest(mailbox, monkeypatch):
    monkeypatch.setattr("notify.mailbox.KEPT", 2)
    for place in range(4):
        send_mail(f"{place}", "x", "desk@example.com", ["a@example.com"])
    assert prune() == 2
    assert sorted(MailboxMessage.objects.values_list("subject", flat=True)) == ["2", "3"]


def test_what_was_sent_long_ago_is_dropped(make_mail):
    from notify.tasks import prune as prune_task

    kept, old = make_mail(1, state="sent", sent_at=now()), make_mail(2, state="sent")
    OutgoingMail.objects.filter(pk=old.pk).update(sent_at=now() - timedelta(days=100))
    waiting = make_mail(3)
    assert prune_task() == 1
    assert set(OutgoingMail.objects.values_list("pk", flat=True)) == {kept.pk, waiting.pk}
