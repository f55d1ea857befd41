"""The rows of one ticket become one record and its history. Pure: no database.

The last event is the record; every event is history, told as what changed since the one before.
Outcomes (resolved at, close code) stand on every row of an export and are never told as known at
an earlier event.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

from spine.tickets import kinds
from spine.tickets.importing import targets
from spine.tickets.importing.converters import KEEP, KEPT_RESULTS, moment, name, shown
from spine.tickets.importing.errors import RowError
from spine.tickets.importing.mapping import Mapping
from spine.tickets.priority import matrix

MAX_EVENTS = 5_000
STATE_LABEL_LIMIT = 64
ACTOR_LIMIT = 200
REFERENCE_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Staged:
    """A row as it was staged. digest: of the whole row, mapped or not; values: by the mapping's
    columns."""

    line: int
    digest: str
    values: list[str | None]


@dataclass(frozen=True, slots=True)
class Reject:
    line: int
    key: str
    column: str
    code: str
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Event:
    """A row of HistoryEvent. changes: {field: [old, new]}, references by name."""

    position: int
    at: datetime
    actor: str
    verb: str
    state_label: str
    changes: dict[str, list[Any]]

    def plain(self) -> list[Any]:
        return [
            self.position, stamp(self.at), self.actor, self.verb, self.state_label, self.changes
        ]  # fmt: skip


@dataclass(slots=True)
class Record:
    """A ticket as the source has it in the end. values: {field: value}, references by name;
    references: {relation: external id}; teams: all that ever had it."""

    key: str
    values: dict[str, Any]
    custom: dict[str, Any]
    references: dict[str, str]
    events: list[Event]
    teams: set[str]
    # The values as they are kept for the next run to compare with.
    plain: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    def seal(self) -> None:
        """Sets `plain` and `digest`; the record is complete then."""
        self.plain = {
            **{name: stamp(value) for name, value in self.values.items()},
            **{f"custom.{name}": stamp(value) for name, value in self.custom.items()},
            **{f"references.{name}": value for name, value in self.references.items()},
        }
        content = [self.plain, [event.plain() for event in self.events]]
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        self.digest = hashlib.sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class _Reading:
    """One row, converted."""

    staged: Staged
    order: tuple[float, ...]
    at: datetime | None
    actor: str
    state_label: str
    values: dict[str, Any]
    custom: dict[str, Any]
    references: dict[str, str]


@dataclass(slots=True)
class Folded:
    record: Record | None
    rejects: list[Reject] = field(default_factory=list)


def stamp(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


_Cell = tuple[Callable[[str | None], Any], int]
_Named = tuple[str, Callable[[str | None], Any], int]


@dataclass(frozen=True, slots=True)
class _EventReaders:
    order: list[_Cell]
    at: _Cell
    actor: _Cell | None

    def read(self, cells: list[str | None]) -> tuple[tuple[float, ...], datetime | None, str]:
        """(order, the empty ones first; when; who)"""
        found = [read(cells[index]) for read, index in self.order]
        order = tuple(-math.inf if value is None else value for value in found)
        at = self.at[0](cells[self.at[1]])
        actor = self.actor[0](cells[self.actor[1]]) if self.actor else None
        return order, at, actor or ""


class Folder:
    """organizations: codes that exist here."""

    def __init__(self, mapping: Mapping, organizations: frozenset[str]) -> None:
        self._mapping = mapping
        self._organizations = organizations
        place = {column: index for index, column in enumerate(mapping.columns)}
        readers = [(plan, plan.reader(mapping.nulls)) for plan in mapping.fields]
        self._singles = [
            (plan.field.name, read, place[plan.columns[0]])
            for plan, read in readers
            if len(plan.columns) == 1
        ]
        self._others = [
            (plan.field.name, read, [place[name] for name in plan.columns])
            for plan, read in readers
            if len(plan.columns) != 1
        ]
        self._custom = [
            (plan.name, self._cell(plan.column, plan.convert), place[plan.column])
            for plan in mapping.custom
        ]
        reference = name(REFERENCE_LIMIT)
        self._references = [
            (item.relation, self._cell(item.column, reference), place[item.column])
            for item in mapping.references
        ]
        self._events = self._event_readers(place)
        label = name(200)
        self._label = next(
            (
                (self._cell(plan.columns[0], label), place[plan.columns[0]])
                for plan in mapping.fields
                if plan.field.name == "state" and plan.columns
            ),
            None,
        )
        self._told = [
            item for item in targets.TOLD
            if item == "hold_reason" or any(p.field.name == item for p in mapping.fields)
        ]  # fmt: skip
        self._matrix = next((p.matrix for p in mapping.fields if p.matrix is not None), None)
        kind = kinds.get(mapping.target.kind)
        self._initial, self._hold_state = kind.lifecycle.initial, kind.hold_state

    def fold(self, key: str, rows: Iterable[Staged]) -> Folded:
        """Every row ends in the record's history or among the rejects."""
        folded = Folded(None)
        readings = [
            reading
            for staged in rows
            if (reading := self._read(key, staged, folded.rejects)) is not None
        ]
        readings = self._distinct(key, readings, folded.rejects)
        if not readings:
            return folded
        try:
            folded.record = self._record(key, readings)
        except RowError as error:
            folded.rejects += [
                self._reject(key, reading.staged, error.code, error.reason, error.column)
                for reading in readings
            ]
        return folded

    def _read(self, key: str, staged: Staged, rejects: list[Reject]) -> _Reading | None:
        try:
            return self._converted(staged)
        except RowError as error:
            rejects.append(self._reject(key, staged, error.code, error.reason, error.column))
            return None

    def _cell(self, column: str, convert: Callable[[str], Any]) -> Callable[[str | None], Any]:
        """A function of a cell's text: the value, or None where it is empty."""
        nulls = self._mapping.nulls

        @lru_cache(maxsize=KEPT_RESULTS)
        def read(raw: str | None) -> Any:
            raw = raw.strip() if raw is not None else ""
            if raw in nulls:
                return None
            try:
                return convert(raw)
            except RowError as error:
                raise RowError(error.code, error.reason, column) from error

        return read

    def _event_readers(self, place: dict[str, int]) -> _EventReaders | None:
        events, mapping = self._mapping.events, self._mapping
        if events is None:
            return None
        when = moment(list(mapping.dates), mapping.zone)
        actor = name(ACTOR_LIMIT)
        return _EventReaders(
            [(self._cell(column, number), place[column]) for column in events.order],
            (self._cell(events.at, when), place[events.at]),
            (self._cell(events.actor, actor), place[events.actor]) if events.actor else None,
        )

    def _converted(self, staged: Staged) -> _Reading:
        cells = staged.values
        order: tuple[float, ...] = ()
        at: datetime | None = None
        actor = label = ""
        if self._events is not None:
            order, at, actor = self._events.read(cells)
            if at is None and self._mapping.events is not None:
                raise RowError("required", _("The event has no time."), self._mapping.events.at)
        values = {name: read(cells[index]) for name, read, index in self._singles}
        for joined, read_all, places in self._others:
            values[joined] = read_all(*[cells[index] for index in places])
        organization = values.get("organization")
        if organization is not None and organization not in self._organizations:
            raise RowError("unknown_value", _("There is no organization “%s”.") % organization)
        if self._label is not None:
            read, index = self._label
            label = (read(cells[index]) or "")[:STATE_LABEL_LIMIT]
        return _Reading(
            staged, order, at, actor, label, values,
            _present(self._custom, cells), _present(self._references, cells),
        )  # fmt: skip

    def _distinct(
        self, key: str, readings: list[_Reading], rejects: list[Reject]
    ) -> list[_Reading]:
        """In order, without repetitions; several rows where one is meant are refused."""
        if self._mapping.events is None:
            readings.sort(key=lambda reading: reading.staged.line)
            for extra in readings[1:]:
                reason = _("Line %d has this ticket already.") % readings[0].staged.line
                rejects.append(self._reject(key, extra.staged, "repeated", reason))
            return readings[:1]
        readings.sort(key=lambda r: (r.order, r.at, r.staged.digest, r.staged.line))
        kept: list[_Reading] = []
        for reading in readings:
            if kept and kept[-1].staged.digest == reading.staged.digest:
                reason = _("Line %d is the same event.") % kept[-1].staged.line
                rejects.append(self._reject(key, reading.staged, "repeated", reason))
            else:
                kept.append(reading)
        return kept

    def _record(self, key: str, readings: list[_Reading]) -> Record:
        events: list[Event] = []
        teams: set[str] = set()
        told: dict[str, Any] = {}
        values: dict[str, Any] = {}
        for position, reading in enumerate(readings, start=1):
            values = self._settled(reading.values, values)
            if self._mapping.events is not None:
                after = self._view(values, reading)
                events.append(self._event(position, reading, told, after))
                told = after
            if values.get("assignment_group"):
                teams.add(values["assignment_group"])
        last = readings[-1]
        self._require(key, values)
        if values.get("updated_at") is None:
            values["updated_at"] = max(
                (r.at for r in readings if r.at is not None), default=None
            ) or _latest(values)
        record = Record(
            key=key,
            values=values,
            custom=last.custom,
            references=last.references,
            events=events,
            teams=teams,
        )
        record.seal()
        return record

    def _settled(self, read: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
        """Fields that say "keep" as they were, state and hold reason apart, priority looked up."""
        values: dict[str, Any] = {
            name: before.get(name) if value is KEEP else value for name, value in read.items()
        }
        state = read.get("state")
        if state is KEEP:
            values["state"] = before.get("state", self._initial)
            values["hold_reason"] = before.get("hold_reason", "")
        elif state is None:
            values["state"] = self._initial
        else:
            values["state"] = state[0]
            if values.get("hold_reason") is None or state[1]:
                values["hold_reason"] = state[1]
        if values["state"] != self._hold_state:
            values["hold_reason"] = ""
        if values.get("category") is None:
            values.pop("subcategory", None)
        for judged in ("impact", "urgency"):
            values[judged] = values.get(judged) or 3
        cell = (values["impact"], values["urgency"])
        if self._matrix is not None:
            values["priority"] = self._matrix[cell]
        elif values.get("priority") is None:
            values["priority"] = matrix()[cell]
        return values

    def _view(self, values: dict[str, Any], reading: _Reading) -> dict[str, Any]:
        view = {name: values.get(name) for name in self._told}
        view["hold_reason"] = values.get("hold_reason") or None
        for relation, _read, _index in self._references:
            view[relation] = reading.references.get(relation)
        return view

    def _event(
        self, position: int, reading: _Reading, before: dict[str, Any], after: dict[str, Any]
    ) -> Event:
        changes = {
            name: [before.get(name), value]
            for name, value in after.items()
            if before.get(name) != value
        }
        if position == 1:
            verb = "opened" if after.get("state") == self._initial else "recorded"
        elif "state" in changes:
            verb = "state_changed"
        elif "assignment_group" in changes or "assignee" in changes:
            verb = "assigned"
        else:
            verb = "updated" if changes else "recorded"
        assert reading.at is not None, "an event always has its time"
        return Event(position, reading.at, reading.actor, verb, reading.state_label, changes)

    def _require(self, key: str, values: dict[str, Any]) -> None:
        for item in self._mapping.target.every():
            if item.required and values.get(item.name) is None:
                raise RowError("required", _("The ticket has no %(field)s.") % {"field": item.name})

    def _reject(self, key: str, staged: Staged, code: str, reason: str, column: str = "") -> Reject:
        raw = json.dumps(
            dict(zip(self._mapping.columns, staged.values, strict=True)), ensure_ascii=False
        )
        return Reject(staged.line, key, column, code, reason, raw)


def _present(readers: list[_Named], cells: list[str | None]) -> dict[str, Any]:
    return {
        name: value for name, read, index in readers if (value := read(cells[index])) is not None
    }


def number(raw: str) -> float:
    """What puts events in order."""
    try:
        value = float(raw)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RowError("not_a_number", _("“%s” is not a number.") % shown(raw))
    return value


def _latest(values: dict[str, Any]) -> datetime:
    known = [values.get(name) for name in ("opened_at", "resolved_at", "closed_at")]
    return max(value for value in known if isinstance(value, datetime))
