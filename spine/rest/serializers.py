"""Input that is refused rather than dropped, and records rendered from a compiled plan."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any

from django.db.models import QuerySet
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.fields import empty

from spine.kit.errors import DomainError, InvalidInput
from spine.rest.fields import WRONG_TYPE, BatchField, ComputedField, RefField


class StrictSerializer(serializers.Serializer[Any]):
    """One declaration for input, output, the schema and `?fields=`.

    Unknown members are refused (`unknown_field`); so are members that only a move or the platform
    writes (`read_only`). On PATCH nothing is required.
    """

    def run_validation(self, data: Any = empty) -> Any:
        if not isinstance(data, dict):
            detail = ErrorDetail(_("Give a JSON object."), WRONG_TYPE)
            raise ValidationError({"non_field_errors": [detail]})
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        errors = self._refused(data)
        # A field whose meaning depends on another one of its row finds it here.
        context: dict[str, Any] = self.context  # type: ignore[assignment]  # a dict, said too widely
        context["row"] = data
        try:
            values: dict[str, Any] = super().to_internal_value(data)
        except ValidationError as error:
            if isinstance(error.detail, dict):
                raise ValidationError({**error.detail, **errors}) from error
            raise
        if errors:
            raise ValidationError(errors)
        return values

    def _refused(self, data: Mapping[str, Any]) -> dict[str, list[ErrorDetail]]:
        errors = {}
        for name in data:
            known = self.fields.get(name)
            if known is None:
                shown = _("There is no field “%(name)s” here.") % {"name": name[:100]}
                errors[name[:100]] = [ErrorDetail(shown, "unknown_field")]
            elif known.read_only:
                errors[name] = [ErrorDetail(self.read_only_reason(name), "read_only")]
        return errors

    def read_only_reason(self, name: str) -> str:
        """Why this member cannot be written, and what does it instead."""
        if name in ("state", "active"):
            return _("The state changes by a move: POST to moves/.")
        if name == "version":
            return _("Send the version as If-Match, from the record's ETag.")
        return _("This field is set by the platform and cannot be written.")


class _Kept(threading.local):
    def __init__(self) -> None:
        self.serializers: dict[tuple[type[StrictSerializer], bool], StrictSerializer] = {}


_kept = _Kept()


def check_input(
    serializer: type[StrictSerializer], data: Any, *, partial: bool, context: dict[str, Any]
) -> dict[str, Any]:
    """The values of a body; the REST framework's ValidationError names what is wrong.

    Each thread keeps a serializer of its own: to make one, which copies every field, takes longer
    than to check a body.
    """
    key = (serializer, partial)
    checking = _kept.serializers.get(key)
    if checking is None:
        checking = _kept.serializers[key] = serializer(partial=partial)
    checking._context = context
    try:
        values: dict[str, Any] = checking.run_validation(data)
    finally:
        # It outlives the request, which must not live on in it.
        checking._context = {}
    return values


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a record: where its value comes from and how it is made."""

    name: str
    columns: tuple[str, ...]
    build: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True)
class Expansion:
    """A reference to embed: the rows in the reader's scope, rendered by their own plan."""

    name: str
    reference: RefField
    plan: Plan


@dataclass(frozen=True, slots=True)
class Plan:
    """How a serializer's records are read: one `.values()` query, then plain functions."""

    members: tuple[Member, ...]
    columns: tuple[str, ...]
    expansions: tuple[Expansion, ...] = ()
    batches: tuple[tuple[str, BatchField], ...] = ()
    _makers: tuple[tuple[str, Callable[[Mapping[str, Any]], Any]], ...] = field(default=())

    def render(
        self, rows: Iterable[Mapping[str, Any]], user: Any, *, fresh: bool = False
    ) -> list[dict[str, Any]]:
        """Rows of `.values(*columns)` as records."""
        makers = self._makers
        rows = list(rows)
        records = [{name: make(row) for name, make in makers} for row in rows]
        memo: dict[str, Any] = {}
        for name, batch in self.batches:
            # Its place among the members is taken already, by the column it goes by.
            keys = [row[batch.column] for row in rows]
            found = batch.load(keys, user, memo) if rows and not fresh else {}
            for row, record in zip(rows, records, strict=True):
                record[name] = found.get(row[batch.column], batch.none())
        for expansion in self.expansions:
            _embed(records, expansion, user)
        return records

    def of_instance(self, instance: Any, user: Any) -> dict[str, Any]:
        """A record that was made just now, from the instance: nothing hangs on it yet, so what
        batches would bring is empty without asking."""
        row = {path: _walk(instance, path) for path in self.columns}
        return self.render([row], user, fresh=True)[0]

    def of_queryset(self, queryset: QuerySet[Any], user: Any) -> list[dict[str, Any]]:
        rows: Iterable[Mapping[str, Any]] = queryset.values(*self.columns)
        return self.render(rows, user)


