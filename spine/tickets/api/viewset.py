"""The collection of a kind of ticket: records, moves, comments, files, links, history, bulk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from spine.audit.models import Entry
from spine.kit.errors import DomainError
from spine.people.api import actor_of
from spine.people.models import User
from spine.people.policy import may
from spine.rest.operations import describes
from spine.rest.parsers import FormParser
from spine.rest.serializers import plan_for
from spine.rest.views import body_of
from spine.rest.viewsets import DETAIL_PARAMETERS, Creates, Updates
from spine.threads.models import Attachment, Comment
from spine.tickets import actions, kinds
from spine.tickets.api import bulk
from spine.tickets.api.shapes import (
    ATTACHMENTS,
    COMMENTS,
    EVENTS,
    LINKS,
    OFFERS,
    AttachmentSerializer,
    CommentSerializer,
    LinkSerializer,
    offer,
)
from spine.tickets.lifecycle import offers
from spine.tickets.models import HistoryEvent, Link, Ticket

SOURCE = "api"
# More than any record has; beyond it the oldest are told, so that the answer stays bounded.
EVENTS_MAX = 5000
UPLOAD: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "visibility": {"type": "string", "enum": ["public", "note"]},
    },
    "required": ["file"],
    "additionalProperties": False,
}


class TicketViewSet(Creates, Updates):
    """Base of a kind's collection. A kind names its code, serializers, filters, orderings, and
    the actions of its own app."""

    kind: ClassVar[str]
    number_column = "number"
    version_column = "version"

    def change(
        self, ticket: Any, *, actor: User, values: Mapping[str, Any], version: int | None
    ) -> Any:
        """The kind's update action."""
        raise NotImplementedError

    def open(self, *, actor: User, values: Mapping[str, Any]) -> Any:
        """The kind's create action."""
        raise NotImplementedError

    def move(
        self,
        ticket: Any,
        code: str,
        *,
        actor: User,
        values: Mapping[str, Any],
        version: int | None,
    ) -> Any:
        """The kind's move action."""
        raise NotImplementedError

    def say(
        self,
        ticket: Any,
        *,
        actor: User,
        body: str,
        visibility: str,
        files: Sequence[UploadedFile[bytes]] = (),
    ) -> Comment:
        """The kind's comment action."""
        raise NotImplementedError

    def create_record(self, request: Request, values: dict[str, Any]) -> Any:
        return self.open(actor=actor_of(request), values=values)

    def update_record(
        self, request: Request, current: Any, values: dict[str, Any], version: int | None
    ) -> Any:
        return self.change(current, actor=actor_of(request), values=values, version=version)

    # --- moves ----------------------------------------------------------------------------------

    @describes(gettext_lazy("Moves open to you now, and why the others are not"), response=OFFERS)
    @action(detail=True, methods=["get"])
    def moves(self, request: Request, key: str) -> Response:
        self.only_parameters(request)
        ticket = self.find(request, key)
        found = offers(kinds.get(self.kind).lifecycle, ticket, actor_of(request))
        rows = [offer(one.move, bool(one.decision), one.decision.reason) for one in found]
        return Response({"results": rows})

    @moves.mapping.post
    def make_move(self, request: Request, key: str) -> Response:
        self.only_parameters(request, DETAIL_PARAMETERS)
        self.plan(request)
        ticket = self.find(request, key)
        version = self.expected_version(request, ticket)
        code, values = bulk.split_move(body_of(request))
        self.move(ticket, code, actor=actor_of(request), values=values, version=version)
        return self.one(request, type(ticket)._default_manager.filter(pk=ticket.pk))

    # --- comments and files ---------------------------------------------------------------------

    @describes(gettext_lazy("Comments, and work notes for those who read them"), listed=COMMENTS)
    @action(detail=True, methods=["get"])
    def comments(self, request: Request, key: str) -> Response:
        ticket = self.find(request, key)
        rows = Comment.objects.filter(thread_id=ticket.thread_id or 0)
        return self.list_of(
            request, rows.readable(notes=self.reads_notes(request, ticket)), COMMENTS
        )

    @comments.mapping.post
    @describes(
        gettext_lazy("Write to the caller, or a work note"),
        request=CommentSerializer,
        response=CommentSerializer,
        status=201,
    )
    def add_comment(self, request: Request, key: str) -> Response:
        self.only_parameters(request)
        ticket = self.find(request, key)
        values = self.read_input(request, CommentSerializer)
        made = self.say(
            ticket,
            actor=actor_of(request),
            body=values["body"],
            visibility=values.get("visibility", Comment.Visibility.PUBLIC),
        )
        return self._made(request, CommentSerializer, Comment.objects.filter(pk=made.pk))

    @describes(gettext_lazy("Files"), listed=ATTACHMENTS)
    @action(detail=True, methods=["get"])
    def attachments(self, request: Request, key: str) -> Response:
        ticket = self.find(request, key)
        rows = Attachment.objects.filter(thread_id=ticket.thread_id or 0)
        return self.list_of(
            request, rows.readable(notes=self.reads_notes(request, ticket)), ATTACHMENTS
        )

    @attachments.mapping.post
    @describes(
        gettext_lazy("Attach a file"),
        request=UPLOAD,
        response=AttachmentSerializer,
        status=201,
        multipart=True,
    )
    def add_attachment(self, request: Request, key: str) -> Response:
        self.only_parameters(request)
        ticket = self.find(request, key)
        file, visibility = _upload(request)
        made = self.say(
            ticket, actor=actor_of(request), body="", visibility=visibility, files=[file]
        )
        return self._made(
            request, AttachmentSerializer, Attachment.objects.filter(comment_id=made.pk)
        )

    def get_parsers(self) -> list[Any]:
        # `self.action` is set only after the parsers were asked for; the map tells it before.
        request = getattr(self, "request", None)
        method = (request.method or "").lower() if request is not None else ""
        if self.action_map.get(method) == "add_attachment":
            return [FormParser()]
        return super().get_parsers()

    # --- links and history ----------------------------------------------------------------------

    @describes(gettext_lazy("Links to other tickets"), listed=LINKS)
    @action(detail=True, methods=["get"])
    def links(self, request: Request, key: str) -> Response:
        ticket = self.find(request, key)
        return self.list_of(request, self.linked(request, ticket), LINKS)

    @links.mapping.post
    @describes(
        gettext_lazy("Link to another ticket"),
        request=LinkSerializer,
        response=LinkSerializer,
        status=201,
    )
    def add_link(self, request: Request, key: str) -> Response:
        self.only_parameters(request)
        ticket = self.find(request, key)
        values = self.read_input(request, LinkSerializer)
        made = actions.link(ticket, values["target"], actor=actor_of(request), type=values["type"])
        return self._made(request, LinkSerializer, Link.objects.filter(pk=made.pk))

    def linked(self, request: Request, ticket: Ticket) -> QuerySet[Link]:
        """Links to tickets that this reader may see; the others' titles are not theirs to read."""
        visible = Ticket.objects.visible_to(actor_of(request))
        return Link.objects.filter(source_id=ticket.pk, target__in=visible)

    @describes(gettext_lazy("What happened, here and in the system it came from"), response=EVENTS)
    @action(detail=True, methods=["get"])
    def history(self, request: Request, key: str) -> Response:
        self.only_parameters(request)
        ticket = self.find(request, key)
        full = self.reads_notes(request, ticket)
        events = [*_imported(ticket, full), *_recorded(ticket, self.kind, full)]
        events.sort(key=lambda event: event["at"])
        return Response({"results": events[:EVENTS_MAX]})

    # --- bulk -----------------------------------------------------------------------------------

    def run_bulk(self, request: Request) -> Response:
        """Behind the kind's own `bulk` action, which describes its rows."""
        self.only_parameters(request, frozenset({"atomic"}))
        return Response(bulk.Batch(self, request).run())

    # --- helpers --------------------------------------------------------------------------------

    def reads_notes(self, request: Request, ticket: Ticket) -> bool:
        return bool(may(actor_of(request), f"{self.kind}.read_notes", ticket))

    def _made(self, request: Request, serializer: Any, rows: QuerySet[Any]) -> Response:
        record = plan_for(serializer).of_queryset(rows, request.user)[0]
        return Response(record, status=201)


