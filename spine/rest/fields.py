"""Fields that take exactly the JSON type they name, and references between records.

A field reads from `columns` (paths that a `.values()` query selects) through `build`, so that a
list is rendered from plain rows, without a model instance or a field call per value.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, ClassVar

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

WRONG_TYPE = "wrong_type"
# JSON Schema's patterns: no NUL; and, where blanks alone are refused, one other character.
NO_NUL = "^[^\\u0000]*$"
NOT_BLANK = "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$"
TEXT_MAX = 100_000
REFERENCE_MAX = 500
CODE = "^[A-Za-z0-9_-]+$"
MEMBER_NAME_MAX = 100
MEMBER_TEXT_MAX = 10_000
MEMBERS_MAX = 200
# Within it every reader keeps an integer exact.
NUMBER_MAX = 10**15
INTEGER_MIN, INTEGER_MAX = -(2**31), 2**31 - 1


class TextField(serializers.CharField):
    """A JSON string; a number is not silently turned into one."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        WRONG_TYPE: _("Give a text."),
        "max_length": _("At most {max_length} characters."),
    }

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", TEXT_MAX)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail(WRONG_TYPE)
        # As it was sent: the schema's length knows of no trimming.
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        text: str = super().to_internal_value(data)
        return text

    def json_schema(self, *, reading: bool) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string"}
        if not reading:
            schema["pattern"] = NO_NUL if self.allow_blank else NOT_BLANK
            if self.max_length is not None:
                schema["maxLength"] = self.max_length
        return schema


class CodeField(TextField):
    """A short name for programs: letters, digits, hyphens, underscores."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "bad_code": _("Give letters, digits, hyphens and underscores only."),
    }

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not re.fullmatch(CODE, data):
            self.fail("bad_code")
        return text

    def json_schema(self, *, reading: bool) -> dict[str, Any]:
        schema = super().json_schema(reading=reading)
        return schema if reading else {**schema, "pattern": CODE}


class IntegerField(serializers.IntegerField):
    """A JSON integer of 32 bits unless other bounds are given; no text, no true."""

    default_error_messages: ClassVar[dict[str, Any]] = {WRONG_TYPE: _("Give a whole number.")}

    def __init__(self, **options: Any) -> None:
        options.setdefault("min_value", INTEGER_MIN)
        options.setdefault("max_value", INTEGER_MAX)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> int:
        # 2.0 is the same number as 2 to JSON, and an integer to JSON Schema.
        if isinstance(data, float) and data.is_integer():
            data = int(data)
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail(WRONG_TYPE)
        return int(data)

    def json_schema(self, *, reading: bool) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "integer"}
        if not reading:
            schema |= {"minimum": self.min_value, "maximum": self.max_value}
        return schema


class BooleanField(serializers.BooleanField):
    """true or false."""

    default_error_messages: ClassVar[dict[str, Any]] = {WRONG_TYPE: _("Give true or false.")}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail(WRONG_TYPE)
        return bool(data)

    def json_schema(self, *, reading: bool) -> dict[str, Any]:
        return {"type": "boolean"}


class MomentField(serializers.DateTimeField):
    """An ISO 8601 time with its offset; UTC with `Z` when read."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        WRONG_TYPE: _("Give a time such as 2026-01-31T09:00:00Z."),
        "no_zone": _("Give the time with its offset, such as 2026-01-31T09:00:00Z."),
    }

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str):
            self.fail(WRONG_TYPE)
        try:
            moment = datetime.fromisoformat(value.strip().upper())
        except ValueError:
            self.fail(WRONG_TYPE)
        if moment.tzinfo is None:
            self.fail("no_zone")
        if not 1 < moment.year < 9999:
            self.fail(WRONG_TYPE)
        return moment

    def json_schema(self, *, reading: bool) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


