"""The rows of one ticket become one record and its history. Pure: no database.

The last event is the record; every event is history, told as what changed since the one before.
Outcomes (resolved at, close code) stand on every row of an export and are never told as known at
an earlier event.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from spine.tickets import kinds
from spine.tickets.importing import targets
from spine.tickets.importing.converters import KEEP, moment, name
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
    rows: int
    digest: str = ""

    def plain(self) -> dict[str, Any]:
        """The values as they are kept for the next run to compare with."""
        return {
            **{name: stamp(value) for name, value in self.values.items()},
            **{f"custom.{name}": stamp(value) for name, value in self.custom.items()},
            **{f"references.{name}": value for name, value in self.references.items()},
        }


@dataclass(slots=True)
class _Reading:
    """One row, converted."""

    staged: Staged
    order: tuple[Any, ...]
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


class Folder:
    """organizations: codes that exist here."""

    def __init__(self, mapping: Mapping, organizations: frozenset[str]) -> None:
        self._mapping = mapping
        self._organizations = organizations
        self._place = {column: index for index, column in enumerate(mapping.columns)}
        self._moment = moment(list(mapping.dates), mapping.zone)
        self._label = name(STATE_LABEL_LIMIT)
        self._actor = name(ACTOR_LIMIT)
        self._reference = name(REFERENCE_LIMIT)
        self._state_column = next(
            (p.columns[0] for p in mapping.fields if p.field.name == "state" and p.columns), None
        )
        self._told = [
            item for item in targets.TOLD
            if item == "hold_reason" or any(p.field.name == item for p in mapping.fields)
        ]  # fmt: skip
        self._outcomes = {item.name for item in mapping.target.every() if item.outcome}
        self._initial = kinds.get(mapping.target.kind).lifecycle.initial

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

    def _converted(self, staged: Staged) -> _Reading:
        nulls = self._mapping.nulls

        def pick(column: str) -> str | None:
            raw = staged.values[self._place[column]]
            if raw is None:
                return None
            raw = raw.strip()
            return None if raw in nulls else raw

        order, at, actor = self._when(pick)
        values = {plan.field.name: plan.read(pick) for plan in self._mapping.fields}
        organization = values.get("organization")
        if organization is not None and organization not in self._organizations:
            raise RowError("unknown_value", _("There is no organization “%s”.") % organization)
        custom = {
            plan.name: _at(plan.column, plan.convert, raw)
            for plan in self._mapping.custom
            if (raw := pick(plan.column)) is not None
        }
        references = {
            item.relation: _at(item.column, self._reference, raw)
            for item in self._mapping.references
            if (raw := pick(item.column)) is not None
        }
        label = pick(self._state_column) if self._state_column else None
        state_label = self._label(label[:STATE_LABEL_LIMIT]) if label else ""
        return _Reading(staged, order, at, actor, state_label, values, custom, references)

    def _when(
        self, pick: Callable[[str], str | None]
    ) -> tuple[tuple[Any, ...], datetime | None, str]:
        events = self._mapping.events
        if events is None:
            return (), None, ""
        order = tuple(_order_value(column, pick(column)) for column in events.order)
        raw = pick(events.at)
        if raw is None:
            raise RowError("required", _("The event has no time."), events.at)
        at = _at(events.at, self._moment, raw)
        actor = pick(events.actor) if events.actor else None
        return order, at, self._actor(actor) if actor else ""

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
            rows=len(readings),
        )
        record.digest = _digest(record)
        return record

    def _settled(self, read: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
        """Fields that say "keep" as they were, state and hold reason apart, priority looked up."""
        values = {
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
        if values["state"] != kinds.get(self._mapping.target.kind).hold_state:
            values["hold_reason"] = ""
        if values.get("category") is None:
            values.pop("subcategory", None)
        for name in ("impact", "urgency"):
            values[name] = values.get(name) or 3
        cell = (values["impact"], values["urgency"])
        own = next((p.matrix for p in self._mapping.fields if p.field.name == "priority"), None)
        if own is not None:
            values["priority"] = own[cell]
        elif values.get("priority") is None:
            values["priority"] = matrix()[cell]
        return values

    def _view(self, values: dict[str, Any], reading: _Reading) -> dict[str, Any]:
        view = {name: stamp(values.get(name)) for name in self._told}
        view["hold_reason"] = values.get("hold_reason") or None
        view |= {item.relation: None for item in self._mapping.references}
        view |= reading.references
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


def _at(column: str, convert: Callable[[str], Any], raw: str) -> Any:
    try:
        return convert(raw)
    except RowError as error:
        raise RowError(error.code, error.reason, column) from error


def _order_value(column: str, raw: str | None) -> tuple[int, float]:
    """Numbers in order, the empty ones first."""
    if raw is None:
        return (0, 0.0)
    try:
        number = float(raw)
    except ValueError as error:
        raise RowError("not_a_number", _("“%s” is not a number.") % raw[:60], column) from error
    if number != number or number in (float("inf"), float("-inf")):
        raise RowError("not_a_number", _("“%s” is not a number.") % raw[:60], column)
    return (1, number)


def _latest(values: dict[str, Any]) -> datetime:
    known = [values.get(name) for name in ("opened_at", "resolved_at", "closed_at")]
    return max(value for value in known if isinstance(value, datetime))


def _digest(record: Record) -> str:
    plain = [record.plain(), [event.plain() for event in record.events]]
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