def _upload(request: Request) -> tuple[UploadedFile[bytes], str]:
    data: Any = body_of(request)
    for name in data:
        if name not in ("file", "visibility"):
            raise DomainError("unknown_field", _("There is no such field."), str(name)[:100])
    files = data.getlist("file")
    if len(files) != 1 or not isinstance(files[0], UploadedFile):
        raise DomainError("required", _("Send one file, as the part named “file”."), "file")
    visibility = data.get("visibility", Comment.Visibility.PUBLIC)
    if visibility not in Comment.Visibility.values:
        raise DomainError("invalid_choice", _("There is no such choice."), "visibility")
    return files[0], str(visibility)


def _imported(ticket: Ticket, full: bool) -> list[dict[str, Any]]:
    """What another system recorded; those who read no work notes are told of states alone."""
    rows = HistoryEvent.objects.filter(ticket_id=ticket.pk).order_by("position")[:EVENTS_MAX]
    return [
        {
            "at": row.at,
            "actor": row.actor_label,
            "verb": row.verb,
            "changes": row.changes if full else _states(row.changes),
            "state": row.state_label,
            "imported": True,
        }
        for row in rows
        if full or "state" in row.changes
    ]


def _states(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: pair for name, pair in changes.items() if name == "state"}


def _recorded(ticket: Ticket, kind: str, full: bool) -> list[dict[str, Any]]:
    """Entries of the audit trail. Those who read no work notes are told of moves alone, without
    what was changed beside the state."""
    rows = Entry.objects.for_target(ticket)
    if not full:
        moves = kinds.get(kind).lifecycle.moves
        told = [f"{kind}.created", *(f"{kind}.{move.past}" for move in moves)]
        rows = rows.filter(verb__in=told)
    events = []
    for row in rows[:EVENTS_MAX]:
        changes = row.changes if full else {k: v for k, v in row.changes.items() if k == "state"}
        state = row.changes.get("state", ["", ""])[1] if isinstance(row.changes, dict) else ""
        events.append(
            {
                "at": row.at,
                "actor": row.actor_label,
                "verb": row.verb,
                "changes": changes,
                "state": state if isinstance(state, str) else "",
                "imported": False,
            }
        )
    return events
