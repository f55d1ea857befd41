"""Collections of records: list, read, create, change, in one shape for every kind.

A collection states its queryset within the reader's scope, its serializer, filterset and orderings,
and the actions that write. Outside of the scope a record is not found; inside, the action asks the
policy, whose reason becomes the 403. There is no DELETE and no PUT.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSetMixin

from spine.kit.keyset import Orderings
from spine.rest import conditions, pagination
from spine.rest.fields import as_uuid
from spine.rest.filters import FilterSet, apply_strictly
from spine.rest.operations import ListOf
from spine.rest.serializers import Plan, StrictSerializer, check_input, plan_for
from spine.rest.views import ApiView, body_of

DETAIL_PARAMETERS = frozenset({"fields", "expand"})


class RecordViewSet(ViewSetMixin, ApiView):
    """Base of every collection: list and read.

    number_column: the public number, where the kind has one; version_column: what the ETag tells
    and If-Match asks for, None where the record has no version of its own.
    """

    serializer_class: ClassVar[type[StrictSerializer]]
    filterset_class: ClassVar[type[FilterSet]] = FilterSet
    orderings: ClassVar[Orderings]
    number_column: ClassVar[str | None] = None
    natural_keys: ClassVar[tuple[str, ...]] = ()
    key_column: ClassVar[str] = "uuid"
    version_column: ClassVar[str | None] = None
    lookup_field = "key"
    lookup_url_kwarg = "key"
    lookup_value_regex = "[^/]+"

    def records(self, user: Any) -> QuerySet[Any]:
        """Every record this reader may see."""
        raise NotImplementedError

    def list(self, request: Request) -> Response:
        listed = ListOf(self.serializer_class, self.orderings, self.filterset_class)
        return self.list_of(request, self.records(request.user), listed)

    def retrieve(self, request: Request, key: str) -> Response:
        self.only_parameters(request, DETAIL_PARAMETERS)
        return self.one(request, self.find_rows(request, key))

    # --- for subclasses and sub-resources -------------------------------------------------------

    def only_parameters(self, request: Request, known: frozenset[str] = frozenset()) -> None:
        """Refuses query parameters that mean nothing here."""
        apply_strictly(
            FilterSet, request.query_params, QuerySet(), user=request.user, reserved=known
        )

    def list_of(self, request: Request, queryset: QuerySet[Any], listed: ListOf) -> Response:
        parameters = request.query_params
        filtered = apply_strictly(
            listed.filterset,
            parameters,
            queryset,
            user=request.user,
            reserved=pagination.RESERVED,
        )
        plan = plan_for(listed.serializer, parameters.get("fields"), parameters.get("expand"))
        ordering = listed.orderings.get(parameters.get("ordering"))
        paths = (key.path for key in ordering.keys)
        rows = filtered.values(*dict.fromkeys((*plan.columns, *paths)))
        page, total = pagination.read_page(rows, listed.orderings, parameters)
        results = plan.render(page.rows, request.user)
        base = request.build_absolute_uri(request.path)
        return Response(pagination.envelope(base, parameters, page, total, results))

    def find_rows(self, request: Request, key: str) -> QuerySet[Any]:
        """The record with this number, UUID or natural key, within the reader's scope."""
        return self.records(request.user).filter(self.key_condition(key))

    def key_condition(self, key: str) -> Q:
        if len(key) > 300 or "\x00" in key:
            raise Http404
        if found := as_uuid(key):
            return Q((self.key_column, found))
        if self.number_column:
            return Q((self.number_column, key.upper()))
        if not self.natural_keys:
            raise Http404
        condition = Q()
        for name in self.natural_keys:
            condition |= Q((name, key))
        return condition

    def find(self, request: Request, key: str) -> Any:
        """The instance; 404 when it is not there or not theirs to see."""
        found = self.find_rows(request, key).first()
        if found is None:
            raise Http404
        return found

    def one(self, request: Request, rows: QuerySet[Any], status: int = 200) -> Response:
        """The one record in `rows`, with its ETag; 304 when the reader has it already."""
        plan = self.plan(request)
        columns = dict.fromkeys((*plan.columns, *self._version_columns()))
        row = rows.order_by().values(*columns).first()
        if row is None:
            raise Http404
        record = plan.render([row], request.user)[0]
        version = row[self.version_column] if self.version_column else None
        etag = conditions.etag_of(record, version)
        if request.method == "GET" and conditions.not_modified(
            request.headers.get("If-None-Match"), etag
        ):
            return Response(status=304, headers={"ETag": etag})
        return Response(record, status=status, headers={"ETag": etag})

    def plan(self, request: Request) -> Plan:
        parameters = request.query_params
        return plan_for(self.serializer_class, parameters.get("fields"), parameters.get("expand"))

    def expected_version(self, request: Request, current: Any) -> int | None:
        """The version of If-Match, for the action to compare under its lock. A record without a
        version is compared here, by its digest."""
        header = request.headers.get("If-Match")
        if self.version_column or conditions.tags(header) in (None, ["*"]):
            return conditions.expected_version(header)
        record = plan_for(self.serializer_class).of_queryset(
            self.records(request.user).filter(pk=current.pk), request.user
        )
        if not record or conditions.etag_of(record[0], None) not in (conditions.tags(header) or ()):
            raise conditions.PreconditionFailed
        return None

    def read_input(
        self,
        request: Request,
        serializer: type[StrictSerializer] | None = None,
        *,
        record: Any = None,
    ) -> dict[str, Any]:
        """The body, checked; the REST framework's ValidationError names what is wrong. With a
        record it is a change of that record, and nothing is required."""
        return check_input(
            serializer or self.serializer_class,
            body_of(request),
            partial=record is not None,
            context={"request": request, "record": record},
        )

    def _version_columns(self) -> tuple[str, ...]:
        return (self.version_column,) if self.version_column else ()


