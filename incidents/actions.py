"""The writers of incidents: pages, API, tasks, imports and mail all call these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from incidents.models import Incident
from spine.kit.errors import Conflict
from spine.outbox.operations import operation
from spine.people.models import User
from spine.threads.models import Comment
from spine.tickets import actions as tickets

KIND = "incident"


def open_incident(
    *,
    actor: User,
    values: Mapping[str, Any],
    files: Sequence[UploadedFile[bytes]] = (),
    source: str | None = None,
) -> Incident:
    """values: title (needed), description, impact, urgency, caller, service, category,
    subcategory, assignment_group, assignee, channel, custom."""
    return tickets.create(Incident, KIND, actor=actor, values=values, files=files, source=source)


def update_incident(
    incident: Incident,
    *,
    actor: User,
    values: Mapping[str, Any],
    expected_version: int | None = None,
    source: str | None = None,
) -> Incident:
    return tickets.update(
        incident, actor=actor, values=values, expected_version=expected_version, source=source
    )


def move_incident(
    incident: Incident,
    move: str,
    *,
    actor: User,
    values: Mapping[str, Any] | None = None,
    expected_version: int | None = None,
    source: str | None = None,
) -> Incident:
    return tickets.perform(
        incident,
        move,
        actor=actor,
        values=values,
        expected_version=expected_version,
        source=source,
    )


def comment_on(
    incident: Incident,
    *,
    actor: User,
    body: str,
    visibility: str = Comment.Visibility.PUBLIC,
    files: Sequence[UploadedFile[bytes]] = (),
    channel: str = "web",
    source: str | None = None,
) -> Comment:
    return tickets.comment(
        incident,
        actor=actor,
        body=body,
        visibility=visibility,
        files=files,
        channel=channel,
        source=source,
    )


def take(incident: Incident, *, actor: User, source: str | None = None) -> Incident:
    """Assigns it to oneself and starts the work where it has not begun.

    Refused if somebody else took it since `incident` was read: two who take at once, one has it.
    """
    with operation(actor, "incident.take", source=source):
        stored = tickets.lock(incident)
        if stored.assignee_id not in {None, actor.pk, incident.assignee_id}:
            taker = stored.assignee.name if stored.assignee else ""
            raise Conflict("taken", _("%(name)s has just taken it.") % {"name": taker}, "assignee")
        updated = tickets.update(stored, actor=actor, values={"assignee": actor}, source=source)
        if updated.state == "new":
            return tickets.perform(updated, "start", actor=actor, source=source)
        return updated
