"""What the record's page shows, read in a fixed number of queries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import JSONObject
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from incidents import timeline
from incidents.forms import category_path
from incidents.lifecycle import LIFECYCLE
from incidents.models import Incident, State
from incidents.querysets import IncidentQuerySet
from spine.audit.models import Entry
from spine.kit.clock import now
from spine.people.models import Membership, User
from spine.people.policy import Decision, may
from spine.sla.arithmetic import Segment, SegmentKind
from spine.threads.markdown import render
from spine.threads.models import Attachment, Watcher
from spine.tickets import kinds
from spine.tickets.clocks import Reading, explain, readings
from spine.tickets.lifecycle import offers
from spine.tickets.models import ClockStage, ExternalReference, Link, LinkType, TicketClock
from spine.ui import times
from spine.ui.templatetags.ui import SOON_PERCENT

OTHERS_SHOWN = 4
SET_MOST = 50
_BACKWARDS: dict[str, Any] = {
    LinkType.CAUSED_BY: gettext_lazy("Cause of"),
    LinkType.RESOLVED_BY: gettext_lazy("Resolves"),
    LinkType.DUPLICATE_OF: gettext_lazy("Has duplicate"),
    LinkType.RELATED: gettext_lazy("Related to"),
    LinkType.CHILD_OF: gettext_lazy("Parent of"),
}


def scope_of(user: User) -> IncidentQuerySet:
    """What the reader may see; worked out once for all that a page reads."""
    found: IncidentQuerySet = Incident.objects.visible_to(user)
    return found


def find(scope: IncidentQuerySet, number: str) -> Incident:
    """The incident within the scope; Http404 outside it. Small sets of the record (watchers,
    references) come along as arrays of the same row."""
    department = Membership.objects.filter(user=OuterRef("caller_id")).order_by("-is_primary", "id")
    found: Incident | None = (
        scope.for_record()
        .select_related("resolved_by", "subcategory__parent")
        .annotate(
            caller_department=Subquery(department.values("department__name")[:1]),
            last_stage=Subquery(
                ClockStage.objects.filter(clock__ticket_id=OuterRef("pk"))
                .order_by("-recorded_at")
                .values("id")[:1]
            ),
            watched_by=ArraySubquery(
                Watcher.objects.filter(thread_id=OuterRef("thread_id"))
                .order_by("user__sort_key")
                .values(json=JSONObject(id="user_id", name="user__name"))[:SET_MOST]
            ),
            referred_to=ArraySubquery(
                ExternalReference.objects.filter(ticket_id=OuterRef("pk"))
                .order_by("relation", "external_id")
                .values(
                    json=JSONObject(relation="relation", source="source", number="external_id")
                )[:SET_MOST]
            ),
        )
        .filter(number=number.upper())
        .first()
    )
    if found is None:
        raise Http404(_("There is no incident %(number)s that you may see.") % {"number": number})
    return found


def mark_of(ticket: Any) -> str:
    """Moves with whatever the page shows and somebody else may change: fields, words, clocks'
    stages, watchers. The refresh compares it before it reads anything more."""
    facts = (
        ticket.version,
        ticket.updated_at,
        ticket.due_at,
        ticket.breached,
        ticket.response_breached,
        ticket.last_stage,
        [one["id"] for one in ticket.watched_by],
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock for the panel. tone as of `ui/progress`; note in words."""

    row: TicketClock
    label: str
    used: float | None
    tone: str
    note: str
    running: bool
    met: bool


@dataclass(frozen=True, slots=True)
class Linked:
    label: str
    number: str
    url: str
    hint: str