class Creates(RecordViewSet):
    """POST to the collection."""

    create_serializer_class: ClassVar[type[StrictSerializer] | None] = None

    def create_record(self, request: Request, values: dict[str, Any]) -> Any:
        """Calls the action; returns the instance."""
        raise NotImplementedError

    def create(self, request: Request) -> Response:
        self.only_parameters(request, DETAIL_PARAMETERS)
        self.plan(request)
        values = self.read_input(request, self.create_serializer_class)
        made = self.create_record(request, values)
        response = self.after_create(request, made)
        key = getattr(made, self.number_column or self.key_column)
        response.headers["Location"] = request.build_absolute_uri(f"{request.path}{key}/")
        return response

    def after_create(self, request: Request, made: Any) -> Response:
        """The new record as a reader would get it. From the instance, without another query; what
        the creator may not see afterwards was theirs to write and is theirs to be told once."""
        record = self.plan(request).of_instance(made, request.user)
        version = getattr(made, self.version_column) if self.version_column else None
        etag = conditions.etag_of(record, version)
        return Response(record, status=201, headers={"ETag": etag})


class Updates(RecordViewSet):
    """PATCH of a record. State, approvals and counters are read only in the serializer."""

    update_serializer_class: ClassVar[type[StrictSerializer] | None] = None

    def update_record(
        self, request: Request, current: Any, values: dict[str, Any], version: int | None
    ) -> Any:
        """Calls the action, which compares `version` under its lock."""
        raise NotImplementedError

    def partial_update(self, request: Request, key: str) -> Response:
        self.only_parameters(request, DETAIL_PARAMETERS)
        self.plan(request)
        current = self.find(request, key)
        version = self.expected_version(request, current)
        values = self.read_input(request, self.update_serializer_class, record=current)
        self.update_record(request, current, values, version)
        return self.one(request, type(current)._default_manager.filter(pk=current.pk))
