"""The list's envelope: {"next", "previous", "results"}, and `count` when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _

from spine.kit.db import statement_timeout
from spine.kit.errors import DomainError
from spine.kit.keyset import Ordering, Orderings, Page, paginate

LIMIT_DEFAULT = 50
LIMIT_MAX = 500
RESERVED = ("limit", "cursor", "ordering", "count", "fields", "expand")

Row = TypeVar("Row")


def read_limit(parameters: Mapping[str, Any]) -> int:
    text = str(parameters.get("limit", LIMIT_DEFAULT))
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise _bad_limit()
    limit = int(text)
    if not 1 <= limit <= LIMIT_MAX:
        raise _bad_limit()
    return limit


def wants_count(parameters: Mapping[str, Any]) -> bool:
    asked = parameters.get("count")
    if asked not in (None, "exact"):
        raise DomainError("invalid_choice", _("The only choice here is “exact”."), "count")
    return asked is not None


def read_page(
    queryset: QuerySet[Any, Row], orderings: Orderings, parameters: Mapping[str, Any]
) -> tuple[Page[Row], int | None]:
    """The page that the parameters name, and the exact total if they ask for it.

    Every statement is under LIST_STATEMENT_TIMEOUT_MS: a filter that no index serves ends as 503
    `query_too_slow` instead of holding a worker.
    """
    limit = read_limit(parameters)
    counted = wants_count(parameters)
    ordering: Ordering = orderings.get(parameters.get("ordering"))
    with statement_timeout(settings.LIST_STATEMENT_TIMEOUT_MS):
        page = paginate(queryset, ordering, limit=limit, cursor=parameters.get("cursor"))
        total = queryset.order_by().count() if counted else None
    return page, total


def envelope(
    base: str, parameters: QueryDict, page: Page[Any], total: int | None, results: list[Any]
) -> dict[str, Any]:
    """base: the list's own absolute address."""

    def address(cursor: str | None) -> str | None:
        if cursor is None:
            return None
        query = parameters.copy()
        query["cursor"] = cursor
        return f"{base}?{query.urlencode()}"

    made: dict[str, Any] = {"next": address(page.next), "previous": address(page.previous)}
    if total is not None:
        made["count"] = total
    made["results"] = results
    return made


def _bad_limit() -> DomainError:
    return DomainError(
        "out_of_range",
        _("Give a whole number from 1 to %(count)s.") % {"count": LIMIT_MAX},
        "limit",
    )
