"""Keyset pages: lists that stay fast at any depth and neither skip nor repeat a row.

An ordering is a tuple of keys that ends in a unique one: `("-opened_at", "-id")`. A key is a
column path; "-" means descending; " nulls first" or " nulls last" after it says where empty values
stand, PostgreSQL's own habit (last when ascending, first when descending) being the default, as
that is what a plain index serves.

The rows after a cursor are a chain of index ranges, read in turn until the page is full: one range
`(a, b, id) < (x, y, z)` when all keys run the same way, one more for each turn of direction and for
the empty values at the end. An OR over them would make PostgreSQL filter from the list's beginning.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import BooleanField, Expression, F, Field, Func, Model, Q, QuerySet, Value
from django.db.models.expressions import Col, OrderBy
from django.utils.translation import gettext as _

from spine.kit.errors import DomainError

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Key:
    """One column of an ordering, as `Key.parse("-resolved_at nulls last")` reads it."""

    path: str
    descending: bool = False
    nulls_first: bool = False

    @classmethod
    def parse(cls, spelling: str) -> Key:
        words = spelling.split()
        path = words[0].removeprefix("-")
        descending = words[0].startswith("-")
        if len(words) == 1:
            return cls(path, descending, nulls_first=descending)
        if words[1:] not in (["nulls", "first"], ["nulls", "last"]):
            raise ValueError(f"not an ordering key: {spelling!r}")
        return cls(path, descending, nulls_first=words[2] == "first")

    def reversed(self) -> Key:
        return Key(self.path, not self.descending, not self.nulls_first)

    def order_by(self) -> OrderBy:
        """Spelled plainly where it is PostgreSQL's habit, so that a plain index serves it."""
        habit = self.nulls_first == self.descending
        expression = F(self.path)
        if self.descending:
            return expression.desc(nulls_last=None if habit else True)
        return expression.asc(nulls_first=None if habit else True)


@dataclass(frozen=True, slots=True)
class Ordering:
    """A named, total order. The last key is unique in the list, so that no two rows tie."""

    name: str
    keys: tuple[Key, ...]

    def reversed(self) -> Ordering:
        return Ordering(self.name, tuple(key.reversed() for key in self.keys))


