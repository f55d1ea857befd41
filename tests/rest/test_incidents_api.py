"""The incidents collection, point by point of "REST API" in the interface."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from spine.kit.clock import now
from spine.people.actions import revoke_token
from spine.people.models import ApiToken, Team
from spine.threads.models import Attachment, Comment
from spine.tickets.models import Category, ExternalReference, Link, Ticket

pytestmark = pytest.mark.django_db

URL = "/api/v1/incidents/"


def problem(response: Any, status: int, code: str, *fields: str) -> dict[str, Any]:
    """The answer is this problem, about these fields."""
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    told = json.loads(response.content)
    assert set(told) >= {"type", "title", "status", "detail", "code"}
    assert told["status"] == status
    assert told["code"] == code, told
    if fields:
        assert {error["field"] for error in told["errors"]} == set(fields), told
    return told


def test_create_and_read_back(api, agent, caller, team):
    made = api(agent).post(
        URL,
        {
            "title": "Ticket machine 12 prints blank tickets",
            "impact": 2,
            "urgency": 1,
            "caller": "caller",
            "assignment_group": {"id": str(team.uuid)},
            "assignee": "agent",
            "custom": {"platform": 4},
        },
    )
    assert made.status_code == 201, made.content
    record = made.json()
    assert record["priority"] == 2
    assert record["caller"] == {"id": str(caller.uuid), "username": "caller", "name": "Anna Novak"}
    assert record["assignment_group"]["name"] == "Service desk"
    assert record["opened_by"]["username"] == "agent"
    assert record["state"] == "new"
    assert record["channel"] == "api"
    assert made.headers["Location"].endswith(f"{URL}{record['number']}/")
    read = api(agent).get(made.headers["Location"])
    assert read.json() == record
    assert read.headers["ETag"] == '"1"'
    assert api(agent).get(f"{URL}{record['id']}/").json() == record
    assert api(agent).get(f"{URL}{record['number'].lower()}/").json() == record


# --- who ----------------------------------------------------------------------------------------


def test_signing_in_is_needed(api, make_incident):
    told = problem(api().get(URL), 401, "not_authenticated")
    assert told["type"] == "/api/docs/problems/#not-authenticated"
    assert api().get(URL).headers["WWW-Authenticate"].startswith("Token")


@pytest.mark.parametrize(
    "header", ["Token nope", "Token", "Token a b", "Bearer \xff", "Token \x00"]
)
def test_a_token_that_is_none(api, header):
    client = api()
    client.credentials(HTTP_AUTHORIZATION=header)
    assert client.get(URL).status_code == 401


def test_expired_and_revoked_tokens(api, agent):
    client = api(agent)
    token = ApiToken.objects.get()
    assert client.get(URL).status_code == 200
    ApiToken.objects.update(expires_at=now() - timedelta(seconds=1))
    problem(client.get(URL), 401, "token_expired")
    ApiToken.objects.update(expires_at=None)
    revoke_token(actor=agent, token=token)
    assert client.get(URL).status_code == 401


def test_a_reading_token_writes_nothing(api, agent, make_incident):
    number = make_incident().number
    client = api(agent, scope="read")
    assert client.get(f"{URL}{number}/").status_code == 200
    problem(client.post(URL, {"title": "x"}), 403, "token_read_only")
    problem(client.patch(f"{URL}{number}/", {"title": "x"}), 403, "token_read_only")


def test_a_session_needs_its_csrf_token(api, agent):
    from rest_framework.test import APIClient

    client = APIClient(enforce_csrf_checks=True)
    client.force_login(agent, backend="spine.people.backends.PeopleBackend")
    assert client.get(URL).status_code == 200
    refused = client.post(URL, {"title": "x"}, format="json")
    assert refused.status_code == 403
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert Ticket.objects.count() == 0


def test_outside_of_scope_is_404_and_inside_without_right_403(
    api, agent, auditor, other_caller, partner, make_incident
):
    number = make_incident().number
    for stranger in (other_caller, partner):
        problem(api(stranger).get(f"{URL}{number}/"), 404, "not_found")
        problem(api(stranger).patch(f"{URL}{number}/", {"title": "x"}), 404, "not_found")
        assert api(stranger).get(URL).json()["results"] == []
    told = problem(api(auditor).patch(f"{URL}{number}/", {"title": "x"}), 403, "role_required")
    assert told["detail"] == "Only agents work on incidents."


def test_a_restricted_queue_is_its_members_alone(api, agent, lead, caller, home, make_incident):
    closed = Team.objects.create(name="Fraud", organization=home, restricted=True)
    closed.members.add(lead)
    number = make_incident(actor=lead, caller=caller, assignment_group=closed).number
    assert api(lead).get(f"{URL}{number}/").status_code == 200
    assert api(agent).get(f"{URL}{number}/").status_code == 404
    assert api(caller).get(f"{URL}{number}/").status_code == 200


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "fields"),
    [
        ({}, "required", ["title"]),
        ({"title": ""}, "blank", ["title"]),
        ({"title": "   "}, "blank", ["title"]),
        ({"title": None}, "null", ["title"]),
        ({"title": 5}, "wrong_type", ["title"]),
        ({"title": ["x"]}, "wrong_type", ["title"]),
        ({"title": "x" * 256}, "max_length", ["title"]),
        ({"title": "x", "impact": 4}, "invalid_choice", ["impact"]),
        ({"title": "x", "impact": "1"}, "invalid_choice", ["impact"]),
        ({"title": "x", "impact": True}, "invalid_choice", ["impact"]),
        ({"title": "x", "impact": 1.5}, "invalid_choice", ["impact"]),
        ({"title": "x", "colour": "red"}, "unknown_field", ["colour"]),
        ({"title": "x", "state": "resolved"}, "read_only", ["state"]),
        ({"title": "x", "number": "INC1"}, "read_only", ["number"]),
        ({"title": "x", "version": 3}, "read_only", ["version"]),
        ({"title": "x", "caller": "nobody"}, "unknown_reference", ["caller"]),
        ({"title": "x", "caller": 7}, "wrong_type", ["caller"]),
        ({"title": "x", "caller": {"name": "Anna"}}, "wrong_type", ["caller"]),
        ({"title": "x", "caller": None}, "null", ["caller"]),
        ({"title": "x", "custom": [1]}, "wrong_type", ["custom"]),
        ({"title": "x", "priority": 1}, "required", ["priority_reason"]),
        ({"title": "x", "category": "Nothing"}, "unknown_reference", ["category"]),
        ({"titel": "x", "impact": 9}, "invalid", ["title", "titel", "impact"]),
        ([], "wrong_type", [""]),
        ("x", "wrong_type", [""]),
        (None, "wrong_type", [""]),
    ],
)
def test_bad_input_is_named(api, agent, body, code, fields):
    response = api(agent).post(URL, json.dumps(body), content_type="application/json")
    problem(response, 400, code, *fields)
    assert Ticket.objects.count() == 0


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "required"),
        (b"{", "malformed"),
        (b'{"title": "a\\u0000b"}', "nul_character"),
        (b'{"title": "\\ud83d"}', "malformed"),
        (b'{"title": "x", "impact": NaN}', "malformed"),
        (b'{"title": "x", "title": "y"}', "repeated_member"),
        (b'{"title": "x", "impact": 99999999999999999999}', "out_of_range"),
        (b'{"custom": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "too_deep"),
        (b"\xff\xfe{}", "malformed"),
    ],
)
def test_malformed_bodies(api, agent, raw, code):
    problem(api(agent).post(URL, raw, content_type="application/json"), 400, code)


def test_sizes_and_media_types(api, agent, settings):
    huge = json.dumps({"title": "x" * 10_000_000})
    problem(api(agent).post(URL, huge, content_type="application/json"), 400, "max_length", "title")
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    problem(api(agent).post(URL, huge, content_type="application/json"), 413, "too_large")
    problem(
        api(agent).post(URL, "<a/>", content_type="application/xml"), 415, "unsupported_media_type"
    )
    problem(api(agent).get(URL, HTTP_ACCEPT="text/html"), 406, "not_acceptable")


def test_methods_and_addresses(api, agent, make_incident):
    number = make_incident().number
    refused = api(agent).delete(f"{URL}{number}/")
    problem(refused, 405, "method_not_allowed")
    assert "PATCH" in refused.headers["Allow"]
    problem(api(agent).put(f"{URL}{number}/", {"title": "x"}), 405, "method_not_allowed")
    assert Ticket.objects.filter(number=number).exists()
    for path in ("nothing/", "incidents/INC9999999/", "incidents/%00/", "incidents/é/"):
        response = api(agent).get(f"/api/v1/{path}")
        assert response.status_code in (400, 404)
        assert response.headers["Content-Type"] == "application/problem+json"
    problem(api(agent).get("/api/nothing"), 404, "not_found")


def test_another_peoples_reference_is_unknown(api, caller, other_caller):
    told = api(caller).post(URL, {"title": "x", "caller": "other.caller"})
    problem(told, 400, "unknown_reference", "caller")


# --- change -------------------------------------------------------------------------------------


def test_patch_changes_what_it_names(api, agent, make_incident, team):
    incident = make_incident(impact=3, urgency=3)
    client = api(agent)
    changed = client.patch(
        f"{URL}{incident.number}/", {"impact": 1, "urgency": 1, "assignment_group": team.name}
    )
    assert changed.status_code == 200, changed.content
    assert changed.json()["priority"] == 1
    assert changed.json()["title"] == incident.title
    assert changed.headers["ETag"] == '"2"'
    cleared = client.patch(f"{URL}{incident.number}/", {"assignment_group": None})
    assert cleared.json()["assignment_group"] is None
    same = client.patch(f"{URL}{incident.number}/", {"impact": 1})
    assert same.headers["ETag"] == '"3"'


def test_patch_cannot_alter_state(api, agent, make_incident):
    number = make_incident().number
    told = api(agent).patch(f"{URL}{number}/", {"state": "closed"})
    assert "moves/" in problem(told, 400, "read_only", "state")["errors"][0]["detail"]


def test_a_lost_update_is_refused(api, agent, make_incident):
    address = f"{URL}{make_incident().number}/"
    client = api(agent)
    etag = client.get(address).headers["ETag"]
    assert client.patch(address, {"title": "first"}, HTTP_IF_MATCH=etag).status_code == 200
    told = problem(
        client.patch(address, {"title": "second"}, HTTP_IF_MATCH=etag), 412, "stale_version"
    )
    assert told["current_version"] == 2
    assert client.get(address).json()["title"] == "first"
    problem(client.patch(address, {"title": "x"}, HTTP_IF_MATCH='"abc"'), 412, "stale_version")
    assert client.patch(address, {"title": "third"}, HTTP_IF_MATCH="*").status_code == 200
    move = {"move": "start"}
    problem(client.post(f"{address}moves/", move, HTTP_IF_MATCH=etag), 412, "stale_version")
    current = client.get(address).headers["ETag"]
    assert client.post(f"{address}moves/", move, HTTP_IF_MATCH=current).status_code == 200


def test_what_is_known_is_not_sent_again(api, agent, make_incident):
    incident = make_incident()
    address = f"{URL}{incident.number}/"
    client = api(agent)
    etag = client.get(address).headers["ETag"]
    known = client.get(address, HTTP_IF_NONE_MATCH=etag)
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["ETag"] == etag
    client.post(f"{address}comments/", {"body": "Looking into it."})
    assert client.get(address).headers["ETag"] == etag, "a comment is no change of the record"
    client.patch(address, {"title": "new"})
    assert client.get(address, HTTP_IF_NONE_MATCH=etag).status_code == 200


# --- moves --------------------------------------------------------------------------------------


def test_a_whole_life_by_moves(api, agent, lead, caller, team, make_incident):
    address = f"{URL}{make_incident(actor=agent, caller=caller).number}/"
    client = api(agent)

    def move(code: str, who=client, **values: Any) -> Any:
        return who.post(f"{address}moves/", {"move": code, **values})

    assert move("start").json()["state"] == "in_progress"
    problem(move("start"), 409, "not_in_state")
    problem(move("hold", hold_reason="awaiting_caller"), 400, "required", "comment")
    held = move("hold", hold_reason="awaiting_caller", comment="Which machine is it?")
    assert held.json()["hold_reason"] == "awaiting_caller"
    answered = api(caller).post(f"{address}comments/", {"body": "Number 12."})
    assert answered.status_code == 201
    assert client.get(address).json()["state"] == "in_progress", "the caller's reply resumes it"
    problem(move("resolve"), 400, "invalid", "close_code", "close_notes")
    problem(
        move("resolve", close_code="magic", close_notes="x"), 400, "invalid_choice", "close_code"
    )
    resolved = move("resolve", close_code="solution_provided", close_notes="New paper roll.")
    assert resolved.json()["resolved_at"] is not None
    told = problem(move("confirm", who=api(lead)), 403, "caller_only")
    assert told["detail"] == "Only the caller says whether it helped."
    closed = move("confirm", who=api(caller))
    assert closed.json()["state"] == "closed"
    assert closed.json()["active"] is False
    problem(move("reopen", who=api(caller), comment="Again."), 409, "not_in_state")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "required", "move"),
        ({"move": 1}, "wrong_type", "move"),
        ({"move": "fly"}, "unknown_move", "move"),
        ({"move": "start", "colour": "red"}, "unknown_field", "colour"),
        ({"move": "cancel", "reason": 5}, "invalid", "reason"),
        ({"move": "cancel", "reason": "x" * 2001}, "too_long", "reason"),
        ({"move": "hold", "hold_reason": "awaiting_vendor", "follow_up_at": "soon"}, "invalid",
         "follow_up_at"),
    ],
)  # fmt: skip
def test_bad_moves_are_named(api, agent, make_incident, body, code, field):
    response = api(agent).post(f"{URL}{make_incident().number}/moves/", body)
    problem(response, 400, code, field)


def test_moves_are_offered_with_reasons(api, agent, caller, make_incident):
    number = make_incident().number
    offered = {
        row["move"]: row for row in api(caller).get(f"{URL}{number}/moves/").json()["results"]
    }
    assert offered["cancel"]["allowed"]
    assert not offered["start"]["allowed"]
    assert offered["start"]["reason"] == "Only agents work on incidents."
    assert "reopen" not in offered
    values = {value["name"]: value for value in offered["resolve"]["values"]}
    assert values["close_code"]["required"]
    assert ["known_error", "Known error"] in values["close_code"]["choices"]


# --- comments, files, links, history ------------------------------------------------------------


def test_comments_and_work_notes(api, agent, caller, make_incident):
    address = f"{URL}{make_incident().number}/comments/"
    public = api(agent).post(address, {"body": "We are **on** it."})
    note = api(agent).post(address, {"body": "Disk is full.", "visibility": "note"})
    assert (public.status_code, note.status_code) == (201, 201)
    assert public.json()["author"]["username"] == "agent"
    assert public.json()["body"] == "We are **on** it."
    assert [row["body"] for row in api(agent).get(address).json()["results"]] == [
        "We are **on** it.",
        "Disk is full.",
    ]
    assert [row["body"] for row in api(caller).get(address).json()["results"]] == [
        "We are **on** it."
    ]
    problem(api(caller).post(address, {"body": "x", "visibility": "note"}), 403, "role_required")
    problem(api(agent).post(address, {"body": "  "}), 400, "blank", "body")
    problem(api(agent).post(address, {"body": "x", "author": "lead"}), 400, "read_only", "author")
    problem(api(agent).post(address, {"body": "x", "visibility": "secret"}), 400, "invalid_choice")
    assert Comment.objects.count() == 2


PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4"
    b"\x89\x00\x00\x00\nIDATx\x9cc\x00\x01\x00\x00\x05\x00\x01\r\n-\xb4\x00\x00\x00\x00IEND\xaeB`\x82"
)


def test_files(api, agent, caller, other_caller, make_incident):
    incident = make_incident()
    address = f"{URL}{incident.number}/attachments/"
    shot = SimpleUploadedFile("screen.png", PNG, "image/png")
    made = api(caller).post(address, {"file": shot}, format="multipart")
    assert made.status_code == 201, made.content
    told = made.json()
    assert (told["name"], told["size"], told["internal"]) == ("screen.png", len(PNG), False)
    secret = SimpleUploadedFile("dump.txt", b"core", "text/plain")
    note = api(agent).post(address, {"file": secret, "visibility": "note"}, format="multipart")
    assert note.json()["internal"] is True
    assert len(api(agent).get(address).json()["results"]) == 2
    assert [row["name"] for row in api(caller).get(address).json()["results"]] == ["screen.png"]

    content = api(caller).get(told["url"])
    assert content.getvalue() == PNG
    assert "attachment" in content.headers["Content-Disposition"]
    everyone = "/api/v1/attachments/"
    assert len(api(agent).get(everyone).json()["results"]) == 2
    assert [row["ticket"] for row in api(caller).get(everyone).json()["results"]] == [
        incident.number
    ]
    problem(api(caller).get(note.json()["url"]), 404, "not_found")
    problem(api(other_caller).get(told["url"]), 404, "not_found")
    assert api(other_caller).get(everyone).json()["results"] == []


def test_files_that_are_refused(api, agent, make_incident, settings):
    address = f"{URL}{make_incident().number}/attachments/"
    client = api(agent)
    problem(client.post(address, {"x": "y"}, format="multipart"), 400, "unknown_field", "x")
    problem(client.post(address, {"file": "text"}, format="multipart"), 400, "required", "file")
    problem(client.post(address, {"file": "x"}), 415, "unsupported_media_type")
    broken = client.post(address, b"--x", content_type="multipart/form-data; boundary=x")
    assert broken.status_code == 400
    settings.ATTACHMENT_MAX_BYTES = 1000
    large = SimpleUploadedFile("large.bin", b"x" * 1001)
    refused = client.post(address, {"file": large}, format="multipart")
    assert refused.status_code in (400, 413)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * 10_000_000)
    settings.ATTACHMENT_MAX_BYTES = 1_000_000
    kept = SimpleUploadedFile("bomb.zip", bomb.getvalue())
    assert client.post(address, {"file": kept}, format="multipart").status_code == 201
    assert Attachment.objects.count() == 1


def test_links_and_references(api, agent, other_caller, make_incident, caller):
    first, second = make_incident(), make_incident(title="The cause")
    client = api(agent)
    made = client.post(f"{URL}{first.number}/links/", {"type": "child_of", "target": second.number})
    assert made.status_code == 201, made.content
    record = client.get(f"{URL}{first.number}/").json()
    assert record["parent"] == {"number": second.number, "id": str(second.uuid), "source": ""}
    rows = client.get(f"{URL}{first.number}/links/").json()["results"]
    assert [row["target"]["number"] for row in rows] == [second.number]
    again = client.post(
        f"{URL}{first.number}/links/", {"type": "child_of", "target": second.number}
    )
    assert again.status_code == 201
    assert Link.objects.count() == 1
    problem(
        client.post(f"{URL}{first.number}/links/", {"type": "related", "target": first.number}),
        400,
        "loop",
        "target",
    )
    ExternalReference.objects.create(
        ticket=first, relation="caused_by", source="snow", external_id="CHG0000045"
    )
    ExternalReference.objects.create(
        ticket=first, relation="item", source="snow", external_id="DB-1"
    )
    record = client.get(f"{URL}{first.number}/").json()
    assert record["caused_by"] == {"number": "CHG0000045", "id": None, "source": "snow"}
    assert [item["number"] for item in record["items"]] == ["DB-1"]
    found = client.get(URL, {"caused_by": "CHG0000045"}).json()["results"]
    assert [row["number"] for row in found] == [first.number]


def test_history_tells_what_happened(api, agent, caller, make_incident):
    number = make_incident(actor=agent, caller=caller).number
    client = api(agent)
    client.patch(f"{URL}{number}/", {"impact": 1})
    client.post(f"{URL}{number}/moves/", {"move": "start"})
    client.post(f"{URL}{number}/comments/", {"body": "secret", "visibility": "note"})
    told = client.get(f"{URL}{number}/history/").json()["results"]
    assert [event["verb"] for event in told] == [
        "incident.created",
        "incident.updated",
        "incident.started",
        "incident.commented",
    ]
    assert told[1]["changes"]["impact"] == [2, 1]
    short = api(caller).get(f"{URL}{number}/history/").json()["results"]
    assert [event["verb"] for event in short] == ["incident.created", "incident.started"]
    assert set(short[1]["changes"]) <= {"state"}


def test_a_subcategory_is_found_within_its_category(api, agent):
    network = Category.objects.create(kind="incident", name="Network")
    mail = Category.objects.create(kind="incident", name="Mail")
    for parent in (network, mail):
        Category.objects.create(kind="incident", name="Slow", parent=parent)
    client = api(agent)
    made = client.post(URL, {"title": "x", "category": "Mail", "subcategory": "Slow"}).json()
    assert made["category"]["name"] == "Mail"
    slow = Category.objects.get(parent=mail)
    assert made["subcategory"]["id"] == str(slow.uuid)
    problem(client.post(URL, {"title": "x", "subcategory": "Slow"}), 400, "unknown_reference")
    changed = client.patch(
        f"{URL}{made['number']}/", {"category": "Network", "subcategory": "Slow"}
    ).json()
    assert changed["subcategory"]["id"] == str(Category.objects.get(parent=network).uuid)
