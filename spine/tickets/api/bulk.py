"""Many rows in one request: each a new record, a change, or a move.

All or nothing (`atomic=true`, the default): the first refusal undoes all of it, and every row's
input is checked before the first is written. Row by row (`atomic=false`): each row stands alone and
reports for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from spine.kit.errors import DomainError, InvalidInput
from spine.outbox.operations import operation
from spine.people.api import actor_of
from spine.people.policy import require
from spine.rest import problems
from spine.rest.serializers import StrictSerializer
from spine.rest.views import body_of
from spine.tickets.api.shapes import move_schema
from spine.tickets.lifecycle import Lifecycle
from spine.tickets.models import Ticket

if TYPE_CHECKING:
    from spine.tickets.api.viewset import TicketViewSet

ROWS_MAX = 5000
ERRORS_MAX = 100
LOOKUP_CHUNK = 1000

NUMBER: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": 20}
VERSION: Mapping[str, Any] = {
    "type": "integer",
    "minimum": 1,
    "maximum": 2**31 - 1,
    "description": "Refuses a lost update.",
}
RESPONSE: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "atomic": {"type": "boolean"},
        "succeeded": {"type": "integer"},
        "failed": {"type": "integer"},
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "index": {"type": "integer"},
                    "status": {"type": "integer"},
                    "number": {"type": "string"},
                    "id": {"type": "string"},
                    "version": {"type": "integer"},
                    "problem": {"$ref": "#/components/schemas/Problem"},
                },
                "required": ["index", "status"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["atomic", "succeeded", "failed", "results"],
    "additionalProperties": False,
}
ATOMIC: Mapping[str, Any] = {
    "name": "atomic",
    "in": "query",
    "schema": {"type": "boolean"},
    "description": "All or nothing; row by row when false. May stand in the body instead.",
}


def request_schema(
    create: dict[str, Any], update: dict[str, Any], lifecycle: Lifecycle
) -> dict[str, Any]:
    """The body: rows that are each a new record, a change or a move.

    create, update: the schemas of the kind's own POST and PATCH.
    """
    named = {"number": NUMBER, "version": VERSION}
    change = {
        **update,
        "properties": {**named, **update["properties"]},
        "required": ["number"],
    }
    moves = []
    for move in lifecycle.moves:
        shape = move_schema(move)
        moves.append(
            {
                **shape,
                "properties": {**named, **shape["properties"]},
                "required": ["number", *shape["required"]],
            }
        )
    row = {"anyOf": [create, change, *moves]}
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": ROWS_MAX}
    whole = {
        "type": "object",
        "properties": {"rows": rows, "atomic": {"type": "boolean"}},
        "required": ["rows"],
        "additionalProperties": False,
    }
    return {"oneOf": [whole, rows]}


def split_move(data: Any) -> tuple[str, dict[str, Any]]:
    """(move, its values) of `{"move": "resolve", ...}`."""
    if not isinstance(data, dict):
        raise DomainError("wrong_type", _("Give a JSON object."))
    values = dict(data)
    code = values.pop("move", None)
    if code is None:
        raise DomainError("required", _("Name the move."), "move")
    if not isinstance(code, str):
        raise DomainError("wrong_type", _("Give a text."), "move")
    return code, values


class Batch:
    """One bulk request of a collection."""

    def __init__(self, view: TicketViewSet, request: Request) -> None:
        self.view, self.request = view, request
        self.actor = actor_of(request)
        self.rows, self.atomic = _read(request)
        require(self.actor, f"{view.kind}.bulk")
        self.context: dict[str, Any] = {"request": request}
        create = view.create_serializer_class or view.serializer_class
        update = view.update_serializer_class or view.serializer_class
        # One serializer for all rows: making it anew costs more than checking a row.
        self.creating: StrictSerializer = create(context=self.context)
        self.updating: StrictSerializer = update(context=self.context, partial=True)
        self.found = self._find()

    def run(self) -> dict[str, Any]:
        # One operation around all rows: one audit id, and the entries written together.
        with operation(self.actor, f"{self.view.kind}.bulk", source="api"):
            self._lock()
            results = self._all_or_nothing() if self.atomic else self._row_by_row()
        failed = sum(1 for result in results if result["status"] >= 400)
        return {
            "atomic": self.atomic,
            "succeeded": len(results) - failed,
            "failed": failed,
            "results": results,
        }

    def _lock(self) -> None:
        """All rows at once and in one order, so that two requests over the same tickets wait for
        each other instead of tying a knot."""
        ids = sorted(ticket.pk for ticket in self.found.values())
        for start in range(0, len(ids), LOOKUP_CHUNK):
            rows = Ticket.objects.filter(pk__in=ids[start : start + LOOKUP_CHUNK])
            list(rows.order_by("pk").select_for_update().values_list("pk"))

    def _all_or_nothing(self) -> list[dict[str, Any]]:
        errors: list[DomainError] = []
        checked = []
        for index, row in enumerate(self.rows):
            try:
                checked.append(self._check(row))
            except (DomainError, ValidationError) as error:
                errors += _placed(error, index)
            if len(errors) >= ERRORS_MAX:
                break
        if errors:
            raise InvalidInput(errors)
        results = []
        for index, (row, values) in enumerate(zip(self.rows, checked, strict=True)):
            try:
                results.append(self._write(index, row, values))
            except DomainError as error:
                raise _refusal(error, index) from error
        return results

    def _row_by_row(self) -> list[dict[str, Any]]:
        results = []
        for index, row in enumerate(self.rows):
            try:
                with transaction.atomic():
                    results.append(self._write(index, row, self._check(row)))
            except Exception as error:
                found = problems.of_exception(error)
                # What is no fault of the row is ours, and undoes the whole request.
                if found is None or found[0]["status"] >= 500:
                    raise
                problem = found[0]
                results.append({"index": index, "status": problem["status"], "problem": problem})
        return results

    def _check(self, row: Any) -> dict[str, Any]:
        """The row's values, by the serializer of what it wants done."""
        if not isinstance(row, dict):
            raise DomainError("wrong_type", _("Give a JSON object."))
        rest = {name: value for name, value in row.items() if name not in ("number", "version")}
        if "number" not in row:
            if "version" in row or "move" in row:
                raise DomainError("required", _("Name the record."), "number")
            return self._validate(self.creating, rest)
        if self._ticket(row) is None:
            raise DomainError(
                "unknown_reference",
                _("There is no such record, or it is not yours to see."),
                "number",
            )
        version = row.get("version")
        if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
            raise DomainError("wrong_type", _("Give a whole number."), "version")
        if "move" in row:
            return split_move(rest)[1]
        self.context["record"] = self._ticket(row)
        return self._validate(self.updating, rest)

    def _validate(self, serializer: StrictSerializer, row: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = serializer.run_validation(row)
        return values

    def _write(self, index: int, row: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        if "number" not in row:
            made = self.view.open(actor=self.actor, values=values)
            return _told(index, 201, made)
        ticket, version = self._ticket(row), row.get("version")
        if "move" in row:
            code = split_move(row)[0]
            made = self.view.move(ticket, code, actor=self.actor, values=values, version=version)
        else:
            made = self.view.change(ticket, actor=self.actor, values=values, version=version)
        return _told(index, 200, made)

    def _ticket(self, row: dict[str, Any]) -> Any:
        number = row.get("number")
        return self.found.get(number.upper()) if isinstance(number, str) else None

    def _find(self) -> dict[str, Any]:
        """Every record that a row names, within the actor's scope, in a few queries."""
        numbers = [
            row["number"].upper()
            for row in self.rows
            if isinstance(row, dict) and isinstance(row.get("number"), str)
        ]
        found: dict[str, Any] = {}
        records = self.view.records(self.actor)
        for start in range(0, len(numbers), LOOKUP_CHUNK):
            chunk = numbers[start : start + LOOKUP_CHUNK]
            found.update({one.number: one for one in records.filter(number__in=chunk)})
        return found


def _read(request: Request) -> tuple[list[Any], bool]:
    data: Any = body_of(request)
    atomic: Any = request.query_params.get("atomic")
    if atomic is not None:
        if atomic not in ("true", "false"):
            raise DomainError("invalid", _("Give true or false."), "atomic")
        atomic = atomic == "true"
    rows = data
    if isinstance(data, dict):
        for name in data:
            if name not in ("rows", "atomic"):
                raise DomainError("unknown_field", _("There is no such field."), name[:100])
        rows = data.get("rows")
        if "atomic" in data:
            if not isinstance(data["atomic"], bool):
                raise DomainError("wrong_type", _("Give true or false."), "atomic")
            atomic = data["atomic"] if atomic is None else atomic
    if not isinstance(rows, list) or not 1 <= len(rows) <= ROWS_MAX:
        raise DomainError(
            "out_of_range",
            _("Give a list of 1 to %(count)s rows.") % {"count": ROWS_MAX},
            "rows",
        )
    return rows, atomic is not False


def _told(index: int, status: int, ticket: Any) -> dict[str, Any]:
    return {
        "index": index,
        "status": status,
        "number": ticket.number,
        "id": ticket.uuid,
        "version": ticket.version,
    }


def _placed(error: DomainError | ValidationError, index: int) -> list[DomainError]:
    """The row's errors, their fields under `rows.<index>`."""
    if isinstance(error, InvalidInput):
        return [placed for one in error.errors for placed in _placed(one, index)]
    if isinstance(error, DomainError):
        field = f"rows.{index}.{error.field}" if error.field else f"rows.{index}"
        return [DomainError(error.code, error.message, field)]
    return [
        DomainError(one["code"], one["detail"], f"rows.{index}.{one['field']}".rstrip("."))
        for one in problems.flatten(error.detail)
    ]


def _refusal(error: DomainError, index: int) -> DomainError:
    """The error that undoes all rows: it keeps its status and code, and names the row."""
    placed = InvalidInput(_placed(error, index))
    placed.status = error.status
    placed.code = error.code
    placed.message = _("Row %(index)s: %(reason)s Nothing was changed.") % {
        "index": index,
        "reason": error.message,
    }
    return placed
