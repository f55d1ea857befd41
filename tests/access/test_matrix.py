"""Who gets what at every address: the role x endpoint matrix, one row per method and address.

Outside one's scope is 404, inside without the right 403, before sign-in 302 (pages) or 401 (API).
A new address without a row fails, and so does a row without an address.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from incidents.models import Incident
from notify.models import MailboxMessage
from spine.audit.models import Entry
from spine.kit.clock import now
from spine.people import actions as people
from spine.people.models import Team, User
from spine.services.models import Service
from spine.sla.defaults import ensure_defaults
from spine.sla.models import Calendar, Policy
from spine.threads.models import Attachment
from spine.tickets.models import TicketClock
from tests.access.routes import routes

ROLES = ("anonymous", "caller", "stranger", "agent", "lead", "auditor", "admin", "partner", "exec")
TABLE = Path(__file__).with_name("matrix.txt")
SOLVED = {"close_code": "solution_provided", "close_notes": "Done"}

# What a POST or PATCH sends; the rest send nothing.
BODIES: dict[str, Any] = {
    "POST login/": {"username": "caller", "password": "demo"},
    "POST incidents/new/": {
        "title": "New",
        "caller": "caller",
        "impact": 3,
        "urgency": 3,
        "channel": "phone",
    },
    "POST incidents/preview/": {"body": "**x**"},
    "POST incidents/<number>/comments/": {"body": "Hello", "visibility": "public"},
    "POST incidents/<number>/moves/<move>/": {**SOLVED, "version": 1},
    "POST incidents/<number>/edit/<section>/": {"title": "Another", "version": 1},
    "POST incidents/bulk/assign/": {"assignment_group": "Service desk"},
    "POST portal/new/": {"title": "New", "trouble": "small"},
    "POST portal/tickets/<number>/reply/": {"body": "Hello"},
    "POST profile/preferences/": {"language": "en", "timezone": "UTC"},
    "POST profile/password/": {"current": "demo", "new": "a long new password"},
    "POST profile/tokens/": {"name": "x", "scope": "read", "days": 30},
    "POST language/": {"language": "en", "next": "/"},
    "POST api/v1/incidents/": {"title": "New"},
    "PATCH api/v1/incidents/<key>/": {"title": "Another"},
    "POST api/v1/incidents/bulk/": {"rows": [{"title": "One"}]},
    "POST api/v1/incidents/<key>/comments/": {"body": "Hello", "visibility": "public"},
    "POST api/v1/incidents/<key>/moves/": {"move": "resolve", **SOLVED},
    "POST api/v1/users/": {"username": "new", "name": "New", "organization": "home"},
    "PATCH api/v1/users/<key>/": {"title": "Clerk"},
    "POST api/v1/teams/": {"name": "New", "organization": "home"},
    "POST api/v1/organizations/": {"code": "new", "name": "New"},
}


def rows() -> dict[str, list[int]]:
    """{"METHOD route": status per role} of matrix.txt."""
    found = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        method, route, *statuses = line.split()
        key = f"{method} {'' if route == '/' else route}"
        assert key not in found, f"two rows for {key}"
        found[key] = [int(status) for status in statuses]
    return found


@pytest.fixture
def world(
    caller: User, other_caller: User, agent: User, lead: User, auditor: User, admin: User,
    partner: User, executive: User, team: Team, system: User,
    make_incident: Callable[..., Incident],
) -> dict[str, Any]:  # fmt: skip
    """One of everything that an address can name; the incident is `caller`'s."""
    ensure_defaults(system)
    note = SimpleUploadedFile("note.txt", b"hello", "text/plain")
    incident = make_incident(actor=caller, files=[note])
    linked = make_incident(actor=caller)
    service = Service.objects.create(name="Payments", organization=caller.organization)
    token, _key = people.create_token(actor=caller, name="own", scope="read")
    message = MailboxMessage.objects.create(
        sender="desk@example.com",
        recipients="caller@example.com",
        subject="Hello",
        text="x",
        received_at=now(),
    )
    return {
        "message": message,
        "people": {
            "anonymous": None, "caller": caller, "stranger": other_caller, "agent": agent,
            "lead": lead, "auditor": auditor, "admin": admin, "partner": partner,
            "exec": executive,
        },
        "incident": incident,
        "linked": linked,
        "attachment": Attachment.objects.get(),
        "team": team,
        "service": service,
        "token": token,
        "calendar": Calendar.objects.earliest("id"),
        "policy": Policy.objects.earliest("id"),
        "clock": TicketClock.objects.filter(ticket=incident).earliest("id"),
        "entry": Entry.objects.for_target(incident).earliest("id"),
    }  # fmt: skip


