"""What lists ask of PostgreSQL beyond a plain query: a time limit and a cheap total."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from django.db import OperationalError, connections, transaction
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from spine.kit.errors import DomainError

M = TypeVar("M", bound=Model)

QUERY_CANCELED = "57014"
EXACT_UP_TO = 10_000


class QueryTooSlow(DomainError):
    """The database stopped a statement at its time limit; a narrower question may pass."""

    status = 503

    def __init__(self) -> None:
        super().__init__(
            "query_too_slow",
            _("This list took too long to find. Narrow the filters or choose another order."),
        )


def is_timeout(error: BaseException) -> bool:
    """Whether a database error is the statement timeout."""
    return getattr(error.__cause__ or error, "pgcode", None) == QUERY_CANCELED


@contextmanager
def statement_timeout(milliseconds: int, using: str = "default") -> Iterator[None]:
    """Every statement inside stops after this many milliseconds with QueryTooSlow.

    Runs in a transaction (a savepoint of the one around it) and puts the former limit back.
    """
    connection = connections[using]
    outer = connection.in_atomic_block
    try:
        with transaction.atomic(using=using):
            with connection.cursor() as cursor:
                former = "0"
                if outer:
                    cursor.execute("SELECT current_setting('statement_timeout')")
                    former = str(cursor.fetchone()[0])
                cursor.execute("SET LOCAL statement_timeout = %s", [int(milliseconds)])
            yield
            if outer:
                # SET LOCAL outlives the savepoint it was made in.
                with connection.cursor() as cursor:
                    cursor.execute("SELECT set_config('statement_timeout', %s, true)", [former])
    except OperationalError as error:
        if is_timeout(error):
            raise QueryTooSlow from error
        raise


def estimate_count(queryset: QuerySet[Any], exact_up_to: int = EXACT_UP_TO) -> tuple[int, bool]:
    """(rows, whether that is exact): counted up to `exact_up_to`, the planner's estimate above.

    The estimate is never below the rows that were seen, so a page can say "more than 10,000".
    """
    plain = queryset.order_by()
    counted = plain[: exact_up_to + 1].count()
    if counted <= exact_up_to:
        return counted, True
    plan = json.loads(plain.values("pk").explain(format="json"))
    estimated = int(plan[0]["Plan"]["Plan Rows"])
    return max(estimated, counted), False


@cache
def columns_of(model: type[Model], alias: str) -> str:
    """The model's columns for a SELECT whose rows `instance_of` reads."""
    return ", ".join(f'{alias}."{field.column}"' for field in model._meta.concrete_fields)


def instance_of(model: type[M], values: Sequence[Any], using: str = "default") -> M:
    """An instance of the columns of `columns_of`. For the one or two statements that every request
    sends: to put such a query together with the ORM takes ten times as long as to run it."""
    fields = model._meta.concrete_fields
    row = list(values)
    for place in _converted(model):
        field: Any = fields[place]
        row[place] = field.from_db_value(row[place], None, connections[using])
    return model.from_db(using, [field.attname for field in fields], row)


@cache
def _converted(model: type[Model]) -> tuple[int, ...]:
    fields = enumerate(model._meta.concrete_fields)
    return tuple(place for place, field in fields if hasattr(field, "from_db_value"))