class DateField(serializers.DateField):
    """An ISO 8601 date."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        WRONG_TYPE: _("Give a date such as 2026-01-31.")
    }

    def to_internal_value(self, value: Any) -> date:
        if not isinstance(value, str):
            self.fail(WRONG_TYPE)
        found: date = super().to_internal_value(value)
        return found

    def json_schema(self, *, reading: bool) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


class ChoiceField(serializers.ChoiceField):
    """One of the values, of their own JSON type; the refusal names them."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid_choice": _("“{input}” is none of: {choices}."),
    }

    def to_internal_value(self, data: Any) -> Any:
        for value in self.choices:
            if type(data) is type(value) and data == value:
                return value
        if data == "" and self.allow_blank:
            return ""
        return self.fail(
            "invalid_choice",
            input=str(data)[:100],
            choices=", ".join(str(value) for value in self.choices),
        )

    def json_schema(self, *, reading: bool) -> dict[str, Any]:
        values = list(self.choices)
        kind = "integer" if all(isinstance(value, int) for value in values) else "string"
        if reading:
            # Imported history keeps codes that the choices of today no longer have.
            return {"type": kind, "examples": values}
        return {"type": kind, "enum": [*values, ""] if self.allow_blank else values}


class ObjectField(serializers.DictField):
    """A JSON object of named values: texts, numbers, true or false, null, or lists of these.

    What the names mean is checked by the action.
    """

    default_error_messages: ClassVar[dict[str, Any]] = {
        WRONG_TYPE: _("Give an object of plain values or lists of them.")
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict) or len(data) > MEMBERS_MAX:
            self.fail(WRONG_TYPE)
        for name, value in data.items():
            values = value if isinstance(value, list) else [value]
            if len(name) > MEMBER_NAME_MAX or len(values) > MEMBERS_MAX:
                self.fail(WRONG_TYPE)
            for one in values:
                if isinstance(one, (dict, list)):
                    self.fail(WRONG_TYPE)
                if isinstance(one, str) and len(one) > MEMBER_TEXT_MAX:
                    self.fail(WRONG_TYPE)
                if isinstance(one, (int, float)) and abs(one) > NUMBER_MAX:
                    self.fail(WRONG_TYPE)
        return dict(data)

    def json_schema(self, *, reading: bool) -> dict[str, Any]:
        if reading:
            return {"type": "object", "additionalProperties": True}
        plain: dict[str, Any] = {
            "type": ["string", "number", "boolean", "null"],
            "pattern": NO_NUL,
            "maxLength": MEMBER_TEXT_MAX,
            "minimum": -NUMBER_MAX,
            "maximum": NUMBER_MAX,
        }
        several = {"items": plain, "maxItems": MEMBERS_MAX}
        return {
            "type": "object",
            "maxProperties": MEMBERS_MAX,
            "propertyNames": {"pattern": NO_NUL, "maxLength": MEMBER_NAME_MAX},
            "additionalProperties": {**plain, **several, "type": [*plain["type"], "array"]},
        }


class ListField(serializers.ListField):
    """A JSON array of the child's kind."""

    default_error_messages: ClassVar[dict[str, Any]] = {WRONG_TYPE: _("Give a list.")}

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail(WRONG_TYPE)
        found: list[Any] = super().to_internal_value(data)
        return found


class ComputedField(serializers.Field[Any, Any, Any, Any]):
    """Read only: `build` of the named columns' values, in their order.

    schema: the JSON Schema of the result.
    """

    def __init__(
        self,
        columns: Sequence[str],
        build: Callable[..., Any],
        schema: Mapping[str, Any],
        **options: Any,
    ) -> None:
        self.columns = tuple(columns)
        self.build = build
        self.schema = dict(schema)
        super().__init__(read_only=True, **options)

    def to_representation(self, value: Any) -> Any:
        return value

    def json_schema(self, *, reading: bool) -> dict[str, Any]:
        return dict(self.schema)


class BatchField(serializers.Field[Any, Any, Any, Any]):
    """Read only: a member that one query brings for all rows of a page (links, tags).

    load: (values of `column`, reader, memo) -> {value: member}; empty: the member of the others.
    memo is one dictionary for the whole page: what several fields need, the first one keeps there.
    """

    def __init__(
        self,
        column: str,
        load: Callable[[Sequence[Any], Any, dict[str, Any]], Mapping[Any, Any]],
        schema: Mapping[str, Any],
        *,
        empty: Callable[[], Any] = lambda: None,
        **options: Any,
    ) -> None:
        self.column = column
        self.load = load
        self.schema = dict(schema)
        self.none = empty
        super().__init__(read_only=True, **options)

    def to_representation(self, value: Any) -> Any:
        return value

    def json_schema(self, *, reading: bool) -> dict[str, Any]:
        return dict(self.schema)


