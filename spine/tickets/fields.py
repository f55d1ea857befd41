"""Which of Ticket's fields a person or a program may set, and what each must look like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from spine.kit.errors import DomainError, InvalidInput
from spine.people.models import Organization, Team, User
from spine.services.models import Service
from spine.tickets.models import Category, Channel, Impact, Priority, Ticket, Urgency

# Set at creation only; afterwards who asked and by which way does not change.
CREATE_ONLY = frozenset({"channel", "organization"})
EDITABLE = frozenset(
    {
        "title",
        "description",
        "impact",
        "urgency",
        "priority",
        "priority_reason",
        "caller",
        "assignment_group",
        "assignee",
        "service",
        "category",
        "subcategory",
        "custom",
    }
)
# Compared on every write: what the timeline tells and the clocks follow.
TRACKED = EDITABLE | {"state", "hold_reason", "follow_up_at"}

_REFERENCES: dict[str, type[Any]] = {
    "caller": User,
    "assignee": User,
    "assignment_group": Team,
    "service": Service,
    "category": Category,
    "subcategory": Category,
    "organization": Organization,
}
_CHOICES: dict[str, frozenset[Any]] = {
    "impact": frozenset(Impact.values),
    "urgency": frozenset(Urgency.values),
    "priority": frozenset(Priority.values),
    "channel": frozenset(Channel.values),
}
_NULLABLE = frozenset({"assignment_group", "assignee", "service", "category", "subcategory"})
TITLE_MAX = 255
DESCRIPTION_MAX = 100_000
CUSTOM_MAX_BYTES = 64_000


def check_fields(
    kind: str,
    values: Mapping[str, Any],
    *,
    creating: bool = False,
    current: Ticket | None = None,
) -> dict[str, Any]:
    """The values, checked and stripped. Raises InvalidInput that names every wrong field."""
    errors: list[DomainError] = []
    allowed = EDITABLE | CREATE_ONLY if creating else EDITABLE
    cleaned: dict[str, Any] = {}
    for name, value in values.items():
        if name not in allowed:
            errors.append(DomainError("unknown_field", _("There is no such field."), name))
            continue
        try:
            cleaned[name] = _check(name, value)
        except DomainError as error:
            errors.append(error)
    if creating and "title" not in values:
        errors.append(DomainError("required", _("This is needed."), "title"))
    if creating and "channel" not in values:
        cleaned["channel"] = Channel.API
    if not errors:
        errors = _check_categories(kind, cleaned, current)
    if errors:
        raise InvalidInput(errors)
    return cleaned


def _check(name: str, value: Any) -> Any:
    if name in _REFERENCES:
        return _reference(name, value)
    if name in _CHOICES:
        if isinstance(value, bool) or value not in _CHOICES[name]:
            raise DomainError("invalid_choice", _("There is no such choice."), name)
        return value
    if name == "custom":
        return _custom(value)
    limit = {"title": TITLE_MAX, "priority_reason": 300}.get(name, DESCRIPTION_MAX)
    return _text(name, value, limit, required=name == "title")


def _reference(name: str, value: Any) -> Any:
    if value is None and name in _NULLABLE:
        return None
    if value is None:
        raise DomainError("required", _("This is needed."), name)
    if not isinstance(value, _REFERENCES[name]):
        raise DomainError("unknown_reference", _("There is no such record."), name)
    if isinstance(value, User) and (value.is_system or not value.is_active):
        raise DomainError("inactive", _("This person has left."), name)
    return value


def _text(name: str, value: Any, limit: int, *, required: bool) -> str:
    if not isinstance(value, str):
        raise DomainError("invalid", _("This is a text."), name)
    if "\x00" in value:
        raise DomainError("invalid", _("The text holds a NUL character."), name)
    value = value.strip()
    if required and not value:
        raise DomainError("required", _("This is needed."), name)
    if len(value) > limit:
        raise DomainError("too_long", _("At most %(count)d characters.") % {"count": limit}, name)
    return " ".join(value.split()) if name == "title" else value


def _custom(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DomainError("invalid", _("Custom fields are an object."), "custom")
    text = json.dumps(value)
    if len(text) > CUSTOM_MAX_BYTES or "\\u0000" in text:
        raise DomainError("invalid", _("The custom fields can't be stored."), "custom")
    return value


def _check_categories(
    kind: str, cleaned: dict[str, Any], current: Ticket | None
) -> list[DomainError]:
    """A subcategory belongs to its category; a new category lets a strange subcategory go."""
    category = cleaned.get("category", current.category if current else None)
    subcategory = cleaned.get("subcategory", current.subcategory if current else None)
    for name in ("category", "subcategory"):
        value = cleaned.get(name)
        if value is not None and (
            value.kind != kind or (value.parent_id is None) != (name == "category")
        ):
            return [DomainError("invalid_choice", _("There is no such choice."), name)]
    if subcategory is None or (category and subcategory.parent_id == category.pk):
        return []
    if "subcategory" in cleaned:
        if category is None:
            cleaned["category"] = subcategory.parent
            return []
        return [
            DomainError(
                "invalid_choice",
                _("This subcategory belongs to another category."),
                "subcategory",
            )
        ]
    cleaned["subcategory"] = None
    return []


def parse_moment(value: Any, field: str) -> datetime:
    """An aware moment from ISO 8601 text or a datetime."""
    from django.utils.dateparse import parse_datetime

    if isinstance(value, str):
        try:
            value = parse_datetime(value)
        except ValueError:
            value = None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise DomainError("invalid", _("This is a date and time with its zone."), field)
    return value
