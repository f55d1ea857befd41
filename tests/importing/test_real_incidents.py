"""The real incident events: every figure that their README names comes out exactly."""

from __future__ import annotations

import os
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Count
from rest_framework.test import APIClient

from incidents.models import Incident
from spine.people.actions import create_token
from spine.people.models import Grant, Organization, Team, User
from spine.people.roles import Role
from spine.tickets.importing.mapping import load
from spine.tickets.importing.runs import Summary, run_import
from spine.tickets.models import ExternalReference, HistoryEvent, TicketClock

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ITSM_REAL_DATA") or ROOT.parent / "shared" / "data")
FILE = DATA / "incidents" / "incident_events.csv.xz"
MAPPING = ROOT / "demo" / "mappings" / "incident_events.yaml"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no real records at {DATA} (ITSM_REAL_DATA)"),
    pytest.mark.django_db,
    # One worker loads it once.
    pytest.mark.xdist_group("real-incidents"),
]


@pytest.fixture(scope="module")
def loaded(django_db_setup: None, django_db_blocker: Any) -> Iterator[Summary]:
    """Loaded once for all tests here, in a transaction that is rolled back at the end."""
    with django_db_blocker.unblock():
        atomic = transaction.atomic()
        atomic.__enter__()
        try:
            Organization.objects.get_or_create(code="home", defaults={"name": "Home"})
            summary = run_import(actor=User.objects.system(), path=FILE, mapping=load(MAPPING))
            # Checked here once, else the end of every test would check all foreign keys again.
            connection.check_constraints()
            yield summary
        finally:
            transaction.set_rollback(True)
            atomic.__exit__(None, None, None)
            connection.close()


@pytest.fixture
def ours(loaded: Summary, db: None) -> Any:
    return Incident.objects.filter(external_source="uci-498")


@pytest.fixture
def api(loaded: Summary, db: None) -> APIClient:
    user = User.objects.create(
        username="reader", name="Reader", organization=Organization.objects.get(code="home")
    )
    Grant.objects.create(user=user, role=Role.AGENT)
    _token, key = create_token(actor=user, name="figures", scope="read")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {key}")
    return client


def test_everything_came_in(loaded: Summary, ours: Any) -> None:
    assert (loaded.rows, loaded.created, loaded.rejected) == (59_354, 9_202, 0)
    assert ours.count() == 9_202
    assert HistoryEvent.objects.count() == 59_354
    assert not TicketClock.objects.exists()
    assert ours.filter(state="closed", active=False).count() == 9_202


FIGURES: list[tuple[dict[str, Any], int]] = [
    ({"priority": 1}, 94), ({"priority": 2}, 143), ({"priority": 3}, 8_581), ({"priority": 4}, 384),
    ({"impact": 1}, 152), ({"impact": 2}, 8_687), ({"impact": 3}, 363),
    ({"breached": True}, 5_483), ({"reopen_count__gt": 0}, 133),
    ({"reassignment_count__gt": 0}, 5_108), ({"reassignment_count__gte": 27}, 1),
    ({"reassignment_count__gt": 27}, 0),
    ({"channel": "phone"}, 9_166), ({"channel": "email"}, 36), ({"resolved_at__isnull": True}, 783),
]  # fmt: skip


@pytest.mark.parametrize(("filters", "count"), FIGURES)
def test_figures_by_the_records(ours: Any, filters: dict[str, Any], count: int) -> None:
    assert ours.filter(**filters).count() == count


@pytest.mark.parametrize(("filters", "count"), FIGURES)
def test_figures_by_the_api(api: APIClient, filters: dict[str, Any], count: int) -> None:
    asked = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in filters.items()
    }
    answer = api.get(
        "/api/v1/incidents/",
        {**asked, "external_source": "uci-498", "count": "exact", "limit": 1},
    )
    assert answer.status_code == 200, answer.content
    assert answer.json()["count"] == count


@pytest.mark.parametrize(
    ("relation", "count"), [("problem", 156), ("change", 85), ("caused_by", 2), ("item", 36)]
)
def test_links_to_records_that_are_not_here(ours: Any, relation: str, count: int) -> None:
    linked = ExternalReference.objects.filter(relation=relation, ticket__in=ours)
    assert linked.values("ticket").distinct().count() == count


def test_the_changes_that_caused_incidents() -> None:
    caused = ExternalReference.objects.filter(relation="caused_by")
    assert set(caused.values_list("external_id", flat=True)) == {"CHG0000097", "CHG0000132"}


def test_groups_and_callers(ours: Any) -> None:
    assert Team.objects.filter(name__startswith="Group ").count() == 69
    at_the_end = ours.values("assignment_group__name").annotate(n=Count("id")).order_by("-n")
    named = [
        (row["assignment_group__name"], row["n"])
        for row in at_the_end
        if row["assignment_group__name"]
    ]
    assert named[:3] == [("Group 70", 2_336), ("Group 25", 518), ("Group 24", 446)]
    # Two incidents name nobody: "Unknown caller" stands for them.
    assert ours.values("caller").distinct().count() == 3_306


def test_hours_to_resolve(ours: Any) -> None:
    hours: dict[int, list[float]] = {}
    for priority, opened, resolved in ours.filter(resolved_at__isnull=False).values_list(
        "priority", "opened_at", "resolved_at"
    ):
        hours.setdefault(priority, []).append((resolved - opened).total_seconds() / 3600)
    medians = {priority: statistics.median(found) for priority, found in hours.items()}
    assert {p: f"{m + 1e-9:.2f}" for p, m in medians.items()} == {
        1: "117.68", 2: "92.25", 3: "69.71", 4: "76.16",
    }  # fmt: skip


def test_events_by_state(loaded: Summary) -> None:
    labels = Counter(HistoryEvent.objects.values_list("state_label", flat=True))
    assert labels == {
        "Active": 18_734, "New": 13_517, "Resolved": 9_581, "Closed": 9_238,
        "Awaiting User Info": 7_846, "Awaiting Problem": 231, "Awaiting Vendor": 200,
        "Awaiting Evidence": 7,
    }  # fmt: skip


def test_the_story_of_one_incident(ours: Any, api: APIClient) -> None:
    incident = ours.get(external_id="INC0000047")
    assert incident.title == "Category 40 · Subcategory 215 · Symptom 471"
    assert incident.number != "INC0000047"
    events = list(incident.history.order_by("position"))
    assert len(events) == 9
    assert [e.state_label for e in events[-3:]] == ["Awaiting User Info", "Resolved", "Closed"]
    assert events[1].changes["assignment_group"] == ["Group 70", "Group 24"]
    assert events[1].changes["assignee"] == ["Resolver 89", "Resolver 31"]
    assert events[6].changes["hold_reason"] == [None, "awaiting_caller"]
    answer = api.get(f"/api/v1/incidents/{incident.number}/history/")
    assert answer.status_code == 200, answer.content
    told = [event for event in answer.json()["results"] if event["imported"]]
    assert [event["state"] for event in told] == [e.state_label for e in events]
    assert [event["actor"] for event in told] == [e.actor_label for e in events]


def test_a_second_load_changes_nothing(loaded: Summary, db: None) -> None:
    again = run_import(actor=User.objects.system(), path=FILE, mapping=load(MAPPING))
    assert (again.created, again.updated, again.unchanged) == (0, 0, 9_202)
