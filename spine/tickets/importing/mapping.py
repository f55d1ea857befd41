"""A mapping: which column becomes which field, checked in full before any row is read.

See docs/importing.md for every key. A mistake is a MappingError that names its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from django.utils.translation import gettext as _

from spine.tickets.importing import targets
from spine.tickets.importing.delimited import Dialect
from spine.tickets.importing.errors import MappingError
from spine.tickets.importing.fieldplans import CustomPlan, FieldPlan, Plans
from spine.tickets.importing.source import FORMATS
from spine.tickets.importing.targets import Target
from spine.tickets.importing.yamlparts import dates_of, refuse_unknown, section, text_of, zone_of

MAX_BYTES = 1_000_000
_SOURCE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_RELATION = re.compile(r"[a-z][a-z0-9_]{0,23}")
_TOP = frozenset(
    {
        "kind", "source", "file", "nulls", "zone", "dates", "key", "events", "people", "clocks",
        "fields", "custom", "references",
    }
)  # fmt: skip
MATCHES = ("external", "username", "email")


@dataclass(frozen=True, slots=True)
class Events:
    """Several rows per ticket. order: columns of numbers that put them in order; at: when; actor:
    who (a column or None)."""

    order: tuple[str, ...]
    at: str
    actor: str | None


@dataclass(frozen=True, slots=True)
class Reference:
    relation: str
    column: str
    source: str


@dataclass(frozen=True, slots=True)
class Mapping:
    """columns: the file's columns that the mapping reads, in a fixed order; rows are staged so."""

    target: Target
    source: str
    key: str
    events: Events | None
    fields: tuple[FieldPlan, ...]
    custom: tuple[CustomPlan, ...]
    references: tuple[Reference, ...]
    nulls: frozenset[str]
    zone: ZoneInfo
    dates: tuple[str, ...]
    format: str | None
    encoding: str | None
    dialect: Dialect | None
    sheet: str | None
    people_match: str
    start_clocks: bool
    columns: tuple[str, ...]
    text: bytes = field(repr=False, default=b"")

    def check_columns(self, found: list[str]) -> None:
        """Raises MappingError if the file lacks a column that the mapping names."""
        for column in self.columns:
            if found.count(column) == 1:
                continue
            message = (
                _("The file has several columns “%s”.")
                if column in found
                else _("The file has no column “%s”.")
            )
            raise MappingError(self._place_of(column), message % column)

    def _place_of(self, column: str) -> str:
        if column == self.key:
            return "key"
        for plan in self.fields:
            if column in plan.columns:
                return f"fields.{plan.field.name}"
        for custom in self.custom:
            if column == custom.column:
                return f"custom.{custom.name}"
        for reference in self.references:
            if column == reference.column:
                return f"references.{reference.relation}"
        return "events"


def load(path: Path) -> Mapping:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise MappingError(
            str(path),
            _("The mapping can't be read: %s.") % (error.strerror or str(error)).lower(),
        ) from error
    if len(raw) > MAX_BYTES:
        raise MappingError(str(path), _("The mapping is larger than 1 MB."))
    return parse(raw)


def parse(raw: bytes) -> Mapping:
    return _Parser(_read_yaml(raw), raw).mapping()


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that is there twice; YAML's habit is to take the last silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _value in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str | int | bool | float) and key in seen:
                raise MappingError(
                    _("line %d") % (key_node.start_mark.line + 1),
                    _("“%s” is there twice.") % key,
                )
            if isinstance(key, str | int | bool | float):
                seen.add(key)
        return super().construct_mapping(node, deep)