def facts(
    ticket: Any, reader: User, scope: IncidentQuerySet, *, limit: int = timeline.PAGE
) -> dict[str, Any]:
    """Everything that the parts of the page show."""
    notes = bool(may(reader, "incident.read_notes", ticket))
    clocks = list(
        TicketClock.objects.filter(ticket_id=ticket.pk, canceled_at__isnull=True)
        .select_related("policy__calendar")
        .prefetch_related("reached", "pauses")
        .order_by("metric")
    )
    files = _files(ticket, notes)
    told = timeline.build(ticket, reader, notes=notes, clocks=clocks, files=files, limit=limit)
    own = [file for file in files if file.comment_id is None]
    state = LIFECYCLE.state(ticket.state)
    return {
        "ticket": ticket,
        "mark": mark_of(ticket),
        "state": state,
        "follow_up_words": times.when(ticket.follow_up_at) if ticket.follow_up_at else "",
        "open": ticket.state in {State.NEW, State.IN_PROGRESS, State.ON_HOLD},
        "description": render(ticket.description, attachments=timeline.file_urls(own)),
        "own_files": timeline.file_rows(own),
        "files": timeline.file_rows(files),
        "story": told,
        "earlier": min(limit + 100, timeline.MOST) if told.earlier else 0,
        "clocks": _clocks(clocks, ticket),
        "links": [*_links(ticket, reader), *_references(ticket)],
        "watchers": ticket.watched_by,
        "watching": any(one["id"] == reader.pk for one in ticket.watched_by),
        "others": _others(ticket, scope),
        "others_url": f"{reverse('incidents:list')}?view=all&caller={ticket.caller.uuid}"
        "&active=true",
        "category_words": _category(ticket),
        **rights(ticket, reader),
    }


def rights(ticket: Any, reader: User) -> dict[str, Any]:
    """What this person may do now, each refusal with its reason."""
    offered = offers(LIFECYCLE, ticket, reader)
    open_moves = [offer for offer in offered if offer.decision]
    take = _may_take(ticket, reader)
    if take and ticket.state == State.NEW:
        # Taking a new one starts it: two buttons for one thing would ask which is meant.
        open_moves = [offer for offer in open_moves if offer.move.code != "start"]
        primary = None
    else:
        primary = next((offer for offer in open_moves if offer.move.primary), None)
    return {
        "moves": [offer for offer in open_moves if offer is not primary],
        "primary": primary,
        "take_tone": "quiet" if primary is not None else "primary",
        "denied": [offer for offer in offered if not offer.decision],
        "may_take": take,
        "may_edit": may(reader, "incident.update", ticket),
        "may_comment": may(reader, "incident.comment", ticket),
        "may_note": may(reader, "incident.note", ticket),
        "audience": _audience(ticket, reader),
    }


def _may_take(ticket: Incident, reader: User) -> Decision | None:
    """None where it is theirs already."""
    if ticket.assignee_id == reader.pk:
        return None
    return may(reader, "incident.work", ticket)


def _audience(ticket: Any, reader: User) -> str:
    """Who gets a reply: the caller, and how many others follow."""
    others = [one for one in ticket.watched_by if one["id"] not in (ticket.caller_id, reader.pk)]
    if not others:
        return str(ticket.caller.name)
    template = ngettext("%(name)s and %(n)s watcher", "%(name)s and %(n)s watchers", len(others))
    return template % {"name": ticket.caller.name, "n": len(others)}


def _files(ticket: Incident, notes: bool) -> list[Attachment]:
    if ticket.thread_id is None:
        return []
    return list(Attachment.objects.filter(thread_id=ticket.thread_id).readable(notes=notes))


def _clocks(rows: list[TicketClock], ticket: Incident) -> list[Clock]:
    return [_clock(reading, ticket) for reading in readings(rows, now())] if rows else []


def _clock(reading: Reading, ticket: Incident) -> Clock:
    row = reading.clock
    response = row.metric == TicketClock.Metric.RESPONSE
    label = str(_("Respond") if response else _("Resolve"))
    if row.stopped_at is not None:
        span = times.span(reading.elapsed_seconds)
        note = _("met in %(span)s") if reading.met else _("late, after %(span)s")
        tone = "met" if reading.met else "late"
        return Clock(row, label, reading.percent, tone, note % {"span": span}, False, reading.met)
    if reading.paused or row.due_at is None:
        return Clock(row, label, reading.percent, "paused", _pause_words(ticket), False, False)
    tone = "late" if reading.breached else "soon" if reading.percent >= SOON_PERCENT else ""
    return Clock(row, label, reading.percent, tone, "", True, False)


