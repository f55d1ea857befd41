"""One filterset for a page and the API, in django-filter's usual spelling.

    class IncidentFilters(FilterSet):
        columns = {"impact": Number(1, 3), "opened_at": Moment(), "assignee": Reference(people)}

declares `impact`, `impact__in`, `impact__gt`, ..., each checked strictly: a value that the column
cannot hold is refused with the parameter's name instead of finding nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _
from django_filters.constants import EMPTY_VALUES

from spine.kit.errors import DomainError, InvalidInput
from spine.rest import moments
from spine.rest.fields import NO_NUL, as_uuid

COMPARISONS = ("gt", "gte", "lt", "lte")
LIST_MAX = 200
BIGINT_MAX = 2**63 - 1
TEXT_MAX = 500
ME = "me"
TEXT_SCHEMA = {
    "type": "string",
    "minLength": 1,
    "maxLength": TEXT_MAX,
    "pattern": NO_NUL,
}


class CommaList(forms.CharField):
    """`1,2,3`, every part checked by the field of one value."""

    def __init__(self, *, one: forms.Field, **options: Any) -> None:
        super().__init__(**options)
        self.one = one

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return []
        parts = [part.strip() for part in str(text).split(",")]
        if len(parts) > LIST_MAX:
            raise ValidationError(
                _("At most %(count)s values.") % {"count": LIST_MAX}, "too_many_values"
            )
        if not all(parts):
            raise ValidationError(_("The list holds an empty value."), "invalid")
        return [self.one.clean(part) for part in parts]


class FlagField(forms.Field):
    """`true` or `false`, nothing else."""

    def clean(self, value: Any) -> bool | None:
        if value in EMPTY_VALUES:
            return None
        if value not in ("true", "false"):
            raise ValidationError(_("Give true or false."), "invalid")
        return bool(value == "true")


class NumberField(forms.Field):
    """ASCII digits with an optional minus; Python's int() takes underscores and any script."""

    def __init__(self, *, minimum: int, maximum: int, **options: Any) -> None:
        super().__init__(**options)
        self.minimum, self.maximum = minimum, maximum

    def clean(self, value: Any) -> int | None:
        if value in EMPTY_VALUES:
            return None
        text = str(value)
        if not re.fullmatch(r"-?[0-9]{1,19}", text):
            raise ValidationError(_("Give a whole number."), "invalid")
        number = int(text)
        if not self.minimum <= number <= self.maximum:
            raise ValidationError(
                _("Give a whole number from %(minimum)s to %(maximum)s.")
                % {"minimum": self.minimum, "maximum": self.maximum},
                "out_of_range",
            )
        return number


