"""Lists: pages, filters, orders, trimming, embedding, counts; and the other collections."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents.models import Incident
from spine.kit.clock import now
from spine.people.roles import Role
from spine.services.models import Service
from spine.sla.models import Calendar, Policy
from spine.tickets.models import Ticket, TicketClock
from tests.rest.test_incidents_api import URL, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def incidents(make_incident, agent, team) -> list[Incident]:
    made = [
        make_incident(
            title=f"Incident {i}",
            impact=i % 3 + 1,
            urgency=2,
            assignment_group=team if i % 2 else None,
            actor=agent,
        )
        for i in range(23)
    ]
    # Ties on purpose: pages must not lose or repeat what shares a time.
    start = now() - timedelta(days=2)
    for i, incident in enumerate(made):
        Ticket.objects.filter(pk=incident.pk).update(opened_at=start + timedelta(hours=i // 5))
    return made


def walk(client: Any, address: str) -> Iterator[dict[str, Any]]:
    while address:
        page = client.get(address)
        assert page.status_code == 200, page.content
        yield page.json()
        address = page.json()["next"]


@pytest.mark.parametrize(
    "ordering", ["-opened_at", "opened_at", "priority", "-updated_at", "due_at", "-resolved_at"]
)
def test_pages_hold_every_row_once(api, agent, incidents, ordering):
    client = api(agent)
    pages = list(walk(client, f"{URL}?limit=4&ordering={ordering}&active=true"))
    numbers = [row["number"] for page in pages for row in page["results"]]
    assert sorted(numbers) == sorted(one.number for one in incidents)
    assert [len(page["results"]) for page in pages] == [4] * 5 + [3]
    assert set(pages[0]) == {"next", "previous", "results"}
    assert pages[0]["previous"] is None
    parameters = parse_qs(urlparse(pages[0]["next"]).query)
    assert parameters["active"] == ["true"]
    back = client.get(pages[-1]["previous"]).json()
    assert back["results"] == pages[-2]["results"]


def test_orders_sort(api, agent, incidents):
    rows = api(agent).get(URL, {"ordering": "opened_at", "limit": 500}).json()["results"]
    moments = [row["opened_at"] for row in rows]
    assert moments == sorted(moments)
    rows = api(agent).get(URL, {"ordering": "priority", "limit": 500}).json()["results"]
    assert [row["priority"] for row in rows] == sorted(row["priority"] for row in rows)


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "", "1.5", "9" * 30, "٣"])
def test_limits_out_of_bounds_say_so(api, agent, limit):
    told = api(agent).get(URL, {"limit": limit})
    assert "from 1 to 500" in problem(told, 400, "out_of_range", "limit")["detail"]


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("ordering=password", "unknown_ordering", "ordering"),
        ("cursor=abc", "bad_cursor", "cursor"),
        ("count=1", "invalid_choice", "count"),
        ("fields=number,colour", "unknown_field", "fields"),
        ("fields=", "unknown_field", "fields"),
        ("expand=caller,", "unknown_field", "expand"),
        ("expand=number", "unknown_field", "expand"),
        ("colour=red", "unknown_parameter", "colour"),
        ("impact=7", "out_of_range", "impact"),
        ("state=open", "invalid_choice", "state"),
        ("assignee=nobody", "unknown_reference", "assignee"),
        ("breached=maybe", "invalid", "breached"),
        ("opened_at__gte=soon", "invalid", "opened_at__gte"),
        ("impact=1&impact=2", "repeated_parameter", "impact"),
    ],
)
def test_wrong_parameters_are_named(api, agent, query, code, field):
    problem(api(agent).get(f"{URL}?{query}"), 400, code, field)


def test_a_nul_in_the_address(api, agent):
    problem(api(agent).get(f"{URL}?title=%00"), 400, "invalid")


def test_filters(api, agent, incidents, team):
    client = api(agent)

    def count(query: str) -> int:
        return int(client.get(f"{URL}?{query}&limit=1&count=exact").json()["count"])

    assert count("impact=1") == 8
    assert count("priority__in=2,3") == 16
    assert count("assignment_group=Service desk") == 11
    assert count(f"assignment_group={team.uuid}") == 11
    assert count("assignment_group__isnull=true") == 12
    assert count("opened_by=me") == 23
    assert count("assignee__isnull=true") == 23
    assert count("reopen_count__gt=0") == 0
    assert count("breached=false") == 23
    assert count("state__in=new,on_hold") == 23
    assert count("active=false") == 0
    assert count("title__icontains=incident 2") == 4
    first = incidents[0].number
    assert count(f"number__in={first},INC0099999") == 1
    day = (now() - timedelta(days=1)).date().isoformat()
    assert count(f"opened_at__lt={day}") + count(f"opened_at__gte={day}") == 23


def test_counts_only_when_asked(api, agent, incidents):
    assert "count" not in api(agent).get(URL).json()
    assert api(agent).get(URL, {"count": "exact", "limit": 2}).json()["count"] == 23


def test_fields_trim_and_expand_embeds(api, agent, caller, make_incident, team):
    number = make_incident(assignment_group=team, actor=agent, caller=caller).number
    client = api(agent)
    page = client.get(URL, {"fields": "number,title"}).json()
    assert list(page["results"][0]) == ["number", "title"]
    one = client.get(f"{URL}{number}/", {"fields": "caller", "expand": "caller"}).json()
    assert one["caller"]["email"] == "caller@example.com"
    assert one["caller"]["organization"]["code"] == "home"
    rows = client.get(URL, {"expand": "caller,assignment_group"}).json()["results"]
    assert rows[0]["assignment_group"]["members"]
    # A caller is told an agent's name, but nothing more of the agent.
    mine = api(caller).get(f"{URL}{number}/", {"expand": "opened_by,caller"}).json()
    assert set(mine["opened_by"]) == {"id", "username", "name"}
    assert mine["caller"]["email"] == "caller@example.com"


def test_a_list_takes_few_queries_whatever_its_length(api, agent, incidents):
    client = api(agent)
    client.get(URL)
    counts = []
    for limit in (2, 20):
        with CaptureQueriesContext(connection) as captured:
            client.get(URL, {"limit": limit})
        # The test's own transaction turns the list's into a savepoint with its book-keeping.
        asked = [
            q["sql"] for q in captured if q["sql"].startswith("SELECT") and " FROM " in q["sql"]
        ]
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 9, asked


def test_a_list_too_slow_says_so(api, agent, incidents, settings, monkeypatch):
    from spine.rest import pagination

    def sleep(queryset: Any, *args: Any, **options: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(2)")

    settings.LIST_STATEMENT_TIMEOUT_MS = 50
    monkeypatch.setattr(pagination, "paginate", sleep)
    problem(api(agent).get(URL), 503, "query_too_slow")


# --- the other collections ----------------------------------------------------------------------


def test_users(api, admin, agent, caller, other_caller, home):
    rows = api(agent).get("/api/v1/users/", {"q": "novak"}).json()["results"]
    assert [row["username"] for row in rows] == ["caller"]
    assert {"password", "search_text"}.isdisjoint(rows[0])
    assert [row["username"] for row in api(caller).get("/api/v1/users/").json()["results"]] == [
        "caller"
    ]
    problem(api(caller).get("/api/v1/users/other.caller/"), 404, "not_found")
    new = {"username": "li.na", "name": "李娜", "organization": "home", "manager": "agent"}
    problem(api(agent).post("/api/v1/users/", new), 403, "role_required")
    made = api(admin).post("/api/v1/users/", new)
    assert made.status_code == 201, made.content
    assert made.json()["manager"]["username"] == "agent"
    problem(api(admin).post("/api/v1/users/", new), 409, "taken", "username")
    found = api(agent).get("/api/v1/users/", {"q": "lina"}).json()["results"]
    assert [row["name"] for row in found] == ["李娜"]
    address = "/api/v1/users/li.na/"
    etag = api(admin).get(address).headers["ETag"]
    left = api(admin).patch(address, {"is_active": False, "vip": True}, HTTP_IF_MATCH=etag)
    assert left.status_code == 200, left.content
    assert left.json()["is_active"] is False
    problem(api(admin).patch(address, {"vip": False}, HTTP_IF_MATCH=etag), 412, "stale_version")
    problem(api(admin).patch(address, {"username": "x"}), 400, "read_only", "username")
    problem(
        api(admin).patch(address, {"timezone": "Mars/Olympus"}), 400, "invalid_choice", "timezone"
    )


def test_teams_and_organizations(api, admin, agent, caller, team, partner, partner_organization):
    one = api(agent).get("/api/v1/teams/Service desk/").json()
    assert {member["username"] for member in one["members"]} == {"agent", "lead"}
    assert api(caller).get("/api/v1/teams/").json()["results"] == []
    made = api(admin).post("/api/v1/teams/", {"name": "Network", "organization": "home"})
    assert made.status_code == 201, made.content
    codes = [row["code"] for row in api(partner).get("/api/v1/organizations/").json()["results"]]
    assert codes == ["home", "partner"] or codes == ["partner"]
    made = api(admin).post("/api/v1/organizations/", {"code": "sub", "name": "Sub"})
    assert made.status_code == 201, made.content
    problem(api(agent).get("/api/v1/organizations/nothing/"), 404, "not_found")


def test_services_calendars_policies_clocks(api, agent, caller, team, make_incident):
    service = Service.objects.create(name="Payments", owner=agent, team=team, sort_key="payments")
    assert api(caller).get("/api/v1/services/Payments/").json()["owner"]["username"] == "agent"
    assert api(agent).get("/api/v1/services/", {"team": "Service desk"}).json()["results"]
    calendar = Calendar.objects.create(name="Office", zone="UTC", week={"mon": ["09:00-17:00"]})
    policy = Policy.objects.create(
        name="Standard", ticket_kind="incident", position=99, calendar=calendar
    )
    policy.targets.create(metric="response", seconds=3600)
    one = api(agent).get(f"/api/v1/sla-policies/{policy.uuid}/", {"expand": "calendar"})
    assert one.headers["ETag"] == '"1"'
    assert one.json()["targets"][0]["seconds"] == 3600
    assert one.json()["calendar"]["week"] == {"mon": ["09:00-17:00"]}
    assert api(agent).get("/api/v1/calendars/Office/").status_code == 200
    assert api(caller).get("/api/v1/calendars/").json()["results"] == []
    incident = make_incident(service=service)
    clock, _made = TicketClock.objects.get_or_create(
        ticket=incident,
        metric="response",
        defaults={"policy": policy, "target_seconds": 3600, "started_at": now()},
    )
    rows = api(caller).get("/api/v1/sla-clocks/", {"ticket": incident.number}).json()["results"]
    assert str(clock.uuid) in [row["id"] for row in rows]
    assert rows[0]["ticket"]["number"] == incident.number


def test_the_audit_trail_is_the_auditors(api, agent, admin, auditor, make_incident):
    incident = make_incident()
    for reader in (agent, admin):
        told = api(reader).get("/api/v1/audit-entries/")
        assert problem(told, 403, "role_required")["detail"].startswith("The audit trail")
    client = api(auditor)
    rows = client.get("/api/v1/audit-entries/", {"verb": "incident.created"}).json()["results"]
    assert [row["target_label"] for row in rows] == [incident.number]
    assert rows[0]["actor"] == "caller"
    assert client.get(f"/api/v1/audit-entries/{rows[0]['id']}/").json() == rows[0]
    problem(client.get("/api/v1/audit-entries/x/"), 404, "not_found")
    problem(client.post("/api/v1/audit-entries/", {}), 405, "method_not_allowed")


def test_a_partner_stays_inside(api, partner, make_user, partner_organization, make_incident):
    colleague = make_user("colleague", organization=partner_organization)
    theirs = make_incident(caller=colleague)
    ours = make_incident()
    numbers = [row["number"] for row in api(partner).get(URL).json()["results"]]
    assert numbers == [theirs.number]
    problem(api(partner).get(f"{URL}{ours.number}/"), 404, "not_found")
    users = api(partner).get("/api/v1/users/").json()["results"]
    assert {row["username"] for row in users} == {"partner", "colleague"}
    assert Role.PARTNER
