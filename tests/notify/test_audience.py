"""Who is told of what, and never of more than they may know."""

from __future__ import annotations

from datetime import timedelta

import pytest

from incidents.actions import comment_on, move_incident, update_incident
from notify import listeners
from notify.models import OutgoingMail
from spine.kit.clock import now
from spine.outbox.models import Delivery
from spine.tickets import actions as tickets
from spine.tickets.models import Ticket


def by_address(mails):
    return {mail.address.partition("@")[0]: mail for mail in mails}


@pytest.fixture
def incident(make_incident, team, agent, told):
    """Worked on by the agent, with nothing left to tell."""
    made = make_incident()
    made = update_incident(made, actor=agent, values={"assignment_group": team, "assignee": agent})
    told()
    return made


def test_a_report_for_somebody_is_confirmed_to_them_and_waits_for_the_group(
    make_incident, caller, agent, lead, team, told
):
    make_incident(actor=agent, caller=caller, assignment_group=team)
    mails = by_address(told())
    assert {name: mail.event for name, mail in mails.items()} == {
        "caller": "created", "lead": "queued",
    }  # fmt: skip
    assert "/portal/" in mails["caller"].text
    assert "/incidents/" in mails["lead"].text


def test_who_reports_for_themselves_is_not_told_of_it(make_incident, told):
    make_incident()
    assert told() == []


def test_a_team_with_an_address_of_its_own_gets_one_mail(make_incident, team, lead, told):
    team.email = "desk@example.com"
    team.save()
    made = make_incident()
    told()
    update_incident(made, actor=lead, values={"assignment_group": team})
    (mail,) = told()
    assert (mail.address, mail.recipient, mail.user) == (
        "desk@example.com", f"team:{team.pk}", None,
    )  # fmt: skip


def test_the_new_assignee_is_told_and_the_one_who_assigns_is_not(
    make_incident, team, agent, lead, told
):
    made = update_incident(make_incident(), actor=lead, values={"assignment_group": team})
    told()
    made = update_incident(made, actor=lead, values={"assignee": agent})
    assert by_address(told()).keys() == {"agent"}
    update_incident(made, actor=agent, values={"assignee": lead})
    (mail,) = told()
    assert (mail.address, mail.event) == ("lead@example.com", "assigned")
    made.refresh_from_db()
    update_incident(made, actor=lead, values={"title": "Another title", "impact": 1})
    assert told() == []


def test_a_reply_of_staff_reaches_the_caller_and_watchers(
    incident, agent, lead, other_caller, told
):
    tickets.watch(incident, actor=agent, user=lead)
    tickets.watch(incident, actor=agent, user=other_caller)
    comment_on(incident, actor=agent, body="Try it **again**, please.")
    mails = by_address(told())
    assert mails.keys() == {"caller", "lead", "other.caller"}
    assert "Try it again, please." in mails["caller"].text
    assert "<strong>again</strong>" in mails["caller"].html


def test_the_callers_reply_reaches_the_assignee(incident, caller, told):
    comment_on(incident, actor=caller, body="Still broken.")
    (mail,) = told()
    assert (mail.address, mail.event) == ("agent@example.com", "commented")


def test_the_callers_reply_wakes_a_waiting_ticket_with_one_mail(incident, agent, caller, told):
    held = move_incident(
        incident,
        "hold",
        actor=agent,
        values={"hold_reason": "awaiting_caller", "comment": "Which card reader?"},
    )
    (mail,) = told()
    assert (mail.address, mail.event) == ("caller@example.com", "held")
    assert "Which card reader?" in mail.text
    comment_on(held, actor=caller, body="The blue one.")
    (mail,) = told()
    assert (mail.address, mail.event) == ("agent@example.com", "commented")
    assert "The blue one." in mail.text


def test_a_note_reaches_no_one_without_the_right(
    incident, agent, lead, caller, other_caller, executive, told
):
    for watcher in (lead, caller, other_caller, executive):
        tickets.watch(incident, actor=agent, user=watcher)
    comment_on(incident, actor=agent, body="The caller lies.", visibility="note")
    (mail,) = told()
    assert (mail.address, mail.event) == ("lead@example.com", "noted")
    assert not OutgoingMail.objects.filter(text__contains="lies").exclude(user=lead).exists()


def test_a_note_within_a_move_stays_out_of_the_callers_mail(incident, agent, caller, told):
    """Whatever else an operation says in public, its note is not in it."""
    from notify.audience import Event, Happening, Recipient, Why
    from notify.composing import compose

    note = comment_on(incident, actor=agent, body="Secret word xyzzy", visibility="note")
    ticket = Ticket.objects.get(pk=incident.pk)
    what = Happening(Event.HELD, ticket, agent, note)
    mail = compose(what, Recipient("user:1", caller.email, "A", Why.CALLER, Event.HELD, caller), 1)
    assert "xyzzy" not in mail.text + mail.html