class MomentInput(forms.CharField):
    """An ISO 8601 date or time; without an offset it is UTC."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return moments.parse(text) if text else None


@dataclass(frozen=True)
class Column:
    """A filterable column: which lookups it has and how their values are checked.

    column: its path where that is not the parameter's name. schema: JSON Schema of one value.
    """

    column: str = ""
    nullable: bool = False

    lookups: ClassVar[tuple[str, ...]] = ("exact", "in")
    schema: ClassVar[Mapping[str, Any]] = {"type": "string"}

    def one(self) -> forms.Field:
        raise NotImplementedError

    def value_schema(self) -> dict[str, Any]:
        return dict(self.schema)

    def filters(self, name: str) -> dict[str, django_filters.Filter]:
        path = self.column or name
        made: dict[str, django_filters.Filter] = {}
        for lookup in self.lookups:
            parameter = name if lookup == "exact" else f"{name}__{lookup}"
            made[parameter] = _ColumnFilter(self, path, lookup)
        if self.nullable:
            made[f"{name}__isnull"] = _ColumnFilter(Flag(), path, "isnull")
        return made

    def apply(self, queryset: QuerySet[Any], path: str, lookup: str, value: Any) -> QuerySet[Any]:
        return queryset.filter(Q((f"{path}__{lookup}", value)))


@dataclass(frozen=True)
class Number(Column):
    """A whole number between its bounds."""

    minimum: int = -BIGINT_MAX
    maximum: int = BIGINT_MAX

    lookups: ClassVar[tuple[str, ...]] = ("exact", "in", *COMPARISONS)

    def one(self) -> forms.Field:
        return NumberField(required=False, minimum=self.minimum, maximum=self.maximum)

    def value_schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True)
class Text(Column):
    """A text, compared as it stands; `__icontains` where `search` says so (no index serves it)."""

    search: bool = False

    schema: ClassVar[Mapping[str, Any]] = TEXT_SCHEMA

    def one(self) -> forms.Field:
        return forms.CharField(required=False, max_length=TEXT_MAX, strip=False)

    def filters(self, name: str) -> dict[str, django_filters.Filter]:
        made = super().filters(name)
        if self.search:
            for lookup in ("icontains", "istartswith"):
                made[f"{name}__{lookup}"] = _ColumnFilter(self, self.column or name, lookup)
        return made


@dataclass(frozen=True)
class Choice(Column):
    """One of a fixed set of codes: `choices` are (code, label) or codes."""

    choices: Iterable[Any] = ()

    def codes(self) -> list[str]:
        return [str(one[0] if isinstance(one, (tuple, list)) else one) for one in self.choices]

    def one(self) -> forms.Field:
        return forms.ChoiceField(
            required=False,
            choices=[(one, one) for one in self.codes()],
        )

    def value_schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": self.codes()}


@dataclass(frozen=True)
class Flag(Column):
    lookups: ClassVar[tuple[str, ...]] = ("exact",)
    schema: ClassVar[Mapping[str, Any]] = {"type": "boolean"}

    def one(self) -> forms.Field:
        return FlagField(required=False)


@dataclass(frozen=True)
class Moment(Column):
    """A time; `opened_at__gte=2026-01-31` or with a clock time and an offset."""

    lookups: ClassVar[tuple[str, ...]] = ("exact", *COMPARISONS)
    schema: ClassVar[Mapping[str, Any]] = {
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {"type": "string", "format": "date"},
        ]
    }

    def one(self) -> forms.Field:
        return MomentInput(required=False, max_length=40)


@dataclass(frozen=True)
class Reference(Column):
    """Another record by id or natural key; `me` for the reader where `me` is set.

    rows: reader -> the rows that may be named; keys: their natural keys.
    """

    rows: Callable[[Any], QuerySet[Any]] | None = None
    keys: tuple[str, ...] = ("name",)
    me: bool = False

    schema: ClassVar[Mapping[str, Any]] = TEXT_SCHEMA

    def one(self) -> forms.Field:
        return forms.CharField(required=False, max_length=TEXT_MAX, strip=False)

    def resolve(self, texts: list[str], user: Any, parameter: str) -> list[int]:
        """Ids of the named rows, in one query for each natural key. Unknown ones are refused."""
        assert self.rows is not None
        rows = self.rows(user)
        left = dict.fromkeys(texts)
        ids: list[int] = []
        if self.me and left.pop(ME, "") is None:
            ids.append(user.pk)
        for key, named in self._spellings(list(left)):
            if not named:
                continue
            for pk, value in rows.filter(Q((f"{key}__in", list(named)))).values_list("pk", key):
                ids.append(pk)
                left.pop(named.get(value, ""), None)
        if left:
            shown = next(iter(left))
            raise DomainError(
                "unknown_reference",
                _("There is no “%(value)s” here, or it is not yours to see.")
                % {"value": shown[:100]},
                parameter,
            )
        return ids

    def _spellings(self, texts: list[str]) -> Iterable[tuple[str, dict[Any, str]]]:
        uuids = {key: text for text in texts if (key := as_uuid(text))}
        yield "uuid", uuids
        others = {text: text for text in texts if as_uuid(text) is None}
        for name in self.keys:
            yield name, others


class _ColumnFilter(django_filters.Filter):
    """One lookup of a column, as django-filter wants it."""

    parent: FilterSet  # set by the filterset for itself

    def __init__(self, column: Column, path: str, lookup: str) -> None:
        super().__init__(field_name=path, lookup_expr=lookup)
        self.column = column

    @property
    def field(self) -> forms.Field:
        if not hasattr(self, "_field"):
            one = self.column.one()
            self._field = CommaList(one=one, required=False) if self.lookup_expr == "in" else one
        return self._field

    def filter(self, queryset: QuerySet[Any], value: Any) -> QuerySet[Any]:
        if value is None or value in ("", []):
            return queryset
        if isinstance(self.column, Reference):
            texts = value if isinstance(value, list) else [value]
            parameter = next(name for name, one in self.parent.filters.items() if one is self)
            ids = self.column.resolve(texts, self.parent.user, parameter)
            return queryset.filter(Q((f"{self.field_name}__in", ids)))
        return self.column.apply(queryset, self.field_name, self.lookup_expr, value)

    def value_schema(self) -> dict[str, Any]:
        """JSON Schema of the parameter; a list is written with commas (`style: form`)."""
        one = self.column.value_schema()
        if one.get("type") == "string" and "enum" not in one:
            one = {"minLength": 1, "pattern": NO_NUL, **one}
        if self.lookup_expr != "in":
            return one
        if one.get("type") == "string" and "enum" not in one:
            one["pattern"] = "^[^,\\s\\u0000]+$"
        return {"type": "array", "items": one, "minItems": 1, "maxItems": LIST_MAX}


class FilterSet(django_filters.FilterSet):
    """Base of every filterset. `columns` declares the columns; other filters stand beside them."""

    columns: ClassVar[Mapping[str, Column]] = {}

    @classmethod
    def get_filters(cls) -> dict[str, django_filters.Filter]:
        made: dict[str, django_filters.Filter] = dict(super().get_filters())  # type: ignore[no-untyped-call]
        for name, column in cls.columns.items():
            for parameter, one in column.filters(name).items():
                made.setdefault(parameter, one)
        return made

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        queryset: QuerySet[Any] | None = None,
        *,
        request: Any = None,
        user: Any = None,
        prefix: str | None = None,
        only_given: bool = False,
    ) -> None:
        """only_given: build the filters that `data` names and no other. A list address names a few
        of sixty; copying and checking all of them takes longer than the query."""
        if only_given:
            given = data or {}
            self.base_filters = {
                name: one for name, one in declared_filters(type(self)).items() if name in given
            }
        super().__init__(data, queryset, request=request, prefix=prefix)
        self.user = user if user is not None else getattr(request, "user", None)


def declared_filters(filterset: type[FilterSet]) -> dict[str, django_filters.Filter]:
    """Every parameter of the filterset by name; django-filter's metaclass gathers them."""
    gathered: dict[str, django_filters.Filter] = vars(filterset)["base_filters"]
    return gathered


