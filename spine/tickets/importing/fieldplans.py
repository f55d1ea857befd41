"""How each field gets its value from a row: a column, several joined, a constant, or a matrix."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from spine.tickets.importing import converters, targets
from spine.tickets.importing.converters import KEEP, KEPT_RESULTS, Converter
from spine.tickets.importing.errors import MappingError, RowError
from spine.tickets.importing.targets import Field, Target
from spine.tickets.importing.yamlparts import dates_of, refuse_unknown, text_of, zone_of
from spine.tickets.models import HoldReason

# YAML reads true, false, null, on, off, yes and no as values: no key may be spelt so.
_SOURCES = frozenset({"column", "join", "value", "matrix"})
_CUSTOM_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
CUSTOM_TEXT_LIMIT = 2_000
_PLAIN = frozenset({"column", "default"})
_OPTIONS: dict[str, frozenset[str]] = {
    targets.TEXT: _PLAIN | {"join", "with", "value"},
    targets.NAME: _PLAIN | {"join", "with", "value"},
    targets.NUMBER: _PLAIN | {"convert", "values", "unknown", "keep", "value", "matrix"},
    targets.MOMENT: _PLAIN | {"format", "zone"},
    targets.FLAG: _PLAIN | {"when_true", "when_false", "invert", "value"},
    targets.CHOICE: _PLAIN | {"values", "unknown", "keep", "value"},
    targets.STATE: _PLAIN | {"values", "unknown", "keep", "value"},
    targets.PERSON: _PLAIN,
    targets.TEAM: _PLAIN | {"value"},
    targets.ORGANIZATION: _PLAIN | {"value"},
    targets.SERVICE: _PLAIN | {"value"},
    targets.CATEGORY: _PLAIN | {"value"},
}
_UNKNOWN = ("reject", "keep", "empty")


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """columns: joined by `joiner` where there are several."""

    field: Field
    columns: tuple[str, ...] = ()
    convert: Converter | None = None
    joiner: str = ""
    default: Any = None
    matrix: Mapping[tuple[int, int], int] | None = None

    def read(self, raw: str | None) -> Any:
        """The value of the column's text (of several joined), None if there is none, or KEEP.

        Raises RowError with the column.
        """
        if raw is None:
            return self.default
        if self.convert is None:
            return raw
        try:
            return self.convert(raw)
        except RowError as error:
            raise RowError(error.code, error.reason, self.columns[0]) from error

    def reader(self, nulls: frozenset[str]) -> Callable[..., Any]:
        """A function of the columns' texts as they stand in the row.

        Texts repeat from row to row (a group, a date), so results are kept; long texts are not.
        """

        def one(raw: str | None) -> Any:
            raw = raw.strip() if raw is not None else ""
            return self.read(None if raw in nulls else raw)

        def several(*raws: str | None) -> Any:
            parts = [raw.strip() for raw in raws if raw is not None]
            return self.read(self.joiner.join(p for p in parts if p not in nulls) or None)

        function = one if len(self.columns) == 1 else several
        if self.field.type == targets.TEXT:
            return function
        return lru_cache(maxsize=KEPT_RESULTS)(function)


@dataclass(frozen=True, slots=True)
class CustomPlan:
    name: str
    column: str
    convert: Converter


class Plans:
    """Makes the plans of a target's fields, with the mapping's zone and date forms."""

    def __init__(self, target: Target, zone: ZoneInfo, dates: tuple[str, ...]) -> None:
        self.target = target
        self.zone = zone
        self.dates = dates

    def fields(self, given: Mapping[Any, Any]) -> tuple[FieldPlan, ...]:
        plans = []
        for name, spec in given.items():
            place = f"fields.{name}"
            field = self.target.get(name) if isinstance(name, str) else None
            if field is None:
                known = ", ".join(item.name for item in self.target.every())
                raise MappingError(
                    place, _("There is no such field; known: %(known)s.") % {"known": known}
                )
            plans.append(self._plan(field, spec, place))
        named = {plan.field.name for plan in plans}
        for field in self.target.every():
            if field.required and field.name not in named:
                raise MappingError(f"fields.{field.name}", _("This is needed."))
        if "subcategory" in named and "category" not in named:
            raise MappingError("fields.subcategory", _("It needs a category."))
        return tuple(plans)

    def custom(self, given: Mapping[Any, Any]) -> tuple[CustomPlan, ...]:
        makers: dict[str, Callable[[], Converter]] = {
            "text": lambda: converters.text(CUSTOM_TEXT_LIMIT),
            "integer": lambda: converters.integer(-2_147_483_648),
            "boolean": lambda: converters.boolean(
                ["true", "1", "yes"], ["false", "0", "no"], False
            ),
            "moment": lambda: converters.moment(list(self.dates), self.zone),
        }
        plans = []
        for name, spec in given.items():
            place = f"custom.{name}"
            if not isinstance(name, str) or not _CUSTOM_NAME.fullmatch(name):
                raise MappingError(place, _("A custom field is a short word in small letters."))
            spec = spec if isinstance(spec, dict) else {"column": spec}
            refuse_unknown(spec, {"column", "convert"}, place)
            maker = makers.get(spec.get("convert", "text"))
            if maker is None:
                raise MappingError(
                    f"{place}.convert",
                    _("There is no converter “%(name)s”; known: %(known)s.")
                    % {"name": spec["convert"], "known": ", ".join(makers)},
                )
            plans.append(CustomPlan(name, text_of(spec.get("column", ""), place), maker()))
        return tuple(plans)

    def _plan(self, field: Field, spec: Any, place: str) -> FieldPlan:
        spec = spec if isinstance(spec, dict) else {"column": spec}
        refuse_unknown(spec, _OPTIONS[field.type], place)
        if len(_SOURCES & spec.keys()) != 1:
            raise MappingError(place, _("Name one of: column, join, value, matrix."))
        convert = self._converter(field, spec, place)
        default = self._constant(field, spec.get("default"), convert, f"{place}.default")
        if "value" in spec:
            constant = self._constant(field, spec["value"], convert, f"{place}.value")
            return FieldPlan(field, default=constant)
        if "matrix" in spec:
            return FieldPlan(field, matrix=_matrix(spec["matrix"], f"{place}.matrix"))
        if "join" in spec:
            columns = spec["join"]
            if not isinstance(columns, list) or not columns:
                raise MappingError(f"{place}.join", _("This is a list of columns."))
            names = tuple(text_of(item, f"{place}.join") for item in columns)
            joiner = spec.get("with", " ")
            if not isinstance(joiner, str):
                raise MappingError(f"{place}.with", _("This is a text."))
            return FieldPlan(field, names, convert, joiner, default)
        return FieldPlan(field, (text_of(spec["column"], place),), convert, "", default)

    def _constant(self, field: Field, value: Any, convert: Converter, place: str) -> Any:
        """A default or constant, in the field's own words (not the file's)."""
        if value is None:
            return None
        if field.type == targets.STATE:
            return self._state(value, place)
        if field.type == targets.FLAG:
            if not isinstance(value, bool):
                raise MappingError(place, _("This is true or false."))
            return value
        if field.type == targets.CHOICE:
            return _allowed(value, field.choices, place)
        if field.type == targets.NUMBER:
            return _number(value, field, place)
        if field.type == targets.MOMENT:
            raise MappingError(place, _("A date has no default."))
        try:
            return convert(text_of(value, place))
        except RowError as error:
            raise MappingError(place, error.reason) from error

    def _converter(self, field: Field, spec: Mapping[str, Any], place: str) -> Converter:
        if field.type == targets.TEXT:
            return converters.text(field.limit)
        if field.type == targets.MOMENT:
            dates = dates_of(spec["format"], f"{place}.format") if "format" in spec else self.dates
            zone = zone_of(spec["zone"], f"{place}.zone") if "zone" in spec else self.zone
            return converters.moment(list(dates), zone)
        if field.type == targets.FLAG:
            return _flag(spec, place)
        if field.type == targets.NUMBER:
            return self._number_converter(field, spec, place)
        if field.type == targets.STATE:
            return self._values(spec, place, self._state)
        if field.type == targets.CHOICE:
            return self._values(
                spec, place, lambda value, at: _allowed(value, field.choices, at), field.choices
            )
        return converters.name(field.limit)

    def _number_converter(self, field: Field, spec: Mapping[str, Any], place: str) -> Converter:
        if "values" in spec:
            return self._values(spec, place, lambda value, at: _number(value, field, at))
        kind = spec.get("convert", "integer")
        if kind == "integer":
            return converters.integer(field.low, field.high)
        if kind == "prefix_number":
            return converters.prefix_number(field.low, field.high)
        raise MappingError(
            f"{place}.convert",
            _("There is no converter “%(name)s”; known: %(known)s.")
            % {"name": kind, "known": "integer, prefix_number"},
        )

    def _values(
        self,
        spec: Mapping[str, Any],
        place: str,
        check: Callable[[Any, str], Any],
        own: frozenset[str] = frozenset(),
    ) -> Converter:
        """own: codes that stand for themselves where the mapping has no table."""
        given = spec.get("values")
        if given is None and "value" not in spec and not own:
            if check == self._state:
                own = self.target.states()
            else:
                raise MappingError(f"{place}.values", _("This is needed."))
        if given is not None and not isinstance(given, dict):
            raise MappingError(f"{place}.values", _("Here stand keys with values."))
        table = given if given is not None else {code: code for code in own}
        known = {str(key): check(value, f"{place}.values.{key}") for key, value in table.items()}
        keep = spec.get("keep", [])
        for token in keep if isinstance(keep, list) else [keep]:
            known[text_of(token, f"{place}.keep")] = KEEP
        unknown = spec.get("unknown", "reject")
        if unknown not in _UNKNOWN:
            raise MappingError(
                f"{place}.unknown",
                _("It is one of: %(known)s.") % {"known": ", ".join(_UNKNOWN)},
            )
        return converters.choice(known, unknown)

    def _state(self, value: Any, place: str) -> tuple[str, str]:
        """(state, hold reason or ""). Written as a code, or as {state, hold_reason}."""
        given = value if isinstance(value, dict) else {"state": value}
        refuse_unknown(given, {"state", "hold_reason"}, place)
        state = _allowed(given.get("state"), self.target.states(), place)
        reason = given.get("hold_reason", "")
        if reason:
            _allowed(reason, frozenset(HoldReason.values), f"{place}.hold_reason")
        return state, reason


def _allowed(value: Any, choices: frozenset[str], place: str) -> str:
    if value not in choices:
        raise MappingError(
            place,
            _("“%(value)s” is not one of: %(known)s.")
            % {"value": value, "known": ", ".join(sorted(choices))},
        )
    return str(value)


def _number(value: Any, field: Field, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise MappingError(place, _("This is a whole number."))
    if not field.low <= value <= field.high:
        raise MappingError(
            place,
            _("%(number)d lies outside %(low)d to %(high)d.")
            % {"number": value, "low": field.low, "high": field.high},
        )
    return value


def _flag(spec: Mapping[str, Any], place: str) -> Converter:
    words: dict[str, list[str]] = {}
    for key, usual in (
        ("when_true", ["true", "1", "yes"]),
        ("when_false", ["false", "0", "no"]),
    ):
        given = spec.get(key, usual)
        given = given if isinstance(given, list) else [given]
        words[key] = [text_of(item, f"{place}.{key}") for item in given]
    invert = spec.get("invert", False)
    if not isinstance(invert, bool):
        raise MappingError(f"{place}.invert", _("This is true or false."))
    return converters.boolean(words["when_true"], words["when_false"], invert)


def _matrix(given: Any, place: str) -> dict[tuple[int, int], int]:
    """Three rows (impact high, medium, low) of three priorities (urgency high, medium, low)."""
    good = (
        isinstance(given, list)
        and len(given) == 3
        and all(isinstance(row, list) and len(row) == 3 for row in given)
        and all(isinstance(cell, int) and 1 <= cell <= 5 for row in given for cell in row)
    )
    if not good:
        raise MappingError(
            place, _("Give three rows (impact 1 to 3) of three priorities (urgency 1 to 3).")
        )
    return {(i + 1, u + 1): given[i][u] for i in range(3) for u in range(3)}