def _read_yaml(raw: bytes) -> dict[str, Any]:
    try:
        # A SafeLoader underneath: it builds plain values only.
        parsed = yaml.load(raw, Loader=_StrictLoader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = _("line %d") % (mark.line + 1) if mark else "YAML"
        raise MappingError(place, str(error.problem)) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise MappingError("YAML", str(error).splitlines()[0]) from error
    if not isinstance(parsed, dict):
        raise MappingError("YAML", _("A mapping is a set of keys with values."))
    return parsed


class _Parser:
    def __init__(self, top: dict[str, Any], raw: bytes) -> None:
        self.top = top
        self.raw = raw

    def mapping(self) -> Mapping:
        refuse_unknown(self.top, _TOP, "")
        target = self._target()
        source = self._text("source")
        if not _SOURCE.fullmatch(source):
            raise MappingError(
                "source", _("Use small letters, digits, dots and hyphens, at most 64.")
            )
        zone, dates = self._zone(), self._dates()
        plans = Plans(target, zone, dates)
        fields = plans.fields(section(self.top, "fields", required=True))
        custom = plans.custom(section(self.top, "custom"))
        references, events, key = self._references(source), self._events(), self._text("key")
        file = section(self.top, "file")
        refuse_unknown(file, {"format", "encoding", "delimiter", "quote", "sheet"}, "file")
        return Mapping(
            target=target,
            source=source,
            key=key,
            events=events,
            fields=fields,
            custom=custom,
            references=references,
            nulls=self._nulls(),
            zone=zone,
            dates=dates,
            format=self._one_of(file, "format", FORMATS, "file.format"),
            encoding=self._encoding(file),
            dialect=self._dialect(file),
            sheet=text_of(file["sheet"], "file.sheet") if "sheet" in file else None,
            people_match=self._people(),
            start_clocks=self._clocks(),
            columns=_columns(key, events, fields, custom, references),
            text=self.raw,
        )

    def _target(self) -> Target:
        known = targets.every()
        kind = self._text("kind")
        if kind not in known:
            raise MappingError(
                "kind",
                _("There is no kind “%(kind)s”; known: %(known)s.")
                % {"kind": kind, "known": ", ".join(sorted(known))},
            )
        return known[kind]

    def _text(self, key: str) -> str:
        if key not in self.top:
            raise MappingError(key, _("This is needed."))
        return text_of(self.top[key], key)

    def _zone(self) -> ZoneInfo:
        return zone_of(self.top.get("zone", "UTC"), "zone")

    def _dates(self) -> tuple[str, ...]:
        return dates_of(self.top.get("dates", []), "dates")

    def _nulls(self) -> frozenset[str]:
        tokens = self.top.get("nulls", [])
        tokens = tokens if isinstance(tokens, list) else [tokens]
        return frozenset({"", *(text_of(token, "nulls") for token in tokens)})

    def _events(self) -> Events | None:
        if "events" not in self.top:
            return None
        given = section(self.top, "events")
        refuse_unknown(given, {"order", "at", "actor"}, "events")
        for key in ("order", "at"):
            if key not in given:
                raise MappingError(f"events.{key}", _("This is needed."))
        order = given["order"]
        columns = order if isinstance(order, list) else [order]
        actor = text_of(given["actor"], "events.actor") if "actor" in given else None
        return Events(
            tuple(text_of(column, "events.order") for column in columns),
            text_of(given["at"], "events.at"),
            actor,
        )

    def _references(self, source: str) -> tuple[Reference, ...]:
        found = []
        for relation, column in section(self.top, "references").items():
            place = f"references.{relation}"
            if not isinstance(relation, str) or not _RELATION.fullmatch(relation):
                raise MappingError(place, _("A relation is a short word in small letters."))
            found.append(Reference(relation, text_of(column, place), source))
        return tuple(found)

    def _people(self) -> str:
        given = section(self.top, "people")
        refuse_unknown(given, {"match"}, "people")
        return self._one_of(given, "match", MATCHES, "people.match") or "external"

    def _clocks(self) -> bool:
        return self._one_of(self.top, "clocks", ("start", "none"), "clocks") != "none"

    def _encoding(self, file: AnyMapping[str, Any]) -> str | None:
        if file.get("encoding", "auto") == "auto":
            return None
        return text_of(file["encoding"], "file.encoding")

    def _dialect(self, file: AnyMapping[str, Any]) -> Dialect | None:
        marks = {}
        for key in ("delimiter", "quote"):
            if key not in file:
                continue
            mark = file[key]
            if not isinstance(mark, str) or len(mark) != 1 or mark in "\r\n\0":
                raise MappingError(f"file.{key}", _("This is one character."))
            marks[key] = mark
        if not marks:
            return None
        if marks.get("delimiter", ",") == marks.get("quote", '"'):
            raise MappingError("file.quote", _("It can't be the delimiter, too."))
        return Dialect(marks.get("delimiter", ","), marks.get("quote", '"'))

    @staticmethod
    def _one_of(
        given: AnyMapping[str, Any], key: str, allowed: tuple[str, ...], place: str
    ) -> str | None:
        if key not in given:
            return None
        if given[key] not in allowed:
            raise MappingError(place, _("It is one of: %(known)s.") % {"known": ", ".join(allowed)})
        return str(given[key])


def _columns(
    key: str,
    events: Events | None,
    fields: tuple[FieldPlan, ...],
    custom: tuple[CustomPlan, ...],
    references: tuple[Reference, ...],
) -> tuple[str, ...]:
    names = [key]
    if events is not None:
        names += [*events.order, events.at]
        names += [events.actor] if events.actor else []
    for plan in fields:
        names += plan.columns
    names += [item.column for item in custom]
    names += [item.column for item in references]
    return tuple(dict.fromkeys(names))