def apply_strictly(
    filterset: type[FilterSet],
    parameters: QueryDict,
    queryset: QuerySet[Any],
    *,
    user: Any,
    reserved: Iterable[str] = (),
) -> QuerySet[Any]:
    """The filtered rows; InvalidInput names each unknown, repeated or wrong parameter."""
    known = declared_filters(filterset)
    reserved = set(reserved)
    wrong: list[DomainError] = []
    for name, values in parameters.lists():
        if name not in known and name not in reserved:
            message = _("There is no parameter “%(name)s” here.") % {"name": name[:100]}
            wrong.append(DomainError("unknown_parameter", message, name[:100]))
        elif len(values) > 1:
            message = _("Give this parameter once; several values go into the “in” form.")
            wrong.append(DomainError("repeated_parameter", message, name))
        elif name in known and not values[0]:
            # A page's form sends its empty inputs; a program that does has lost a value, and an
            # unfiltered list would be the wrong answer.
            wrong.append(DomainError("empty_value", _("This parameter has no value."), name))
    if wrong:
        raise InvalidInput(wrong)
    filters = filterset(parameters, queryset, user=user, only_given=True)
    if filters.errors:
        raise InvalidInput(
            [
                DomainError(error.code or "invalid", " ".join(error.messages), name)
                for name, errors in filters.form.errors.as_data().items()
                for error in errors
            ]
        )
    found: QuerySet[Any] = filters.qs
    return found
