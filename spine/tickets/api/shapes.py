"""What hangs on a ticket, as the API shows it: comments, attachments, links, events, moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from spine.kit.keyset import Orderings
from spine.people.api import UserRef
from spine.rest.fields import (
    NO_NUL,
    NOT_BLANK,
    BatchField,
    BooleanField,
    ChoiceField,
    ComputedField,
    IntegerField,
    MomentField,
    TextField,
)
from spine.rest.operations import ListOf
from spine.rest.serializers import StrictSerializer
from spine.threads.models import Attachment, Comment
from spine.tickets.api.references import TicketRef
from spine.tickets.lifecycle import Lifecycle, Move, Value
from spine.tickets.models import LinkType


class AttachmentSerializer(StrictSerializer):
    id = TextField(source="uuid", read_only=True)
    name = TextField(read_only=True)
    content_type = TextField(read_only=True)
    size = IntegerField(read_only=True, help_text=_("Bytes."))
    sha256 = TextField(read_only=True)
    internal = BooleanField(read_only=True)
    uploaded_by = UserRef(read_only=True, expand="")
    created_at = MomentField(read_only=True)
    url = ComputedField(
        ("uuid",),
        lambda uuid: f"/api/v1/attachments/{uuid}/content/",
        {"type": "string", "format": "uri-reference"},
    )


def _files(
    ids: Sequence[Any], _user: Any, _memo: dict[str, Any]
) -> Mapping[Any, list[dict[str, Any]]]:
    found: dict[Any, list[dict[str, Any]]] = {}
    rows = Attachment.objects.filter(comment_id__in=ids).order_by("id")
    for row in rows.values("comment_id", "uuid", "name", "size"):
        found.setdefault(row["comment_id"], []).append(
            {"id": row["uuid"], "name": row["name"], "size": row["size"]}
        )
    return found


class CommentSerializer(StrictSerializer):
    id = TextField(source="uuid", read_only=True)
    body = TextField(help_text=_("Markdown."))
    visibility = ChoiceField(choices=Comment.Visibility.choices, required=False)
    author = UserRef(read_only=True, expand="")
    automatic = BooleanField(read_only=True)
    channel = TextField(read_only=True)
    created_at = MomentField(read_only=True)
    attachments = BatchField(
        "pk",
        _files,
        {"type": "array", "items": {"type": "object"}},
        empty=list,
        help_text=_("Files that came with it."),
    )


class LinkSerializer(StrictSerializer):
    type = ChoiceField(choices=LinkType.choices)
    target = TicketRef()
    created_by = UserRef(read_only=True, expand="")
    created_at = MomentField(read_only=True)


BY_TIME = Orderings({"created_at": ("created_at", "id"), "-created_at": ("-created_at", "-id")})
COMMENTS = ListOf(CommentSerializer, BY_TIME)
ATTACHMENTS = ListOf(AttachmentSerializer, BY_TIME)
LINKS = ListOf(LinkSerializer, BY_TIME)

EVENTS: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "at": {"type": "string", "format": "date-time"},
                    "actor": {"type": "string"},
                    "verb": {"type": "string"},
                    "changes": {"type": "object"},
                    "state": {"type": "string"},
                    "imported": {"type": "boolean"},
                },
                "required": ["at", "actor", "verb", "changes", "state", "imported"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["results"],
    "additionalProperties": False,
}
OFFERS: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "move": {"type": "string"},
                    "label": {"type": "string"},
                    "target": {"type": "string"},
                    "allowed": {"type": "boolean"},
                    "reason": {"type": "string"},
                    "values": {"type": "array", "items": {"type": "object"}},
                },
                "required": ["move", "label", "target", "allowed", "reason", "values"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["results"],
    "additionalProperties": False,
}


def moves_schema(lifecycle: Lifecycle) -> dict[str, Any]:
    """The body of POST moves/: one shape for each move of the lifecycle."""
    return {"oneOf": [move_schema(move) for move in lifecycle.moves]}


def move_schema(move: Move) -> dict[str, Any]:
    properties: dict[str, Any] = {"move": {"type": "string", "const": move.code}}
    properties |= {value.name: _value_schema(value) for value in move.values}
    return {
        "type": "object",
        "title": str(move.label),
        "properties": properties,
        "required": ["move", *(value.name for value in move.values if value.required)],
        "additionalProperties": False,
    }


def _value_schema(value: Value) -> dict[str, Any]:
    if value.kind == "choice" and value.choices is not None:
        return {"type": "string", "enum": [code for code, _label in value.choices()]}
    if value.kind == "datetime":
        return {"type": "string", "format": "date-time"}
    pattern = NOT_BLANK if value.required else NO_NUL
    return {"type": "string", "maxLength": value.max_length, "pattern": pattern}


def offer(move: Move, allowed: bool, reason: str) -> dict[str, Any]:
    """A move as GET moves/ tells of it."""
    return {
        "move": move.code,
        "label": str(move.label),
        "target": move.target,
        "allowed": allowed,
        "reason": reason,
        "values": [
            {
                "name": value.name,
                "label": str(value.label),
                "kind": value.kind,
                "required": value.required,
                **(
                    {"choices": [[code, str(label)] for code, label in value.choices()]}
                    if value.choices
                    else {}
                ),
            }
            for value in move.values
        ],
    }
