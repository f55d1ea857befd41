"""The words of a list's `?q=` as a condition on its rows, beside its filters and in its order.

The search page ranks the best few; a list wants all that match, by its own order, page by page.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.search import SearchQueryField
from django.db import connection
from django.db.models import BooleanField, F, Func, Q, QuerySet, Value
from django.db.models.functions import Cast

from spine.people.reach import reach_of
from spine.people.roles import Right
from spine.search import sources
from spine.search.engine import spelled
from spine.search.models import Document
from spine.search.queries import Query, parse, text_condition
from spine.search.selecting import COMMON

if TYPE_CHECKING:
    from spine.people.models import User


def matching(user: User, kind: str, text: str) -> Q:
    """Records of this kind that hold the words, as the search page reads them: stems, Chinese by
    any part, the last word's beginning, phrases, exclusions, numbers, identifiers elsewhere.

    It narrows a queryset that is already in the person's scope; work notes count only where the
    person may read them. Text without any word matches nothing. Asks the database up to twice.
    """
    documents = _documents(user, kind, parse(text))
    if documents is None:
        return Q(pk__in=[])
    ids = documents.order_by().values("object_id")
    if _estimate(documents) >= COMMON:
        # Half the table may match: the planner walks the list's order and probes row by row.
        return Q(pk__in=ids)
    # Few match: found first, whatever the order. A walk towards them might not end in time.
    return Q(
        Func(
            F("pk"),
            ArraySubquery(ids),
            template="(%(expressions)s))",
            arg_joiner=" = ANY(",
            output_field=BooleanField(),
        )
    )


def _documents(user: User, kind: str, query: Query) -> QuerySet[Document] | None:
    """None where nothing was asked for but stop words or punctuation."""
    wanted = Q()
    asked = "" if query.only_number else _compiled(query)
    if asked:
        wanted |= _holds(user, kind, asked)
    for number in spelled(query.number, sources.get(kind)):
        wanted |= Q(number__startswith=number) & ~Q(number="")
    if query.literal:
        wanted |= Q(external_id__startswith=query.literal) & ~Q(external_id="")
    if not wanted:
        return None
    return Document.objects.filter(wanted, names=False, kind=kind)


def _compiled(query: Query) -> str:
    """The tsquery as text, so that the planner knows how common its words are."""
    condition = text_condition(query)
    if not condition.sql:
        return ""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT ({condition.sql})::text", condition.params)
        return str(cursor.fetchone()[0])


def _holds(user: User, kind: str, asked: str) -> Q:
    """One vector decides per document, the fullest that the person may read: a word behind a minus
    keeps out a ticket whose work notes hold it, and only for those who may know."""
    organizations = reach_of(user).organizations(Right.NOTES_READ)
    if organizations is not None and not organizations:
        return Q(_in("body", asked))
    noteless = sources.get(kind).noteless(user)
    if organizations is None and not noteless:
        return (Q(full__isnull=True) & _in("body", asked)) | Q(_in("full", asked))
    theirs = Q() if organizations is None else Q(organization_id__in=sorted(organizations))
    if noteless:
        theirs &= ~Q(object_id__in=noteless)
    return (_in("body", asked) & (Q(full__isnull=True) | ~theirs)) | (_in("full", asked) & theirs)


def _in(column: str, asked: str) -> Q:
    return Q(
        Func(
            F(column),
            Cast(Value(asked), SearchQueryField()),
            template="(%(expressions)s)",
            arg_joiner=" @@ ",
            output_field=BooleanField(),
        )
    )


def _estimate(documents: QuerySet[Document]) -> int:
    """The planner's guess of how many documents match; it keeps how frequent each word is."""
    plan = json.loads(documents.order_by().values("pk").explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])
