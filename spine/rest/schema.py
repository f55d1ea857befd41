"""OpenAPI 3.1 from the collections' own declarations, on drf-spectacular's generator."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.openapi import AutoSchema as SpectacularSchema
from drf_spectacular.plumbing import ResolvedComponent

from spine.rest import pagination
from spine.rest.fields import NO_NUL, RefField
from spine.rest.filters import TEXT_SCHEMA, declared_filters
from spine.rest.operations import JsonSchema, ListOf, Operation, Shape
from spine.rest.problems import CONTENT_TYPE, kind_of
from spine.rest.serializers import StrictSerializer
from spine.rest.viewsets import RecordViewSet

JSON = "application/json"
MULTIPART = "multipart/form-data"
READS = (400, 401, 403, 404, 405, 406, 429, 500, 503)
WRITES = (400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 429, 500, 503)

PROBLEM: JsonSchema = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable, for programs."},
        "current_version": {"type": "integer"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
                "required": ["field", "code", "detail"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code"],
    "additionalProperties": False,
}


SECURITY: Mapping[str, Mapping[str, Any]] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": gettext_lazy("“Authorization: Token …” or “Bearer …”, from your profile."),
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": gettext_lazy("The browser's session, with its CSRF token for writes."),
    },
}


class AutoSchema(SpectacularSchema):
    """Serializers come from spectacular's components; the rest is said by `Operation`s."""

    def is_excluded(self) -> bool:
        return not isinstance(self.view, RecordViewSet) and self._declared() is None

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> dict[str, Any] | None:
        self.registry = registry
        self.path, self.path_regex, self.path_prefix = path, path_regex, path_prefix
        self.method = method.upper()
        if self.is_excluded():
            return None
        operation = self._declared() or self._usual()
        if operation is None:
            return None
        described: dict[str, Any] = {
            "operationId": self.get_operation_id(),
            "summary": str(operation.summary),
            "tags": self.get_tags(),
            "parameters": [*self._path_parameters(), *self._parameters(operation)],
            "security": self.get_auth(),
            "responses": self._responses(operation),
        }
        if operation.request is not None:
            described["requestBody"] = self._body(operation, operation.request)
        return described

    def get_operation_id(self) -> str:
        words = [*self._tokenize_path(), getattr(self.view, "action", None) or self.method.lower()]
        if words[-1].startswith(words[-2].replace("-", "_")):
            words[-1] = self.method.lower()
        return "_".join(words).replace("-", "_")

    def get_auth(self) -> list[dict[str, Any]]:
        for name, scheme in SECURITY.items():
            component = ResolvedComponent(  # type: ignore[no-untyped-call]
                name=name,
                type=ResolvedComponent.SECURITY_SCHEMA,
                schema={**scheme, "description": str(scheme["description"])},
                object=name,
            )
            self.registry.register_on_missing(component)
        return [{name: []} for name in SECURITY]

    def _declared(self) -> Operation | None:
        name = getattr(self.view, "action", None) or (self.method or "").lower()
        found: Operation | None = getattr(getattr(self.view, name, None), "operation", None)
        return found

    def _usual(self) -> Operation | None:
        """The four operations that every collection has alike."""
        view: Any = self.view
        action = getattr(view, "action", "")
        shown = view.serializer_class
        if action == "list":
            listed = ListOf(shown, view.orderings, view.filterset_class)
            return Operation(_("List"), listed=listed)
        if action == "retrieve":
            return Operation(_("Read one"), response=shown, tagged=True, trims=True)
        if action == "create":
            request = view.create_serializer_class or shown
            return Operation(
                _("Create"), request=request, response=shown, status=201, tagged=True, trims=True
            )
        if action == "partial_update":
            request = view.update_serializer_class or shown
            return Operation(
                _("Change"),
                request=request,
                response=shown,
                partial=True,
                tagged=True,
                conditional=True,
                trims=True,
            )
        return None

    # --- parameters -----------------------------------------------------------------------------

    def _path_parameters(self) -> list[dict[str, Any]]:
        names = [part[1:-1] for part in self.path.split("/") if part.startswith("{")]
        pattern = {"type": "string", "minLength": 1, "maxLength": 300, "pattern": r"^[^/\u0000]+$"}
        return [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": pattern,
                "description": _("The number, the id, or the name by which it is unique."),
            }
            for name in names
        ]

    def _parameters(self, operation: Operation) -> Iterable[dict[str, Any]]:
        yield from (dict(one) for one in operation.parameters)
        listed = operation.listed
        if listed is not None:
            yield from _list_parameters(listed)
        if operation.trims:
            if isinstance(operation.response, type):
                yield from _trimming(operation.response)
            if self.method == "GET":
                yield _header("If-None-Match", _("The ETag you hold; 304 if it is still right."))
        if operation.conditional:
            yield _header("If-Match", _("The ETag you read; 412 if the record has changed."))
        if self.method == "POST":
            yield {
                **_header("Idempotency-Key", _("A key of your own; a repeat is answered alike.")),
                "schema": {"type": "string", "pattern": r"^[\x21\x23-\x7e]{1,255}$"},
            }

    # --- bodies ---------------------------------------------------------------------------------

    def _body(self, operation: Operation, shape: Shape) -> dict[str, Any]:
        media = MULTIPART if operation.multipart else JSON
        content: dict[str, Any] = {"schema": self._schema(shape, "request", operation.partial)}
        if operation.example is not None:
            content["example"] = operation.example
        return {"content": {media: content}, "required": True}

    def _schema(
        self, shape: Shape, direction: Literal["request", "response"], partial: bool = False
    ) -> dict[str, Any]:
        if isinstance(shape, Mapping):
            return dict(shape)
        if not isinstance(shape, type):
            return dict(shape(self._inline))
        component: Any = self.resolve_serializer(shape(partial=partial), direction)
        reference: dict[str, Any] = component.ref if component.name else {"type": "object"}
        return reference

    def _inline(self, serializer: type[StrictSerializer], partial: bool) -> dict[str, Any]:
        """The schema of a request itself, where a reference to it would not do."""
        component: Any = self.resolve_serializer(serializer(partial=partial), "request")
        found: dict[str, Any] = copy.deepcopy(component.schema)
        return found

    def _responses(self, operation: Operation) -> dict[str, Any]:
        headers = {
            name: {"schema": {"type": "string"}, "description": text}
            for name, text in self._headers(operation)
        }
        good: dict[str, Any] = {"description": _("Done."), "headers": headers}
        if operation.listed is not None:
            row = self._schema(operation.listed.serializer, "response")
            good["content"] = {JSON: {"schema": _envelope(row)}}
        elif operation.binary:
            good["content"] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
        elif operation.response is not None:
            schema = self._schema(operation.response, "response")
            good["content"] = {JSON: {"schema": schema}}
        responses: dict[str, Any] = {str(operation.status): good}
        if self.method == "GET" and operation.tagged:
            responses["304"] = {"description": _("You have it already.")}
        problem = self._problem()
        for status in READS if self.method == "GET" else WRITES:
            responses[str(status)] = {
                "description": kind_of(status)[1],
                "content": {CONTENT_TYPE: {"schema": problem}},
            }
        return responses

    def _headers(self, operation: Operation) -> Iterable[tuple[str, str]]:
        yield "RateLimit", _("What is left of the present minute.")
        yield "RateLimit-Policy", _("How many requests fit into a minute.")
        if operation.tagged:
            yield "ETag", _("The record's version, for If-Match and If-None-Match.")
        if operation.status == 201:
            yield "Location", _("The address of what was made.")
        if self.method == "POST":
            yield "Idempotency-Replayed", _("“true” where a stored answer is repeated.")

    def _problem(self) -> dict[str, Any]:
        component = ResolvedComponent(  # type: ignore[no-untyped-call]
            name="Problem", type=ResolvedComponent.SCHEMA, schema=dict(PROBLEM), object="Problem"
        )
        self.registry.register_on_missing(component)
        reference: dict[str, Any] = component.ref
        return reference

    # --- serializers ----------------------------------------------------------------------------

    def _map_serializer(
        self, serializer: Any, direction: Any, bypass_extensions: bool = False
    ) -> Any:
        schema = super()._map_serializer(  # type: ignore[no-untyped-call]
            serializer, direction, bypass_extensions
        )
        if isinstance(serializer, StrictSerializer) and "properties" in schema:
            schema["additionalProperties"] = False
            if direction == "response":
                # `?fields=` leaves members out, so none can be promised.
                schema.pop("required", None)
        return schema

    def _map_serializer_field(
        self, field: Any, direction: Any, bypass_extensions: bool = False
    ) -> Any:
        describe = getattr(field, "json_schema", None)
        if describe is None:
            return super()._map_serializer_field(  # type: ignore[no-untyped-call]
                field, direction, bypass_extensions
            )
        schema = describe(reading=direction == "response")
        if field.allow_null:
            schema = _or_null(schema)
        if field.read_only:
            schema["readOnly"] = True
        if field.write_only:
            schema["writeOnly"] = True
        if field.help_text:
            schema["description"] = str(field.help_text)
        return schema

    def _insert_field_validators(self, field: Any, schema: Any) -> None:
        if not hasattr(field, "json_schema"):
            super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("type"), str) and "enum" not in schema and "properties" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _header(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": {"type": "string"}, "description": text}


def _query(name: str, schema: Mapping[str, Any], text: str = "") -> dict[str, Any]:
    parameter: dict[str, Any] = {"name": name, "in": "query", "schema": dict(schema)}
    if text:
        parameter["description"] = text
    if schema.get("type") == "array":
        parameter |= {"style": "form", "explode": False}
    return parameter


def _list_parameters(listed: ListOf) -> Iterable[dict[str, Any]]:
    yield _query(
        "limit",
        {
            "type": "integer",
            "minimum": 1,
            "maximum": pagination.LIMIT_MAX,
            "default": pagination.LIMIT_DEFAULT,
        },
        _("Rows per page."),
    )
    yield _query(
        "ordering", {"type": "string", "enum": listed.orderings.names}, _("“-” means descending.")
    )
    yield _query(
        "cursor",
        {"type": "string", "pattern": NO_NUL},
        _("From “next” or “previous”; not made by hand."),
    )
    yield _query(
        "count", {"type": "string", "enum": ["exact"]}, _("Adds the exact number of all rows.")
    )
    yield from _trimming(listed.serializer)
    for name, one in declared_filters(listed.filterset).items():
        describe = getattr(one, "value_schema", None)
        schema = describe() if describe else TEXT_SCHEMA
        yield _query(name, schema)


def _trimming(serializer: type[StrictSerializer]) -> Iterable[dict[str, Any]]:
    fields = {name: one for name, one in serializer().fields.items() if not one.write_only}
    chosen = {"type": "string", "enum": list(fields)}
    names = {"type": "array", "items": chosen, "minItems": 1}
    yield _query("fields", names, _("Only these members."))
    embeddable = [name for name, one in fields.items() if isinstance(one, RefField) and one.expand]
    if embeddable:
        chosen = {"type": "string", "enum": embeddable}
        embed = {"type": "array", "items": chosen, "minItems": 1}
        yield _query("expand", embed, _("Embeds these records in full."))


def _envelope(row: Mapping[str, Any]) -> dict[str, Any]:
    address = {"type": ["string", "null"], "format": "uri"}
    return {
        "type": "object",
        "properties": {
            "next": address,
            "previous": address,
            "count": {"type": "integer", "minimum": 0},
            "results": {"type": "array", "items": dict(row)},
        },
        "required": ["next", "previous", "results"],
        "additionalProperties": False,
    }