class Orderings:
    """The whitelist of a list: `Orderings({"-opened_at": ("-opened_at", "-id"), ...})`.

    The first is the default unless named. `get` refuses any other name with the choices there are.
    """

    def __init__(self, declared: Mapping[str, Sequence[str]], default: str | None = None) -> None:
        if not declared:
            raise ValueError("a list needs an ordering")
        self.by_name = {
            name: Ordering(name, tuple(Key.parse(key) for key in keys))
            for name, keys in declared.items()
        }
        self.default = self.by_name[default or next(iter(declared))]

    @property
    def names(self) -> list[str]:
        return list(self.by_name)

    def get(self, name: str | None) -> Ordering:
        if name is None:
            return self.default
        found = self.by_name.get(name)
        if found is None:
            raise DomainError(
                "unknown_ordering",
                _("The list cannot be ordered by “%(name)s”. It can by: %(choices)s.")
                % {"name": name[:100], "choices": ", ".join(self.by_name)},
                "ordering",
            )
        return found


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in the list's order; `next` and `previous` are cursors, None at an end."""

    rows: list[Row]
    next: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in an ordering: beside the row with these values. `inclusive` keeps that row."""

    ordering: str
    values: tuple[Any, ...]
    backward: bool = False
    inclusive: bool = False


def paginate(
    queryset: QuerySet[Any, Row], ordering: Ordering, *, limit: int, cursor: str | None = None
) -> Page[Row]:
    """One page of the queryset in this ordering.

    queryset: of instances or of `.values()` rows that hold the ordering's columns; limit: rows per
    page, at least 1; cursor: from a page's `next` or `previous`. Raises DomainError `bad_cursor`.
    """
    fields = tuple(_field_of(queryset, key.path) for key in ordering.keys)
    place = None if not cursor else decode(cursor, ordering, fields)
    backward = place is not None and place.backward
    walked = ordering.reversed() if backward else ordering
    rows = _read(queryset, walked, fields, place, limit + 1)
    more = len(rows) > limit
    del rows[limit:]
    if backward:
        rows.reverse()

    def beside(row: Any, *, back: bool) -> str:
        values = tuple(_value_of(row, key.path) for key in ordering.keys)
        return encode(Cursor(ordering.name, values, backward=back))

    if not rows:
        if place is None:
            return Page([], None, None)
        # Past an end: the way back starts at the cursor's own row, which is not on this page.
        turned = encode(Cursor(ordering.name, place.values, backward=not backward, inclusive=True))
        return Page([], turned if backward else None, None if backward else turned)
    has_next = place is not None if backward else more
    has_previous = more if backward else place is not None
    return Page(
        rows,
        beside(rows[-1], back=False) if has_next else None,
        beside(rows[0], back=True) if has_previous else None,
    )


def _read(
    queryset: QuerySet[Any, Row],
    ordering: Ordering,
    fields: tuple[_Column, ...],
    place: Cursor | None,
    wanted: int,
) -> list[Row]:
    ordered = queryset.order_by(*[key.order_by() for key in _effective(ordering, fields)])
    if place is None:
        return list(ordered[:wanted])
    rows: list[Row] = []
    if place.inclusive:
        rows += ordered.filter(_equal(ordering.keys, place.values))[:1]
    for span in ranges(ordering, fields, place.values):
        if len(rows) >= wanted:
            break
        rows += ordered.filter(span)[: wanted - len(rows)]
    return rows


def _effective(ordering: Ordering, fields: tuple[_Column, ...]) -> Iterator[Key]:
    """A column that cannot be empty takes PostgreSQL's habit, which every plain index has."""
    for key, column in zip(ordering.keys, fields, strict=True):
        yield key if column.nullable else Key(key.path, key.descending, key.descending)


def ranges(ordering: Ordering, fields: tuple[_Column, ...], values: tuple[Any, ...]) -> Iterator[Q]:
    """The rows after `values`, as conditions whose results follow one another in the ordering."""
    keys = ordering.keys

    def empties_after(index: int) -> bool:
        return fields[index].nullable and not keys[index].nulls_first

    index = len(keys) - 1
    while index >= 0:
        if values[index] is None:
            if keys[index].nulls_first:
                yield _equal(keys[:index], values) & Q((f"{keys[index].path}__isnull", False))
            index -= 1
            continue
        start = index
        while (
            start > 0
            and values[start - 1] is not None
            and keys[start - 1].descending == keys[index].descending
            # A row comparison leaves out rows whose inner columns are empty: right only where
            # those stand before the cursor.
            and not empties_after(start)
        ):
            start -= 1
        span = slice(start, index + 1)
        yield _equal(keys[:start], values) & Q(
            _RowComparison(keys[span], fields[span], values[span])
        )
        if empties_after(start):
            yield _equal(keys[:start], values) & Q((f"{keys[start].path}__isnull", True))
        index = start - 1


def _equal(keys: Sequence[Key], values: Sequence[Any]) -> Q:
    condition = Q()
    for key, value in zip(keys, values, strict=False):
        if value is None:
            condition &= Q((f"{key.path}__isnull", True))
        else:
            condition &= Q((key.path, value))
    return condition


class _Tuple(Func):
    template = "(%(expressions)s)"


