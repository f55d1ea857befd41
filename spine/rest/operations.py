"""What an endpoint takes and gives, declared beside it; the schema reads nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.utils.functional import Promise

from spine.kit.keyset import Orderings
from spine.rest.filters import FilterSet
from spine.rest.serializers import StrictSerializer

Handler = TypeVar("Handler", bound=Callable[..., Any])
Words = str | Promise
JsonSchema = Mapping[str, Any]
# How a schema made by a function asks for a serializer's: (serializer, partial) -> JSON Schema.
Inline = Callable[[type[StrictSerializer], bool], dict[str, Any]]
# A function where words are translated (they are said when they are asked for) or where one schema
# is made of others.
Shape = type[StrictSerializer] | JsonSchema | Callable[[Inline], JsonSchema]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A keyset list: how a row looks, and what it may be ordered and filtered by."""

    serializer: type[StrictSerializer]
    orderings: Orderings
    filterset: type[FilterSet] = FilterSet


@dataclass(frozen=True, slots=True)
class Operation:
    """summary: one line for the guide; request and response: a serializer or a JSON Schema.

    listed: the response is this list; partial: nothing in the request is required;
    multipart: the request holds files; tagged: answers with an ETag; conditional: heeds If-Match;
    binary: answers with a file; parameters: OpenAPI parameters beside the usual ones.
    """

    summary: Words
    request: Shape | None = None
    response: Shape | None = None
    status: int = 200
    listed: ListOf | None = None
    partial: bool = False
    multipart: bool = False
    tagged: bool = False
    conditional: bool = False
    trims: bool = False
    binary: bool = False
    parameters: Sequence[JsonSchema] = field(default=())
    example: Any = None


def describes(summary: Words, **details: Any) -> Callable[[Handler], Handler]:
    """Declares the operation of a handler: `@describes(_("Make a move"), request=...)`."""

    def mark(handler: Handler) -> Handler:
        handler.operation = Operation(summary, **details)  # type: ignore[attr-defined]
        return handler

    return mark
