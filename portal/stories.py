"""What happened to a ticket, as its caller may read it: public words and the great moments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from incidents.models import CloseCode, Incident
from spine.audit.models import Entry
from spine.people.models import User
from spine.threads.markdown import render
from spine.threads.models import Attachment, Comment
from spine.tickets.models import HoldReason


def _moments() -> dict[str, tuple[str, str]]:
    """{audit verb: (what somebody did, icon)}; what is not here is not the caller's concern."""
    return {
        "incident.created": (_("reported it"), "send"),
        "incident.started": (_("began work"), "play"),
        "incident.resumed": (_("went back to work"), "play"),
        "incident.held": (_("put it on hold"), "pause"),
        "incident.resolved": (_("solved it"), "check"),
        "incident.reopened": (_("opened it again"), "undo"),
        "incident.confirmed": (_("said that it helped"), "thumb-up"),
        "incident.closed": (_("closed it"), "archive"),
        "incident.canceled": (_("canceled it"), "x"),
    }


def story_of(ticket: Incident, reader: User) -> list[dict[str, Any]]:
    """The report, comments and moments in time order: {kind: comment|event, at, ...} as the
    includes take them."""
    files = _files(ticket)
    first = _report(ticket, reader, files)
    items = [
        *_comments(ticket, reader, files),
        *_events(ticket, reader, files, told=bool(first)),
    ]
    return [*first, *sorted(items, key=lambda item: item["at"])]


def _name(person: User, reader: User) -> str:
    return _("You") if person.pk == reader.pk else person.name


def _files(ticket: Incident) -> list[Attachment]:
    """Every file of the ticket that is not internal."""
    if ticket.thread_id is None:
        return []
    files = Attachment.objects.filter(thread_id=ticket.thread_id).readable(notes=False)
    return [file for file in files.select_related("comment") if _is_public(file)]


def _is_public(file: Attachment) -> bool:
    comment = file.comment
    return comment is None or comment.visibility == Comment.Visibility.PUBLIC


def _report(ticket: Incident, reader: User, files: list[Attachment]) -> list[dict[str, Any]]:
    """The words and files it began with; none where there was a title alone."""
    came_with = [file for file in files if file.comment_id is None]
    if not ticket.description and not came_with:
        return []
    opener = ticket.opened_by
    role = ""
    if ticket.caller_id != ticket.opened_by_id:
        name = _("you") if ticket.caller_id == reader.pk else ticket.caller.name
        role = _("for %(name)s") % {"name": name}
    return [
        {
            "kind": "comment",
            "id": "report",
            "at": ticket.opened_at,
            "author": _name(opener, reader),
            "person": opener.name,
            "role": role,
            "mine": opener.pk == reader.pk,
            "html": render(ticket.description, attachments=urls(files), portal=True),
            "files": file_rows(came_with),
        }
    ]


def _comments(ticket: Incident, reader: User, files: list[Attachment]) -> list[dict[str, Any]]:
    if ticket.thread_id is None:
        return []
    addresses = urls(files)
    by_comment: dict[int, list[Attachment]] = {}
    for file in files:
        if file.comment_id is not None:
            by_comment.setdefault(file.comment_id, []).append(file)
    comments = Comment.objects.filter(thread_id=ticket.thread_id).readable(notes=False)
    return [
        {
            "kind": "comment",
            "id": f"comment-{comment.uuid}",
            "at": comment.created_at,
            "author": _name(comment.author, reader),
            "person": comment.author.name,
            "mine": comment.author_id == reader.pk,
            "html": render(comment.body, attachments=addresses, portal=True),
            "files": file_rows(by_comment.get(comment.pk, [])),
        }
        for comment in comments.select_related("author").order_by("created_at", "id")
    ]


def _events(
    ticket: Incident, reader: User, files: list[Attachment], *, told: bool
) -> list[dict[str, Any]]:
    """told: the report itself stands above, so that nobody need be told that it was made."""
    words = _moments()
    entries = Entry.objects.for_target(ticket, since=ticket.opened_at)
    made: list[dict[str, Any]] = []
    solved = False
    for entry in entries.filter(verb__in=list(words)):
        if told and entry.verb == "incident.created":
            continue
        actor = _("You") if entry.actor_id == reader.pk else entry.actor_label or _("Somebody")
        text, icon = words[entry.verb]
        if entry.verb == "incident.resolved":
            solved = True
            made.append(_solution(ticket, files, entry=entry, author=actor))
            continue
        if entry.verb == "incident.held" and _new(entry, "hold_reason") == HoldReason.CALLER:
            text, icon = _("waits for an answer"), "chat"
        if entry.verb == "incident.canceled" and ticket.close_notes:
            text = _("canceled it: %(reason)s") % {"reason": ticket.close_notes}
        made.append({"kind": "event", "at": entry.at, "actor": actor, "text": text, "icon": icon})
    if not solved and ticket.state in {"resolved", "closed"} and ticket.close_notes:
        solver = ticket.resolved_by
        author = _name(solver, reader) if solver else _("Service desk")
        made.append(_solution(ticket, files, entry=None, author=author))
    return made


def _new(entry: Entry, field: str) -> Any:
    """What the field became; None where it did not change."""
    pair = entry.changes.get(field)
    return pair[1] if isinstance(pair, list) and len(pair) == 2 else None


def _solution(
    ticket: Incident, files: list[Attachment], *, entry: Entry | None, author: str
) -> dict[str, Any]:
    """What was done, as it was said then (a second attempt says it anew); entry: None for a
    ticket whose life was elsewhere."""
    notes = (_new(entry, "close_notes") if entry else None) or ticket.close_notes
    code = (_new(entry, "close_code") if entry else None) or ticket.close_code
    at: datetime = ticket.resolved_at or ticket.closed_at or ticket.updated_at
    return {
        "kind": "comment",
        "id": f"solution-{entry.pk}" if entry else "solution",
        "at": entry.at if entry else at,
        "author": author,
        "person": entry.actor_label if entry else author,
        "solution": True,
        # That a solution was provided is what the box says already.
        "role": "" if code == CloseCode.SOLUTION else dict(CloseCode.choices).get(code, ""),
        "html": render(notes, attachments=urls(files), portal=True),
        "files": [],
    }


def urls(files: list[Attachment]) -> dict[str, str]:
    """{name: address} for `attachment:name` in Markdown."""
    return {file.name: reverse("attachment", args=[file.uuid]) for file in files}


def file_rows(files: list[Attachment]) -> list[dict[str, Any]]:
    """As `ui/attachments.html` takes them."""
    rows = []
    for file in files:
        address = reverse("attachment", args=[file.uuid])
        rows.append(
            {
                "name": file.name,
                "size": file.size,
                "url": address,
                "thumb_url": address if file.is_image else "",
            }
        )
    return rows
