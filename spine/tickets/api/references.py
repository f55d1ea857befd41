"""How collections refer to tickets and categories, here or in another system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError

from spine.people.models import User
from spine.rest.fields import BatchField, RefField
from spine.tickets.models import Category, ExternalReference, Link, Ticket


def tickets_for(user: User) -> QuerySet[Ticket]:
    found: QuerySet[Ticket] = Ticket.objects.visible_to(user)
    return found


class TicketRef(RefField):
    """A ticket of any kind by its number: {"id", "number", "title"}."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            Ticket, tickets_for, keys=("number",), shown=("number", "title"), **options
        )


class CategoryRef(RefField):
    """A top category of the kind, by name."""

    def __init__(self, kind: str, **options: Any) -> None:
        self.kind = kind
        super().__init__(
            Category,
            lambda _user: Category.objects.filter(kind=kind, parent__isnull=True, active=True),
            **options,
        )


class SubcategoryRef(RefField):
    """A subcategory by name. Names repeat under several categories: then the row's own category,
    or else the record's, tells which is meant."""

    def __init__(self, kind: str, **options: Any) -> None:
        self.kind = kind
        super().__init__(
            Category,
            lambda _user: Category.objects.filter(kind=kind, parent__isnull=False, active=True),
            **options,
        )

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            named = Category.objects.filter(
                kind=self.kind, parent__isnull=False, active=True, name=data
            )
            found = list(named[:50])
            if len(found) > 1:
                parent = self._parent_category()
                found = [one for one in found if parent is not None and one.parent_id == parent]
                if len(found) == 1:
                    return found[0]
        return super().to_internal_value(data)

    def _parent_category(self) -> int | None:
        row = self.context.get("row")
        given = row.get("category") if isinstance(row, Mapping) else None
        if isinstance(given, Mapping):
            given = given.get("id")
        if isinstance(given, str):
            field = CategoryRef(self.kind)
            field.bind("category", self.parent)
            try:
                category: Category = field.to_internal_value(given)
            except ValidationError:
                return None
            return category.pk
        record = self.context.get("record")
        return record.category_id if isinstance(record, Ticket) else None


RELATED: Mapping[str, Any] = {
    "type": ["object", "null"],
    "properties": {
        "number": {"type": "string"},
        "id": {"type": ["string", "null"]},
        "source": {"type": "string"},
    },
    "required": ["number", "id", "source"],
    "additionalProperties": False,
    "description": "A record here (with its id), or its number in another system (`source`).",
}


class RelatedField(BatchField):
    """The record on the other end of a link, or its number in the system it still is in.

    relation: of an ExternalReference; link, kind: of a Link and the ticket it leads to ("" = any).
    """

    def __init__(self, relation: str, *, link: str = "", kind: str = "", **options: Any) -> None:
        self.relation, self.link, self.kind = relation, link, kind
        super().__init__("id", self._load_related, RELATED, **options)

    def _load_related(
        self, ids: Sequence[Any], user: Any, memo: dict[str, Any]
    ) -> Mapping[Any, Any]:
        found: dict[Any, Any] = {}
        for row in references_of(ids, memo):
            if row["relation"] == self.relation:
                found[row["ticket_id"]] = {
                    "number": row["external_id"],
                    "id": None,
                    "source": row["source"],
                }
        if not self.link and not self.kind:
            return found
        for link in links_of(ids, user, memo):
            if self.link in ("", link["type"]) and self.kind in ("", link["target__kind"]):
                found[link["source_id"]] = {
                    "number": link["target__number"],
                    "id": link["target__uuid"],
                    "source": "",
                }
        return found


def references_of(ids: Sequence[Any], memo: dict[str, Any]) -> list[Any]:
    """The references of a page's tickets, the newest first, read once for all members."""
    if "references" not in memo:
        columns = ("ticket_id", "relation", "source", "external_id")
        rows = ExternalReference.objects.filter(ticket_id__in=ids).order_by("-id")
        memo["references"] = list(rows.values(*columns))
    rows_found: list[Any] = memo["references"]
    return rows_found


def links_of(ids: Sequence[Any], user: Any, memo: dict[str, Any]) -> list[Any]:
    """The links that start at a page's tickets and lead to what the reader may see, the newest
    first, read once for all members of the page (which has one reader)."""
    if "links" not in memo:
        columns = ("source_id", "type", "target__kind", "target__number", "target__uuid")
        seen = Ticket.objects.visible_to(user)
        links = Link.objects.filter(source_id__in=ids, target__in=seen)
        memo["links"] = list(links.order_by("-id").values(*columns))
    rows: list[Any] = memo["links"]
    return rows


def outside_items(
    ids: Sequence[Any], _user: Any, memo: dict[str, Any]
) -> Mapping[Any, list[dict[str, Any]]]:
    """Configuration items that a ticket names and that are not here (yet), the first one first."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in reversed(references_of(ids, memo)):
        if row["relation"] == "item":
            item = {"number": row["external_id"], "id": None, "source": row["source"]}
            found.setdefault(row["ticket_id"], []).append(item)
    return found