def address(route: str, world: dict[str, Any]) -> str:
    """The route with this world's own numbers and ids in it."""
    keys = {
        "incidents": world["incident"].number,
        "users": world["people"]["caller"].username,
        "teams": world["team"].uuid,
        "organizations": world["people"]["caller"].organization.uuid,
        "services": world["service"].uuid,
        "calendars": world["calendar"].uuid,
        "sla-policies": world["policy"].uuid,
        "sla-clocks": world["clock"].uuid,
        "audit-entries": world["entry"].uuid if hasattr(world["entry"], "uuid") else "",
        "attachments": world["attachment"].uuid,
    }
    if not keys["audit-entries"]:
        keys["audit-entries"] = world["entry"].id
    collection = route.split("/")[2] if route.startswith("api/v1/") else ""
    filled = {
        "number": world["incident"].number,
        "key": keys.get(collection, ""),
        "move": "resolve",
        "section": "words",
        "metric": "resolution",
        "code": "cancel",
        "pk": world["message"].pk,
        "uuid": world["token"].uuid if "tokens" in route else world["attachment"].uuid,
    }
    for name, value in filled.items():
        route = route.replace(f"<{name}>", str(value))
    assert "<" not in route, f"say what {route} stands for"
    return f"/{route}"


def send(client: Client, method: str, route: str, world: dict[str, Any]) -> int:
    path = address(route, world)
    body = BODIES.get(f"{method} {route}", {})
    if route.endswith("links/") and method == "POST":
        body = {"type": "related", "target": world["linked"].number}
    if route == "incidents/<number>/take/" or route.startswith("incidents/bulk/"):
        body = {**body, "pick": [world["incident"].number], "version": 1}
    if route.startswith("api/v1/") and not (route.endswith("attachments/") and method == "POST"):
        sent = json.dumps(body) if method != "GET" else ""
        response = client.generic(method, path, sent, content_type="application/json")
    elif route.endswith("attachments/") and method == "POST":
        response = client.post(path, {"file": SimpleUploadedFile("a.txt", b"x", "text/plain")})
    elif method == "GET":
        response = client.get(path, {"q": "pay"} if "search" in route else {})
    else:
        response = client.generic(
            method, path, _form(body), content_type="application/x-www-form-urlencoded"
        )
    return response.status_code


def _form(body: dict[str, Any]) -> str:
    from urllib.parse import urlencode

    return urlencode(body, doseq=True)


def statuses(key: str, world: dict[str, Any]) -> list[int]:
    method, _space, route = key.partition(" ")
    found = []
    for role in ROLES:
        client = Client()
        user = world["people"][role]
        with transaction.atomic():
            if user is not None:
                client.force_login(user, backend="spine.people.backends.PeopleBackend")
                user.__dict__.pop("_reach", None)
            found.append(send(client, method, route, world))
            transaction.set_rollback(True)
    return found


def test_every_address_has_its_rows_and_every_row_an_address() -> None:
    known = rows()
    missing = []
    for route, methods in routes().items():
        given = {key.partition(" ")[0] for key in known if key.partition(" ")[2] == route}
        missing += [f"{method} {route}" for method in (methods or set()) - given]
        if not given:
            missing.append(f"? {route}")
    strange = [key for key in known if key.partition(" ")[2] not in routes()]
    assert (missing, strange) == ([], [])


def areas() -> dict[str, list[str]]:
    """Rows by their first word, so that a world is built once for each and workers share them."""
    found: dict[str, list[str]] = {}
    for key in rows():
        parts = key.partition(" ")[2].split("/")
        area = "/".join(parts[:3]) if parts[0] == "api" else parts[0]
        found.setdefault(area if area in {"incidents", "api/v1/incidents"} else "", []).append(key)
    return found


@pytest.mark.parametrize("area", list(areas()))
def test_each_role_gets_what_the_matrix_says(area: str, world: dict[str, Any]) -> None:
    wrong = {}
    for key in areas()[area]:
        found = dict(zip(ROLES, statuses(key, world), strict=True))
        expected = dict(zip(ROLES, rows()[key], strict=True))
        differing = {role: status for role, status in found.items() if status != expected[role]}
        if differing:
            wrong[key] = differing
    assert wrong == {}
