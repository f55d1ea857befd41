"""The hot lists are served by the index made for each: by the plan, not by a clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from incidents.listing import SPEC
from spine.people.models import User
from spine.services.models import Service
from spine.ui.listing import Listing

pytestmark = pytest.mark.django_db


def plan_of(sql: str) -> str:
    """The plan where a way through an index exists at all: on a few rows, reading them one by one
    and sorting is cheaper."""
    with transaction.atomic(), connection.cursor() as cursor:
        for way in ("seqscan", "bitmapscan", "sort", "incremental_sort", "hashjoin", "mergejoin"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute(f"EXPLAIN {sql}")
        return "\n".join(row[0] for row in cursor.fetchall())


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ("view=unassigned", "ticket_open_"),
        ("view=mine", "ticket_open_assignee"),
        ("view=waiting", "ticket_open_state"),
        ("view=resolved", "ticket_awaiting_close"),
        ("view=all", "ticket_opened"),
        ("view=all&ordering=-updated_at", "ticket_updated"),
        ("active=true&ordering=due_at", "ticket_open_due"),
        ("active=true&priority=1&ordering=priority", "ticket_open_priority"),
        ("service=Payments&ordering=-opened_at", "ticket_service_opened"),
        ("caller=caller&ordering=-opened_at", "ticket_caller_opened"),
    ],
)
def test_a_list_walks_its_index(
    asked: str, index: str, lead: User, caller: User, sign_in: Callable[[User], Client]
) -> None:
    Service.objects.create(name="Payments")
    with CaptureQueriesContext(connection) as caught:
        assert sign_in(lead).get(f"/incidents/?{asked}").status_code == 200
    listed = [
        one["sql"]
        for one in caught.captured_queries
        if 'FROM "incidents_incident"' in one["sql"] and "ORDER BY" in one["sql"]
    ]
    assert listed
    assert index in plan_of(listed[0])


def test_a_total_is_counted_without_the_kinds_own_table(
    lead: User, make_incident: Callable[..., object]
) -> None:
    from django.http import QueryDict

    make_incident()
    make_incident(title="Another")
    listing = Listing(SPEC, lead, QueryDict("active=true"), "/incidents/")
    assert "incidents_incident" not in str(listing.counted.query)
    assert listing.total() == (listing.filtered.count(), True) == (2, True)


def test_a_total_of_a_kinds_own_column_is_counted_there(
    lead: User, make_incident: Callable[..., object]
) -> None:
    from django.http import QueryDict

    make_incident()
    listing = Listing(SPEC, lead, QueryDict("close_code=duplicate"), "/incidents/")
    assert listing.total() == (0, True)


def test_joins_are_planned_in_the_order_written() -> None:
    """A record joins a dozen tables; PostgreSQL's own limit of 8 takes 80 ms to plan it."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW join_collapse_limit")
        assert cursor.fetchone()[0] == "4"
