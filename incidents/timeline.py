"""The incident's story in words: comments, the audit trail, SLA stages, imported history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from incidents.lifecycle import LIFECYCLE
from incidents.listing import FILTERABLE
from incidents.models import CloseCode, Incident
from spine.audit.models import Entry
from spine.audit.personal import reveal
from spine.people.models import User
from spine.threads.markdown import render
from spine.threads.models import Attachment, Comment
from spine.tickets.models import (
    Channel,
    HistoryEvent,
    HoldReason,
    Impact,
    LinkType,
    TicketClock,
    Urgency,
)
from spine.ui import times
from spine.ui.timeline import Change, Item, Story, story

PAGE = 50
MOST = 1000
_CHOICES: Mapping[str, Mapping[Any, Any]] = {
    "impact": dict(Impact.choices),
    "urgency": dict(Urgency.choices),
    "priority": {value: f"P{value}" for value in range(1, 6)},
    "channel": dict(Channel.choices),
    "close_code": dict(CloseCode.choices),
    "hold_reason": dict(HoldReason.choices),
    "state": {one.code: one.label for one in LIFECYCLE.states},
}
# Told by the sentence itself, by a message of their own, or of no interest to a reader.
_SILENT = frozenset(
    {
        "state", "close_notes", "close_code", "resolved_at", "closed_at", "confirmed_at",
        "resolved_by", "reopen_count", "reassignment_count", "hold_reason", "follow_up_at",
        "assignee", "assignment_group", "description", "custom", "priority_reason",
    }
)  # fmt: skip
_PAST: Mapping[str, tuple[Any, str, str]] = {
    # verb -> (words, icon, tone)
    "started": (gettext_lazy("began work"), "play", ""),
    "held": (gettext_lazy("put it on hold"), "pause", ""),
    "resolved": (gettext_lazy("resolved it"), "check", "ok"),
    "confirmed": (gettext_lazy("said that it helped"), "thumb-up", "ok"),
    "reopened": (gettext_lazy("reopened it"), "undo", "warn"),
    "closed": (gettext_lazy("closed it"), "archive", ""),
    "canceled": (gettext_lazy("canceled it"), "x", ""),
    "watched": (gettext_lazy("follows it"), "eye", ""),
    "unwatched": (gettext_lazy("no longer follows it"), "eye-off", ""),
    "imported": (gettext_lazy("imported it"), "import", ""),
    "attached": (gettext_lazy("attached a file"), "attach", ""),
}


def build(
    ticket: Incident, reader: User, *, notes: bool, clocks: Iterable[TicketClock],
    files: Iterable[Attachment], limit: int = PAGE,
) -> Story:  # fmt: skip
    """files: those of the thread that this reader may see; clocks with their `reached` stages."""
    limit = min(limit, MOST)
    by_comment: dict[int, list[Attachment]] = {}
    for file in files:
        if file.comment_id is not None:
            by_comment.setdefault(file.comment_id, []).append(file)
    return story(
        (
            _comments(ticket, reader, notes, by_comment, limit),
            _entries(ticket, limit),
            _stages(clocks),
            _history(ticket, limit),
        ),
        limit,
    )


def file_rows(files: Iterable[Attachment]) -> tuple[dict[str, Any], ...]:
    """As `ui/attachments.html` takes them."""
    rows = []
    for file in files:
        url = reverse("attachment", args=[file.uuid])
        thumb = url if file.is_image else ""
        rows.append({"name": file.name, "size": file.size, "url": url, "thumb_url": thumb})
    return tuple(rows)


def file_urls(files: Iterable[Attachment]) -> dict[str, str]:
    """{name: address} of those that `attachment:name` in Markdown may show."""
    return {file.name: reverse("attachment", args=[file.uuid]) for file in files}


def _comments(
    ticket: Incident, reader: User, notes: bool, files: Mapping[int, list[Attachment]], limit: int
) -> Iterable[Item]:
    if ticket.thread_id is None:
        return
    rows = (
        Comment.objects.filter(thread_id=ticket.thread_id)
        .readable(notes=notes)
        .select_related("author")
        .order_by("-created_at", "-id")[: limit + 1]
    )
    channels = dict(Channel.choices)
    for comment in rows:
        own = files.get(comment.pk, [])
        by = str(channels.get(comment.channel, ""))
        role = _("caller") if comment.author_id == ticket.caller_id else ""
        if comment.automatic:
            role = _("automatic")
        body, shown = comment.body, file_urls(own)
        yield Item(
            "message", f"c{comment.pk}", comment.created_at, comment.author.name,
            html=render(body, attachments=shown),
            note=comment.visibility == Comment.Visibility.NOTE,
            mine=comment.author_id == reader.pk,
            role=" · ".join(part for part in (role, by) if part),
            # A picture that stands in the text needs no row of its own.
            files=file_rows(f for f in own if f"attachment:{f.name}" not in body),
        )  # fmt: skip


def _entries(ticket: Incident, limit: int) -> Iterable[Item]:
    rows = list(
        Entry.objects.for_target(ticket)
        .exclude(verb="incident.commented")
        .order_by("-at", "-id")[: limit + 1]
    )
    reveal(rows)
    for entry in rows:
        item = _entry(entry)
        if item is not None:
            yield item


def _entry(entry: Entry) -> Item | None:
    past = entry.verb.rpartition(".")[2]
    key = f"a{entry.pk}"
    changes = change_rows(entry.changes)
    if entry.outside:
        said = _("changed outside the application")
        return Item("event", key, entry.at, "", 1, (said,), changes, "alert", "bad", together=False)
    if past == "resolved" and _new(entry, "close_notes"):
        return _solution(entry, key)
    texts, icon, tone = _words(entry, past)
    texts = (*texts, *_assignment(entry))
    if not texts and not changes:
        return None
    return Item("event", key, entry.at, entry.actor_label, 1, texts, changes, icon, tone)


def _words(entry: Entry, past: str) -> tuple[tuple[str, ...], str, str]:
    if past == "created":
        label = _CHOICES["channel"].get(entry.data.get("channel"), "")
        return (_("reported it"), str(label)) if label else (_("reported it"),), "send", ""
    if past == "updated":
        silent = [name for name in entry.changes if name in ("description", "custom")]
        return (_("changed the description"),) if "description" in silent else (), "edit", ""
    if past == "resumed":
        by_itself = entry.source == "task"
        words = _("the follow-up time came, back to work") if by_itself else _("took it up again")
        return (words,), "sunrise" if by_itself else "play", ""
    if past == "linked":
        kind = dict(LinkType.choices).get(entry.data.get("type", ""), "")
        return (_("linked it"), f"{kind} {entry.data.get('number', '')}"), "link", ""
    if past == "closed" and entry.source == "task":
        return (_("closed it by itself: no more word from the caller"),), "archive", ""
    words, icon, tone = _PAST.get(past, ("", "dot", ""))
    more = []
    if past == "held":
        more.append(str(_CHOICES["hold_reason"].get(_new(entry, "hold_reason"), "")))
        if wakes := _moment(_new(entry, "follow_up_at")):
            more.append(_("wakes %(when)s") % {"when": times.when(wakes)})
    if past == "canceled":
        more.append(str(_new(entry, "close_notes") or ""))
    if past in {"watched", "unwatched"} and entry.data.get("user"):
        more.append(f"@{entry.data['user']}")
    return tuple(text for text in (str(words), *more) if text), icon, tone


def _solution(entry: Entry, key: str) -> Item:
    """What was done is a message: the caller reads it as one."""
    code = _CHOICES["close_code"].get(_new(entry, "close_code"), _new(entry, "close_code"))
    return Item(
        "message", key, entry.at, entry.actor_label, 1,
        html=render(str(_new(entry, "close_notes"))), solution=True, role=str(code or ""),
    )  # fmt: skip


def _assignment(entry: Entry) -> tuple[str, ...]:
    texts = []
    group = entry.changes.get("assignment_group")
    if group:
        to = _name(group[1])
        texts.append(
            _("handed it to %(team)s") % {"team": to} if to else _("took it out of its team")
        )
    person = entry.changes.get("assignee")
    if person:
        to = _name(person[1])
        if to and to == entry.actor_label:
            texts.append(_("took it"))
        elif to:
            texts.append(_("gave it to %(person)s") % {"person": to})
        else:
            texts.append(_("took the assignee off"))
    return tuple(texts)


def change_rows(changes: Mapping[str, Any], *, everything: bool = False) -> tuple[Change, ...]:
    """{field: [old, new]} in words. everything: also what a sentence usually tells."""
    rows = []
    for name, pair in changes.items():
        if (name in _SILENT and not everything) or not isinstance(pair, list) or len(pair) != 2:
            continue
        known = FILTERABLE.get(name)
        label = str(known.label).lower() if known else name.replace("_", " ")
        note = ""
        if name == "priority" and not everything:
            by_hand = bool((changes.get("priority_reason") or ["", ""])[1])
            note = _("by hand") if by_hand else _("by the matrix")
        rows.append(Change(label, _value(name, pair[0]), _value(name, pair[1]), note))
    return tuple(rows)


def _value(name: str, value: Any) -> str:
    if value in (None, ""):
        return ""
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, dict):
        return str(_("erased")) if value.get("erased") else _name(value)
    known = _CHOICES.get(name, {})
    if value in known:
        return str(known[value])
    if moment := _moment(value):
        return times.when(moment)
    text = str(value)
    return text if len(text) <= 120 else text[:119] + "…"


def _name(value: Any) -> str:
    return str(value.get("name", "")) if isinstance(value, dict) else str(value or "")


def _new(entry: Entry, name: str) -> Any:
    pair = entry.changes.get(name)
    return pair[1] if isinstance(pair, list) and len(pair) == 2 else None


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str) or len(value) < 19 or "T" not in value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _stages(clocks: Iterable[TicketClock]) -> Iterable[Item]:
    for clock in clocks:
        response = clock.metric == TicketClock.Metric.RESPONSE
        for stage in clock.reached.all():
            over = stage.percent >= 100
            if over:
                said = _("The time to respond is over") if response else _(
                    "The time to resolve is over"
                )  # fmt: skip
            else:
                template = _("%(n)s%% of the time to respond is used") if response else _(
                    "%(n)s%% of the time to resolve is used"
                )  # fmt: skip
                said = template % {"n": stage.percent}
            yield Item(
                "event", f"s{stage.pk}", stage.due_at, "", 2, (said,), (),
                "alarm" if over else "clock", "bad" if over else "warn", together=False,
            )  # fmt: skip
        if response and clock.stopped_at is not None and clock.breached_at is None:
            said = _("Answered in time, %(span)s after it was opened") % {
                "span": times.span((clock.stopped_at - clock.started_at).total_seconds())
            }
            yield Item("event", f"m{clock.pk}", clock.stopped_at, "", 3, (said,), (), "check", "ok",
                       together=False)  # fmt: skip


def _history(ticket: Incident, limit: int) -> Iterable[Item]:
    """What another system recorded, in its own words."""
    if not ticket.external_source:
        return
    for event in HistoryEvent.objects.filter(ticket_id=ticket.pk).order_by("-position")[
        : limit + 1
    ]:
        said = (event.state_label,) if event.state_label else (event.verb,) if event.verb else ()
        yield Item(
            "event", f"h{event.pk}", event.at, event.actor_label, 0, said,
            change_rows(event.changes, everything=True), "history",
        )  # fmt: skip


def changed_words(entry: Entry) -> SafeString:
    """One entry as a line of a notice."""
    item = _entry(entry)
    rows = change_rows(entry.changes)
    parts = [item.text] if item is not None and item.text else []
    parts += [f"{row.label} {row.before or '–'} → {row.after or '–'}" for row in rows]
    return format_html("<b>{}</b> {} · {}", entry.actor_label, " · ".join(parts),
                       times.when(entry.at))  # fmt: skip