def test_solved_reopened_and_closed(incident, agent, lead, caller, system, told):
    solved = move_incident(
        incident,
        "resolve",
        actor=agent,
        values={"close_code": "solution_provided", "close_notes": "Certificate renewed."},
    )
    (mail,) = told()
    assert (mail.address, mail.event) == ("caller@example.com", "resolved")
    assert "Certificate renewed." in mail.text
    again = move_incident(solved, "reopen", actor=caller, values={"comment": "Not yet."})
    (mail,) = told()
    assert (mail.address, mail.event) == ("agent@example.com", "reopened")
    assert "Not yet." in mail.text
    solved = move_incident(
        again,
        "resolve",
        actor=agent,
        values={"close_code": "solution_provided", "close_notes": "Done."},
    )
    told()
    move_incident(solved, "close", actor=system)
    (mail,) = told()
    assert (mail.address, mail.event) == ("caller@example.com", "closed")


def test_the_follow_up_time_wakes_it_and_tells_the_assignee(incident, agent, system, told):
    held = move_incident(incident, "hold", actor=agent, values={"hold_reason": "awaiting_vendor"})
    assert told() == [], "inner business"
    Ticket.objects.filter(pk=held.pk).update(follow_up_at=now() - timedelta(minutes=1))
    tickets.wake(held, actor=system)
    (mail,) = told()
    assert (mail.address, mail.event) == ("agent@example.com", "woken")


def test_a_canceled_one_is_told_to_who_works_on_it(incident, agent, caller, told):
    move_incident(incident, "cancel", actor=agent, values={"reason": "A duplicate."})
    (mail,) = told()
    assert (mail.address, mail.event) == ("caller@example.com", "canceled")
    assert "A duplicate." in mail.text


def test_who_has_left_or_has_no_address_or_may_not_see_it_is_left_out(
    incident, agent, lead, caller, make_user, partner, told
):
    gone, mute = make_user("gone"), make_user("mute", email="")
    for watcher in (gone, mute):
        tickets.watch(incident, actor=agent, user=watcher)
    gone.is_active = False
    gone.save()
    update_incident(incident, actor=agent, values={"assignee": lead})
    told()
    # The lead leaves the desk: the ticket still names them, but they may not see it any more.
    lead.grants.all().delete()
    comment_on(incident, actor=caller, body="Anybody there?")
    assert told() == []


def test_a_broken_address_is_left_out(incident, agent, caller, told):
    caller.email = "not an address"
    caller.save()
    comment_on(incident, actor=agent, body="Hello")
    assert told() == []


def test_a_delivery_that_comes_again_makes_no_second_mail(incident, agent, told):
    comment_on(incident, actor=agent, body="Hello")
    (mail,) = told()
    delivery = Delivery.objects.get(pk=mail.delivery_id)
    listeners.handle(delivery)
    listeners.handle(delivery)
    assert OutgoingMail.objects.filter(delivery_id=delivery.pk).count() == 1


def test_each_reads_it_in_their_language_and_zone(make_incident, caller, agent, told):
    caller.language, caller.timezone = "zh-hans", "Asia/Shanghai"
    caller.save()
    made = make_incident(actor=agent, caller=caller)
    (mail,) = told()
    assert 'lang="zh-hans"' in mail.html
    assert "CST" in mail.text
    assert made.number in mail.subject


def test_a_title_over_many_lines_is_one_line_in_the_subject(make_incident, agent, caller, told):
    make_incident(actor=agent, caller=caller, title="Printer\nBcc: victim@example.com  broken")
    (mail,) = told()
    assert mail.subject.endswith("] Printer Bcc: victim@example.com broken")


def test_numbers_in_a_mail_lead_to_full_addresses(incident, agent, told, settings):
    settings.BASE_URL = "https://desk.example"
    comment_on(incident, actor=agent, body=f"Same as {incident.number}, see [x](/portal/).")
    (mail,) = told()
    assert f'href="https://desk.example/portal/tickets/{incident.number}/"' in mail.html or (
        f'href="https://desk.example/portal/{incident.number}/"' in mail.html
    )
    assert 'href="/' not in mail.html


def test_html_in_a_title_is_only_text(make_incident, agent, caller, told):
    make_incident(actor=agent, caller=caller, title="<script>alert(1)</script>")
    (mail,) = told()
    assert "<script>" not in mail.html
    assert "<script>alert(1)</script>" in mail.text


def test_an_agent_who_opened_it_for_somebody_replies_as_an_agent(
    make_incident, agent, caller, team, told
):
    made = make_incident(actor=agent, caller=caller, assignment_group=team)
    told()
    comment_on(made, actor=agent, body="Is it plugged in?")
    assert by_address(told()).keys() == {"caller"}
    comment_on(made, actor=caller, body="It is.")
    assert by_address(told()).keys() == {"agent", "lead"}, "the queue's, agent among them"