class _RowComparison(Func):
    """`(a, b) < (x, y)`, the one spelling that PostgreSQL turns into a single index range.

    The ORM trims an inherited `id` to the child's link column; no index spans both tables, so the
    link goes back to the parent's own column beside the others.
    """

    conditional = True
    template = "%(expressions)s"

    def __init__(
        self, keys: Sequence[Key], columns: Sequence[_Column], values: Sequence[Any]
    ) -> None:
        left: list[Expression | F] = [F(key.path) for key in keys]
        right = [
            Value(value, output_field=column.field)
            for value, column in zip(values, columns, strict=True)
        ]
        self.arg_joiner = " < " if keys[0].descending else " > "
        output: Field[Any, Any] = BooleanField()
        if len(keys) == 1:
            super().__init__(left[0], right[0], output_field=output)
        else:
            super().__init__(
                _Tuple(*left, output_field=output),
                _Tuple(*right, output_field=output),
                output_field=output,
            )

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        resolved: Any = super().resolve_expression(*args, **kwargs)
        columns = resolved.source_expressions[0]
        if isinstance(columns, _Tuple):
            columns.set_source_expressions(
                [
                    _beside_its_siblings(c, columns.source_expressions)
                    for c in columns.source_expressions
                ]
            )
        return resolved


def _beside_its_siblings(column: Any, siblings: Sequence[Any]) -> Any:
    link = getattr(getattr(column, "target", None), "remote_field", None)
    if link is None or not getattr(link, "parent_link", False):
        return column
    for sibling in siblings:
        if isinstance(sibling, Col) and sibling.target.model is link.model:
            parent_key = link.model._meta.pk
            return Col(sibling.alias, parent_key, parent_key)
    return column


@dataclass(frozen=True, slots=True)
class _Column:
    field: Field[Any, Any]
    nullable: bool


def _field_of(queryset: QuerySet[Any, Any], path: str) -> _Column:
    annotation = queryset.query.annotations.get(path)
    if annotation is not None:
        return _Column(annotation.output_field, True)
    model: type[Model] = queryset.model
    return _model_field(model, path)


@lru_cache(maxsize=1024)
def _model_field(model: type[Model], path: str) -> _Column:
    nullable = False
    current: Any = model
    field: Any = None
    for part in path.split("__"):
        try:
            field = current._meta.pk if part == "pk" else current._meta.get_field(part)
        except FieldDoesNotExist as error:
            raise ValueError(f"{model.__name__} has no column {path}") from error
        nullable = nullable or field.null
        current = field.related_model
    while field.is_relation:
        field = field.target_field
    return _Column(field, nullable)


def _value_of(row: Any, path: str) -> Any:
    if isinstance(row, Mapping):
        return row[path]
    if path in row.__dict__:
        return row.__dict__[path]
    for part in path.split("__"):
        if row is None:
            return None
        row = getattr(row, part)
    return row.pk if isinstance(row, Model) else row


def encode(cursor: Cursor) -> str:
    """An opaque, signed spelling, safe in an address."""
    plain = json.dumps(
        [cursor.ordering, int(cursor.backward), int(cursor.inclusive), *cursor.values],
        default=_spell,
        separators=(",", ":"),
    ).encode()
    return base64.urlsafe_b64encode(_sign(plain) + plain).rstrip(b"=").decode()


def decode(text: str, ordering: Ordering, fields: Sequence[_Column]) -> Cursor:
    """The place it names; `bad_cursor` for anything this installation did not write for it."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        signature, plain = raw[:_SIGNATURE], raw[_SIGNATURE:]
        if not hmac.compare_digest(signature, _sign(plain)):
            raise ValueError("signature")
        name, backward, inclusive, *spelled = json.loads(plain)
        if name != ordering.name or len(spelled) != len(fields):
            raise ValueError("ordering")
        values = tuple(
            None if value is None else column.field.to_python(value)
            for column, value in zip(fields, spelled, strict=True)
        )
    except (ValueError, TypeError, binascii.Error, ValidationError) as error:
        raise DomainError(
            "bad_cursor",
            _("This page address is not valid for the list. Start again from its first page."),
            "cursor",
        ) from error
    return Cursor(name, values, bool(backward), bool(inclusive))


_SIGNATURE = 9


def _sign(plain: bytes) -> bytes:
    key = b"spine.kit.keyset" + settings.SECRET_KEY.encode()
    return hmac.new(key, plain, hashlib.sha256).digest()[:_SIGNATURE]


def _spell(value: Any) -> Any:
    # datetime.isoformat keeps the microseconds, which str() of an aware time does too, with a blank
    # in place of the T; to_python reads either.
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