def plan_for(
    serializer: type[StrictSerializer], fields: str | None = None, expand: str | None = None
) -> Plan:
    """The plan of `?fields=a,b&expand=c`; DomainError names a field that is not there."""
    return _plan(serializer, fields, expand)


@lru_cache(maxsize=512)
def _plan(serializer: type[StrictSerializer], fields: str | None, expand: str | None) -> Plan:
    declared = {name: f for name, f in serializer().fields.items() if not f.write_only}
    names = _names(fields, declared, "fields") or list(declared)
    expandable = {name: f for name, f in declared.items() if isinstance(f, RefField) and f.expand}
    expansions = tuple(
        Expansion(name, expandable[name], plan_for(import_string(expandable[name].expand)))
        for name in _names(expand, expandable, "expand")
        if name in names
    )
    members = tuple(_member(name, declared[name]) for name in declared if name in names)
    columns = tuple(dict.fromkeys(path for member in members for path in member.columns))
    makers = tuple((member.name, _maker(member)) for member in members)
    batches = tuple(
        (name, one)
        for name, one in declared.items()
        if isinstance(one, BatchField) and name in names
    )
    return Plan(members, columns, expansions, batches, makers)


def _names(listed: str | None, known: Mapping[str, Any], parameter: str) -> list[str]:
    if listed is None:
        return []
    names = listed[:4000].split(",")
    wrong = [
        DomainError(
            "unknown_field",
            _("There is no “%(name)s” to choose here.") % {"name": name[:100]},
            parameter,
        )
        for name in dict.fromkeys(names)
        if name not in known
    ]
    if wrong:
        raise InvalidInput(wrong)
    return names


def _member(name: str, declared: Any) -> Member:
    if isinstance(declared, BatchField):
        return Member(name, (declared.column,))
    if isinstance(declared, ComputedField):
        return Member(name, declared.columns, declared.build)
    source = (declared.source or name).replace(".", "__")
    if isinstance(declared, RefField):
        paths = (declared.key_column, *declared.shown)
        return Member(name, tuple(f"{source}__{path}" for path in paths), declared.show)
    return Member(name, (source,))


def _maker(member: Member) -> Callable[[Mapping[str, Any]], Any]:
    if member.build is None:
        return itemgetter(member.columns[0])
    build, columns = member.build, member.columns
    if len(columns) == 1:
        only = columns[0]
        return lambda row: build(row[only])
    pick = itemgetter(*columns)
    return lambda row: build(*pick(row))


def _walk(instance: Any, path: str) -> Any:
    for part in path.split("__"):
        if instance is None:
            return None
        instance = getattr(instance, part)
    return instance


def _embed(records: Sequence[dict[str, Any]], expansion: Expansion, user: Any) -> None:
    """Replaces references by the records, where the reader may see them; else they stay short."""
    wanted = {record[expansion.name]["id"] for record in records if record[expansion.name]}
    if not wanted:
        return
    key = expansion.reference.key_column
    visible = expansion.reference.scope(user).filter(**{f"{key}__in": wanted})
    rows = list(visible.values(*dict.fromkeys((key, *expansion.plan.columns))))
    found = dict(zip((row[key] for row in rows), expansion.plan.render(rows, user), strict=True))
    for record in records:
        if short := record[expansion.name]:
            record[expansion.name] = found.get(short["id"], short)
