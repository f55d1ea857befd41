"""What a mail says, in the language of whoever reads it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from notify.audience import Event, Happening, Recipient, Why
from spine.tickets.models import HoldReason

SUBJECT_LENGTH = 200


def subject(what: Happening) -> str:
    """The same for every mail of a ticket, as mail programs keep together what is called alike.
    One line, whatever the title holds."""
    title = " ".join(what.ticket.title.split())
    return f"[{what.ticket.number}] {title}"[:SUBJECT_LENGTH]


def sentence(what: Happening, one: Recipient) -> str:
    """What happened."""
    said = {"actor": what.actor.name, "number": what.ticket.number}
    if one.event == Event.COMMENTED and one.why == Why.CALLER:
        return _("%(actor)s has replied to you.") % said
    if one.event == Event.HELD:
        if what.ticket.hold_reason == HoldReason.CALLER:
            return _("%(actor)s needs an answer from you to go on.") % said
        return _("%(actor)s has put it on hold.") % said
    if one.event == Event.CLOSED and what.actor.is_system:
        return _("It was solved some days ago and is now closed.")
    return _SENTENCES()[one.event] % said


def _SENTENCES() -> dict[Event, str]:
    return {
        Event.CREATED: _("We have your report. Its number is %(number)s."),
        Event.RESOLVED: _("%(actor)s has solved it. Tell us if it did not help."),
        Event.CANCELED: _("%(actor)s has canceled it."),
        Event.REOPENED: _("%(actor)s has opened it again."),
        Event.COMMENTED: _("%(actor)s has replied."),
        Event.NOTED: _("%(actor)s has written a work note."),
        Event.ASSIGNED: _("%(actor)s has assigned it to you."),
        Event.QUEUED: _("A new ticket is waiting in your team's queue."),
        Event.WOKEN: _("Its follow-up time has come. It is back in progress."),
        Event.CLOSED: _("%(actor)s has closed it."),
    }


def reason(one: Recipient) -> str:
    """Why it came to this reader."""
    return {
        Why.CALLER: _("You get this because you reported it or it was reported for you."),
        Why.ASSIGNEE: _("You get this because it is assigned to you."),
        Why.TEAM: _("You get this because it is in your team's queue."),
        Why.WATCHER: _("You get this because you follow it."),
    }[one.why]


def invitation(what: Happening, one: Recipient, *, staff: bool) -> str:
    """The words of the one link."""
    if staff:
        return _("Open %(number)s") % {"number": what.ticket.number}
    if one.event in {Event.COMMENTED, Event.HELD}:
        return _("Read and answer")
    if one.event == Event.RESOLVED:
        return _("Say whether it helped")
    return _("See how it stands")


def facts(what: Happening, one: Recipient, *, staff: bool) -> list[tuple[str, str]]:
    """(label, value) lines under the message; what only staff works with stays with staff."""
    ticket = what.ticket
    lines = [(_("Title"), " ".join(ticket.title.split()))]
    if one.event == Event.HELD and staff:
        lines.append((_("Waiting for"), str(ticket.get_hold_reason_display())))
    if staff and one.event in {Event.ASSIGNED, Event.QUEUED, Event.REOPENED, Event.WOKEN}:
        lines.append((_("Priority"), f"P{ticket.priority} {ticket.get_priority_display()}"))
        lines.append((_("Caller"), ticket.caller.name))
        if ticket.due_at is not None:
            lines.append((_("Due"), moment(ticket.due_at)))
    if one.event == Event.CREATED:
        lines.append((_("Reported"), moment(ticket.opened_at)))
    return lines


def moment(at: datetime) -> str:
    """In the reader's zone (active while a mail is written), with the zone's name."""
    here = localtime(at)
    return f"{date_format(here, 'DATETIME_FORMAT')} {here.tzname()}"


def body(what: Happening, one: Recipient) -> str:
    """The Markdown that the mail quotes: the comment, the solution, the reason, the report."""
    if what.comment is not None:
        return what.comment.body
    ticket: Any = what.ticket
    if one.event in {Event.RESOLVED, Event.CANCELED}:
        return str(getattr(ticket, "close_notes", ""))
    if one.event in {Event.ASSIGNED, Event.QUEUED}:
        return str(ticket.description)
    return ""
