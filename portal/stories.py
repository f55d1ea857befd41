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


def _moments() -> dict[str, tuple[str, str]]:
    """{audit verb: (sentence, icon)}; what is not here is not the caller's concern."""
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
    """Comments and moments in time order: {kind: comment|event, at, ...} as the includes take."""
    items = [*_comments(ticket, reader), *_events(ticket)]
    if ticket.state in {"resolved", "closed"} and ticket.close_notes:
        items.append(_solution(ticket))
    return sorted(items, key=lambda item: item["at"])


def _comments(ticket: Incident, reader: User) -> list[dict[str, Any]]:
    if ticket.thread_id is None:
        return []
    comments = Comment.objects.filter(thread_id=ticket.thread_id).readable(notes=False)
    made = []
    for comment in comments.for_timeline():
        files = [file for file in comment.attachments.all() if not file.internal]
        made.append(
            {
                "kind": "comment",
                "at": comment.created_at,
                "author": comment.author.name,
                "mine": comment.author_id == reader.pk,
                "html": render(comment.body, attachments=urls(files), portal=True),
                "files": file_rows(files),
            }
        )
    return made


def _events(ticket: Incident) -> list[dict[str, Any]]:
    words = _moments()
    entries = Entry.objects.for_target(ticket).filter(verb__in=list(words)).order_by("at", "id")
    return [
        {
            "kind": "event",
            "at": entry.at,
            "actor": entry.actor_label,
            "text": words[entry.verb][0],
            "icon": words[entry.verb][1],
        }
        for entry in entries
    ]


def _solution(ticket: Incident) -> dict[str, Any]:
    labels = dict(CloseCode.choices)
    at: datetime = ticket.resolved_at or ticket.closed_at or ticket.updated_at
    return {
        "kind": "comment",
        "at": at,
        "author": ticket.resolved_by.name if ticket.resolved_by else _("Service desk"),
        "solution": True,
        "role": labels.get(ticket.close_code, ""),
        "html": render(ticket.close_notes, attachments={}, portal=True),
        "files": [],
    }


def first_words(ticket: Incident) -> dict[str, Any]:
    """The description as HTML, and the files that came with the report."""
    files: list[Attachment] = []
    if ticket.thread_id is not None:
        files = list(
            Attachment.objects.filter(thread_id=ticket.thread_id, comment__isnull=True).readable(
                notes=False
            )
        )
    return {
        "description_html": render(ticket.description, attachments=urls(files), portal=True),
        "files": file_rows(files),
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