class RefField(serializers.Field[Any, Any, Any, Any]):
    """Another record: reads as {"id", ...shown}, takes its id, a natural key or such an object.

    model: the record's; scope: user -> the rows this user may name (others are "unknown");
    keys: columns that name it in writing, in the order tried; shown: columns read beside the id;
    key_column: what "id" is; expand: dotted path of the serializer that `?expand=` embeds;
    related: what the actions will ask of the row they are given, read along with it.
    """

    default_error_messages: ClassVar[dict[str, Any]] = {
        "unknown_reference": _("There is no “{value}” here, or it is not yours to see."),
        WRONG_TYPE: _("Give an id, a name, or an object with an id."),
    }

    def __init__(
        self,
        model: type[Model],
        scope: Callable[[Any], QuerySet[Any]],
        *,
        keys: Sequence[str] = ("name",),
        shown: Sequence[str] = ("name",),
        key_column: str = "uuid",
        expand: str = "",
        related: Sequence[str] = (),
        **options: Any,
    ) -> None:
        self.model = model
        self.related = tuple(related)
        self.scope = scope
        self.keys = tuple(keys)
        self.shown = tuple(shown)
        self.key_column = key_column
        self.expand = expand
        super().__init__(**options)

    def to_representation(self, value: Any) -> dict[str, Any]:
        return (
            self.show(
                getattr(value, self.key_column), *(getattr(value, name) for name in self.shown)
            )
            or {}
        )

    def show(self, key: Any, *values: Any) -> dict[str, Any] | None:
        if key is None:
            return None
        return {"id": key, **dict(zip(self.shown, values, strict=True))}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            if not isinstance(data.get("id"), str) or set(data) - {"id", *self.shown}:
                self.fail(WRONG_TYPE)
            data = data["id"]
        if not isinstance(data, str):
            self.fail(WRONG_TYPE)
        # One request names the same person or team many times (bulk): each is looked up once.
        context: dict[str, Any] = self.context  # type: ignore[assignment]  # a dict, said too widely
        kept = context.setdefault("references", {})
        place = (self.model, data)
        if place not in kept:
            rows = self.scope(context["request"].user)
            if self.related:
                rows = rows.select_related(*self.related)
            kept[place] = find(rows, data, self.keys, self.key_column)
        if kept[place] is None:
            self.fail("unknown_reference", value=data[:100])
        return kept[place]

    def json_schema(self, *, reading: bool) -> dict[str, Any]:
        shown = {name: {"type": "string"} for name in self.shown}
        if reading:
            # An expanded reference has the members of its own collection besides.
            return {
                "type": "object",
                "properties": {"id": {"type": "string"}, **shown},
                "required": ["id", *self.shown],
            }
        text = {"type": "string", "pattern": NOT_BLANK, "maxLength": REFERENCE_MAX}
        named = {
            "type": "object",
            "properties": {"id": text, **shown},
            "required": ["id"],
            "additionalProperties": False,
        }
        return {"oneOf": [text, named]}


def find(
    queryset: QuerySet[Any], text: str, keys: Sequence[str], key_column: str = "uuid"
) -> Any | None:
    """The one row with this id or natural key; None when there is none or more than one."""
    if "\x00" in text or len(text) > REFERENCE_MAX:
        return None
    if key := as_uuid(text):
        return queryset.filter(Q((key_column, key))).first()
    for name in keys:
        found = list(queryset.filter(Q((name, text)))[:2])
        if len(found) == 1:
            return found[0]
    return None


def as_uuid(text: str) -> uuid.UUID | None:
    """A UUID in its usual spelling of 36 characters, else None."""
    if len(text) != 36:
        return None
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
