"""A batch of records into the database: new ones with COPY, changed ones through the model.

`bulk_create` refuses children of a concrete parent, so ids are drawn first, parents are copied,
then children, history and references. The caller has opened the operation.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.utils.translation import gettext as _

from spine.audit.operations import Operation
from spine.kit.clock import now
from spine.search import sources
from spine.search.indexing import document_rows, index, write_rows
from spine.tickets import clocks, kinds, numbering
from spine.tickets.changes import diff
from spine.tickets.fields import TRACKED
from spine.tickets.importing.copying import copy_rows, reserve_ids
from spine.tickets.importing.folding import Record
from spine.tickets.importing.mapping import Mapping
from spine.tickets.importing.models import SourceRecord
from spine.tickets.importing.references import Known, Resolver, lock_makers
from spine.tickets.models import ExternalReference, HistoryEvent, Ticket
from spine.tickets.priority import matrix

_HISTORY = ("ticket_id", "position", "at", "actor_label", "verb", "state_label", "changes")
_REFERENCE = ("ticket_id", "relation", "source", "external_id")
_SOURCE_RECORD = ("ticket_id", "digest", "values")
# Fields that decide others: state with hold reason, and the priority's lookup.
_STATE = frozenset({"state", "hold_reason"})
_PRIORITY = frozenset({"impact", "urgency", "priority"})


@dataclass(slots=True)
class Stored:
    """What is here of a record already."""

    ticket_id: int
    kind: str
    digest: str
    values: dict[str, Any]


@dataclass(slots=True)
class Sorted:
    """A batch, told apart by what has to be done."""

    new: list[Record] = field(default_factory=list)
    changed: list[tuple[Record, Stored]] = field(default_factory=list)
    unchanged: int = 0
    strange: list[Record] = field(default_factory=list)  # the id belongs to another kind


def sort_out(mapping: Mapping, records: Sequence[Record]) -> Sorted:
    rows = Ticket.objects.filter(
        external_source=mapping.source, external_id__in=[record.key for record in records]
    ).values_list("external_id", "id", "kind", "source_record__digest", "source_record__values")
    stored = {
        key: Stored(pk, kind, digest or "", values or {}) for key, pk, kind, digest, values in rows
    }
    sorted_out = Sorted()
    for record in records:
        found = stored.get(record.key)
        if found is None:
            sorted_out.new.append(record)
        elif found.kind != mapping.target.kind:
            sorted_out.strange.append(record)
        elif found.digest == record.digest:
            sorted_out.unchanged += 1
        else:
            sorted_out.changed.append((record, found))
    return sorted_out


class Writer:
    """Writes what `sort_out` found to be new or changed."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._kind = kinds.get(mapping.target.kind)
        self._model = mapping.target.model()
        self._resolver = Resolver(mapping)
        self._own = set(mapping.target.own_names)
        self._people = {f.name for f in mapping.target.every() if f.type == "person"}

    def write(self, sorted_out: Sorted, op: Operation) -> None:
        records = [*sorted_out.new, *(record for record, _stored in sorted_out.changed)]
        if not records:
            return
        lock_makers()
        known = self._resolver.resolve(records, op)
        made = self._create(sorted_out.new, known, op)
        self._index(made, self._change(sorted_out.changed, known, op))

    def _create(self, records: Sequence[Record], known: Known, op: Operation) -> list[Ticket]:
        if not records:
            return []
        ids = list(reserve_ids("tickets_ticket", len(records)))
        numbers = numbering.next_numbers(self._kind.prefix, len(records))
        made = [
            self._instance(record, known, pk, number)
            for record, pk, number in zip(records, ids, numbers, strict=True)
        ]
        copy_instances(Ticket, made)
        copy_instances(self._model, made)
        self._copy_parts(zip(ids, records, strict=True))
        for ticket, record in zip(made, records, strict=True):
            op.record(
                target=ticket,
                verb=f"{self._kind.code}.imported",
                data={
                    "source": self._mapping.source,
                    "external_id": record.key,
                    "events": len(record.events),
                },
            )
        self._start_clocks(made)
        return made

    def _instance(self, record: Record, known: Known, pk: int, number: str) -> Ticket:
        ticket = self._model(
            pk=pk,
            id=pk,
            uuid=uuid.uuid4(),
            number=number,
            kind=self._kind.code,
            external_source=self._mapping.source,
            external_id=record.key,
        )
        for name, value in self._columns(record, known).items():
            setattr(ticket, name, value)
        ticket.custom = _custom(record)
        return ticket

    def _columns(self, record: Record, known: Known) -> dict[str, Any]:
        """Column names and values, of the parent and of the child."""
        values = record.values
        columns: dict[str, Any] = {}
        for name, value in values.items():
            if name in self._people:
                columns[f"{name}_id"] = known.people[value] if value else None
            elif name == "assignment_group":
                columns["assignment_group_id"] = known.teams[value] if value else None
            elif name == "service":
                columns["service_id"] = known.services[value] if value else None
            elif name not in {"organization", "category", "subcategory"}:
                columns[name] = value
        organization = values.get("organization")
        columns["organization_id"] = (
            known.organizations[organization] if organization else known.home
        )
        category, subcategory = values.get("category"), values.get("subcategory")
        columns["category_id"] = known.categories[category, ""] if category else None
        columns["subcategory_id"] = (
            known.categories[category, subcategory] if category and subcategory else None
        )
        columns["opened_by_id"] = columns.get("opened_by_id") or columns["caller_id"]
        columns["active"] = self._kind.lifecycle.state(values["state"]).active
        columns["channel"] = values.get("channel") or "api"
        columns["priority_reason"] = self._priority_reason(values)
        for name in ("reassignment_count", "reopen_count"):
            columns[name] = values.get(name) or 0
        for name in ("breached", "response_breached"):
            columns[name] = bool(values.get(name))
        for name in ("description", "close_code", "close_notes"):
            if name in columns and columns[name] is None:
                columns[name] = ""
        return columns

    def _priority_reason(self, values: dict[str, Any]) -> str:
        """Where our matrix would say otherwise, the source's priority stands as an override: the
        next edit of impact or urgency must not silently re-judge it."""
        if matrix()[values["impact"], values["urgency"]] == values["priority"]:
            return ""
        return _("As %(source)s had it.") % {"source": self._mapping.source}

    def _copy_parts(self, pairs: Iterable[tuple[int, Record]]) -> None:
        history: list[tuple[Any, ...]] = []
        references: list[tuple[Any, ...]] = []
        sources: list[tuple[Any, ...]] = []
        for pk, record in pairs:
            history += [
                (pk, e.position, e.at, e.actor, e.verb, e.state_label, e.changes)
                for e in record.events
            ]
            references += [
                (pk, relation, self._mapping.source, external_id)
                for relation, external_id in record.references.items()
            ]
            sources.append((pk, record.digest, record.plain))
        copy_rows(HistoryEvent._meta.db_table, _HISTORY, history)
        copy_rows(ExternalReference._meta.db_table, _REFERENCE, references)
        copy_rows(SourceRecord._meta.db_table, _SOURCE_RECORD, sources)

    def _change(
        self, changed: Sequence[tuple[Record, Stored]], known: Known, op: Operation
    ) -> list[int]:
        if not changed:
            return []
        ids = [stored.ticket_id for _record, stored in changed]
        locked = (
            self._model._default_manager.select_for_update(of=("self", "ticket_ptr"))
            .select_related("assignee", "assignment_group", "caller", "service", "category")
            .select_related("subcategory")
        )
        tickets = {ticket.pk: ticket for ticket in locked.filter(pk__in=ids).order_by("pk")}
        for record, stored in changed:
            self._merge(tickets[stored.ticket_id], record, stored, known, op)
        for table in (HistoryEvent, ExternalReference):
            table.objects.filter(ticket_id__in=ids, **_of_source(table, self._mapping)).delete()
        SourceRecord.objects.filter(ticket_id__in=ids).delete()
        self._copy_parts((stored.ticket_id, record) for record, stored in changed)
        return ids

    def _merge(
        self, ticket: Ticket, record: Record, stored: Stored, known: Known, op: Operation
    ) -> None:
        """Writes what the source changed since it was last read; what was changed here stays."""
        plain = record.plain
        names = {
            name
            for name in plain.keys() | stored.values.keys()
            if plain.get(name) != stored.values.get(name)
        }
        names = {name.split(".", 1)[0] for name in names} - {"references", "updated_at"}
        if not names:
            return
        columns = self._columns(record, known)
        before = {name: getattr(ticket, name) for name in sorted(TRACKED | names)}
        for column in self._touched(names):
            if column in columns:
                setattr(ticket, column, columns[column])
        if "custom" in names:
            ticket.custom = {**ticket.custom, **_custom(record)}
        moment = now()
        ticket.version += 1
        ticket.updated_at = max(columns["updated_at"], ticket.updated_at)
        flags = (ticket.breached, ticket.response_breached)
        clocks.advance(ticket, before, moment)
        # The source's word on whether it was late stands beside ours.
        ticket.breached |= flags[0]
        ticket.response_breached |= flags[1]
        ticket.save()
        op.record(
            target=ticket,
            verb=f"{self._kind.code}.import_updated",
            changes=diff(before, ticket),
            data={"source": self._mapping.source, "external_id": record.key},
        )

    def _touched(self, names: set[str]) -> set[str]:
        """Columns that follow from the fields the source changed."""
        if names & _STATE:
            names = names | _STATE | {"active"}
        if names & _PRIORITY:
            names = names | _PRIORITY | {"priority_reason"}
        if names & {"category", "subcategory"}:
            names = names | {"category", "subcategory"}
        if names & {"caller"}:
            names = names | {"opened_by"}
        return names | {f"{name}_id" for name in names}

    def _start_clocks(self, tickets: Iterable[Ticket]) -> None:
        """Only what is still open is timed, from when it was opened."""
        if not self._mapping.start_clocks:
            return
        moment = now()
        for ticket in tickets:
            if not ticket.active or ticket.state in self._kind.resolved_states:
                continue
            flags = (ticket.breached, ticket.response_breached)
            planned = clocks.plan(ticket)
            clocks.store(ticket, planned)
            if planned:
                clocks.advance(ticket, {"state": self._kind.lifecycle.initial}, moment)
                ticket.breached |= flags[0]
                ticket.response_breached |= flags[1]
                Ticket.objects.filter(pk=ticket.pk).update(
                    due_at=ticket.due_at,
                    breached=ticket.breached,
                    response_breached=ticket.response_breached,
                )

    def _index(self, made: Sequence[Ticket], changed: Sequence[int]) -> None:
        source = sources.find(self._kind.code)
        if source is None:
            return
        # Nobody else can know the new rows yet, so they need no turn-taking.
        write_rows(document_rows(source, made))
        index(source, changed)


def _custom(record: Record) -> dict[str, Any]:
    plain = record.plain
    return {
        name.removeprefix("custom."): value
        for name, value in plain.items()
        if name.startswith("custom.")
    }


def _of_source(table: type[models.Model], mapping: Mapping) -> dict[str, str]:
    return {"source": mapping.source} if table is ExternalReference else {}


def copy_instances(model: type[models.Model], instances: Sequence[models.Model]) -> None:
    """The columns of this very table (not of its parents), as the instances have them."""
    fields = model._meta.local_concrete_fields
    # The link to the parent carries the parent's key.
    names = ["pk" if field.primary_key else field.attname for field in fields]
    rows = ([getattr(item, name) for name in names] for item in instances)
    copy_rows(model._meta.db_table, [str(field.column) for field in fields], rows)