def why(clock: Clock) -> dict[str, Any]:
    """A clock's explanation for a table: its segments in words, and their sum."""
    told = explain(clock.row, now())
    labels = {
        SegmentKind.WORKED: _("Worked"),
        SegmentKind.PAUSED: _("Paused"),
        SegmentKind.REMAINING: _("Left"),
        SegmentKind.OVERDUE: _("Over"),
    }
    segments = [
        {
            "label": labels[segment.kind],
            "start": segment.start,
            "end": segment.end,
            "length": _counted(segment),
        }
        for segment in told.segments
    ]
    counted = told.total(SegmentKind.WORKED) + told.total(SegmentKind.REMAINING)
    return {
        "why": told,
        "segments": segments,
        "due_at": told.due_at,
        "total": _exact(counted),
        "special_days": [
            f"{times.day(day, weekday=True)} {special.name}".strip()
            for day, special in told.special_days
        ],
    }


def _counted(segment: Segment) -> str:
    """What it adds to the sum: a pause nothing, and what is over comes on top."""
    if segment.kind == SegmentKind.PAUSED:
        return "–"
    sign = "+" if segment.kind == SegmentKind.OVERDUE else ""
    return sign + _exact(segment.duration)


def _exact(length: timedelta) -> str:
    """Hours, minutes and seconds, so that the column adds up."""
    seconds = round(length.total_seconds())
    return f"{seconds // 3600}:{seconds % 3600 // 60:02}:{seconds % 60:02}"


def _pause_words(ticket: Incident) -> str:
    if ticket.state == State.RESOLVED:
        return _("Stopped: resolved")
    return _("Paused: %(reason)s") % {"reason": ticket.get_hold_reason_display() or _("on hold")}


def _links(ticket: Incident, reader: User) -> Iterable[Linked]:
    rows = list(
        Link.objects.filter(Q(source_id=ticket.pk) | Q(target_id=ticket.pk)).select_related(
            "source", "target"
        )[:50]
    )
    forward = dict(LinkType.choices)
    for row in rows:
        outward = row.source_id == ticket.pk
        other = row.target if outward else row.source
        label = forward[row.type] if outward else _BACKWARDS[row.type]
        kind = kinds.kind_of(other)
        state = kind.lifecycle.state(other.state).label
        # A number is no secret; what it is about is shown to those who may open it.
        hint = str(state) if _in_reach(other, reader) else ""
        yield Linked(str(label), other.number, kind.url(other), hint)


def _in_reach(other: Any, reader: User) -> bool:
    from spine.people.reach import reach_of
    from spine.people.roles import Right

    return reach_of(reader).has(Right.TICKETS_READ, other.organization_id)


def _references(ticket: Any) -> Iterable[Linked]:
    labels = {
        "caused_by": _("Caused by"),
        "problem": _("Problem"),
        "change": _("Change"),
        "item": _("Item"),
    }
    if ticket.external_id:
        yield Linked(_("Number there"), ticket.external_id, "", ticket.external_source)
    for row in ticket.referred_to:
        label = str(labels.get(row["relation"], row["relation"]))
        yield Linked(label, row["number"], "", row["source"])


def _others(ticket: Incident, scope: IncidentQuerySet) -> list[Incident]:
    """The caller's other open incidents: the next question is often about one of them."""
    return list(
        scope.filter(caller_id=ticket.caller_id, active=True)
        .exclude(pk=ticket.pk)
        .order_by("-opened_at", "-id")[: OTHERS_SHOWN + 1]
    )


def _category(ticket: Incident) -> str:
    if ticket.subcategory is not None:
        return category_path(ticket.subcategory)
    return str(ticket.category) if ticket.category is not None else ""


def latest_changes(ticket: Incident, count: int) -> list[Entry]:
    """The newest entries that changed the record's own fields, newest first."""
    return list(
        Entry.objects.for_target(ticket)
        .exclude(changes={})
        .order_by("-at", "-id")[: max(0, min(count, 20))]
    )


def authors_of(entries: Iterable[Entry]) -> dict[str, tuple[str, datetime]]:
    """{field: (who, when)} of its latest change."""
    authors: dict[str, tuple[str, datetime]] = {}
    for entry in entries:
        for name in entry.changes:
            authors.setdefault(name, (entry.actor_label, entry.at))
    return authors
