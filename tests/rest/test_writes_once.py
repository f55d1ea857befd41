"""Idempotency keys, with real threads and real transactions; rate limits; bulk."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from incidents import actions
from spine.audit.models import Entry
from spine.kit.clock import now
from spine.rest import idempotency
from spine.rest.models import IdempotencyRecord
from spine.rest.tasks import prune_idempotency
from spine.tickets.models import Ticket
from tests.rest.test_incidents_api import URL, problem

BODY = {"title": "Printed once"}


@pytest.mark.django_db
def test_the_same_key_and_body_write_once(api, agent):
    client = api(agent)
    first = client.post(URL, BODY, HTTP_IDEMPOTENCY_KEY="k1")
    again = client.post(URL, BODY, HTTP_IDEMPOTENCY_KEY='"k1"')
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    for header in ("ETag", "Location", "Content-Type"):
        assert again.headers[header] == first.headers[header]
    assert Ticket.objects.count() == 1


@pytest.mark.django_db
def test_another_request_with_the_key_is_refused(api, agent, lead):
    client = api(agent)
    made = client.post(URL, BODY, HTTP_IDEMPOTENCY_KEY="k1").json()
    problem(
        client.post(URL, {"title": "x"}, HTTP_IDEMPOTENCY_KEY="k1"), 409, "idempotency_key_reused"
    )
    problem(
        client.post(f"{URL}{made['number']}/moves/", BODY, HTTP_IDEMPOTENCY_KEY="k1"),
        409,
        "idempotency_key_reused",
    )
    assert api(lead).post(URL, BODY, HTTP_IDEMPOTENCY_KEY="k1").status_code == 201
    assert Ticket.objects.count() == 2


@pytest.mark.django_db
def test_an_error_leaves_the_key_free(api, agent):
    client = api(agent)
    problem(client.post(URL, {}, HTTP_IDEMPOTENCY_KEY="k1"), 400, "required", "title")
    assert client.post(URL, BODY, HTTP_IDEMPOTENCY_KEY="k1").status_code == 201
    assert IdempotencyRecord.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é"])
def test_unfit_keys(api, agent, key):
    problem(api(agent).post(URL, BODY, HTTP_IDEMPOTENCY_KEY=key), 400, "bad_idempotency_key")


@pytest.mark.django_db
def test_answers_are_kept_a_day(api, agent):
    client = api(agent)
    client.post(URL, BODY, HTTP_IDEMPOTENCY_KEY="k1")
    assert prune_idempotency() == 0
    IdempotencyRecord.objects.update(created_at=now() - timedelta(days=1, seconds=1))
    assert client.post(URL, BODY, HTTP_IDEMPOTENCY_KEY="k1").status_code == 201
    assert Ticket.objects.count() == 2
    IdempotencyRecord.objects.update(created_at=now() - timedelta(days=1, seconds=1))
    assert prune_idempotency() == 1


@pytest.mark.django_db(transaction=True)
def test_while_the_first_runs_the_second_waits_outside(api, agent, monkeypatch):
    entered, go_on = threading.Event(), threading.Event()
    opened = actions.open_incident

    def slow(**values):
        entered.set()
        assert go_on.wait(20)
        return opened(**values)

    monkeypatch.setattr("incidents.api.actions.open_incident", slow)
    first, second = api(agent), api(agent)

    def post():
        try:
            return first.post(URL, BODY, HTTP_IDEMPOTENCY_KEY="k1")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(post)
        assert entered.wait(20)
        refused = second.post(URL, BODY, HTTP_IDEMPOTENCY_KEY="k1")
        problem(refused, 409, "idempotency_in_progress")
        assert refused.headers["Retry-After"] == "1"
        go_on.set()
        made = running.result(20)
    replayed = second.post(URL, BODY, HTTP_IDEMPOTENCY_KEY="k1")
    assert replayed.content == made.content
    assert Ticket.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_racing_requests_write_once(api, agent):
    clients = [api(agent) for _ in range(6)]
    start = threading.Barrier(6)

    def post(client):
        try:
            start.wait(20)
            return client.post(URL, BODY, HTTP_IDEMPOTENCY_KEY="race").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(post, clients))
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert Ticket.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_killed_connection_frees_the_claim(api, agent, monkeypatch):
    """The claim is the database's: it goes with the backend that held it."""
    opened = actions.open_incident

    def killed(**values):
        opened(**values)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    client = api(agent)
    with monkeypatch.context() as patch:
        patch.setattr("incidents.api.actions.open_incident", killed)
        gone = client.post(URL, BODY, HTTP_IDEMPOTENCY_KEY="k1")
        problem(gone, 503, "database_unavailable")
    connection.close()
    assert Ticket.objects.count() == 0
    assert client.post(URL, BODY, HTTP_IDEMPOTENCY_KEY="k1").status_code == 201


def test_digests_follow_meaning():
    assert idempotency.digest_of({"a": 1, "b": 2}) == idempotency.digest_of({"b": 2, "a": 1})
    assert idempotency.digest_of({"a": 1}) != idempotency.digest_of({"a": "1"})
    assert idempotency.digest_of([1, 2]) != idempotency.digest_of([2, 1])


# --- rate limits --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_token_is_limited_by_itself(api, agent, settings):
    settings.API_RATE_LIMIT_PER_MINUTE = 3
    client, other = api(agent), api(agent)
    answers = [client.get(URL) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"default";q=3;w=60'
    assert [a.headers["RateLimit"].split(";")[1] for a in answers] == ["r=2", "r=1", "r=0", "r=0"]
    problem(answers[3], 429, "rate_limited")
    assert int(answers[3].headers["Retry-After"]) >= 1
    assert other.get(URL).status_code == 200


# --- bulk ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_bulk_makes_changes_and_moves(api, lead, caller, make_incident, team):
    first, second = make_incident(), make_incident()
    answer = api(lead).post(
        f"{URL}bulk/",
        {
            "rows": [
                {"title": "New one", "caller": "caller", "impact": 1},
                {"number": first.number, "assignment_group": team.name, "assignee": "agent"},
                {"number": second.number.lower(), "move": "start"},
            ]
        },
    )
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["atomic"], told["succeeded"], told["failed"]) == (True, 3, 0)
    assert [row["status"] for row in told["results"]] == [201, 200, 200]
    assert Ticket.objects.get(number=told["results"][0]["number"]).title == "New one"
    assert Ticket.objects.get(pk=first.pk).assignment_group == team
    assert Ticket.objects.get(pk=second.pk).state == "in_progress"
    entries = Entry.objects.filter(verb__in=["incident.updated", "incident.started"])
    assert len({entry.operation for entry in entries}) == 1


@pytest.mark.django_db
def test_all_or_nothing(api, lead, make_incident):
    first, second = make_incident(), make_incident()
    rows = [
        {"number": first.number, "title": "Changed"},
        {"number": second.number, "title": "Changed", "version": 7},
    ]
    client = api(lead)
    told = problem(client.post(f"{URL}bulk/", {"rows": rows}), 412, "stale_version", "rows.1")
    assert "Nothing was changed" in told["detail"]
    assert not Ticket.objects.filter(title="Changed").exists()
    rows = [
        {"number": first.number, "colour": "red"},
        {"title": ""},
        {"number": "INC0", "title": "x"},
        5,
        {"number": first.number, "title": "fine"},
    ]
    told = client.post(f"{URL}bulk/", rows)
    problem(told, 400, "invalid", "rows.0.colour", "rows.1.title", "rows.2.number", "rows.3")
    assert not Ticket.objects.filter(title="fine").exists()


@pytest.mark.django_db
def test_row_by_row(api, lead, make_incident):
    first, second = make_incident(), make_incident()
    rows = [
        {"number": first.number, "title": "Changed"},
        {"number": second.number, "title": "Changed", "version": 7},
        {"number": second.number, "move": "reopen", "comment": "x"},
        {"number": second.number, "move": "start"},
        {"title": 7},
        {"number": "INC0099999", "title": "x"},
    ]
    client = api(lead)
    told = client.post(f"{URL}bulk/?atomic=false", {"rows": rows}).json()
    assert (told["succeeded"], told["failed"]) == (2, 4)
    assert [row["status"] for row in told["results"]] == [200, 412, 409, 200, 400, 400]
    assert [row["index"] for row in told["results"]] == list(range(6))
    assert told["results"][1]["problem"]["code"] == "stale_version"
    assert told["results"][4]["problem"]["errors"][0]["field"] == "title"
    assert Ticket.objects.get(pk=first.pk).title == "Changed"
    assert Ticket.objects.get(pk=second.pk).state == "in_progress"
    failed = Entry.objects.filter(verb="incident.reopened")
    assert not failed.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "out_of_range", "rows"),
        ({"rows": []}, "out_of_range", "rows"),
        ({"rows": "x"}, "out_of_range", "rows"),
        ({"rows": [{}], "mode": 1}, "unknown_field", "mode"),
        ({"rows": [{"title": "x"}], "atomic": "no"}, "wrong_type", "atomic"),
        ([{"title": "x"}] * 5001, "out_of_range", "rows"),
        ([{"move": "start"}], "required", "rows.0.number"),
    ],
)
def test_bulk_bodies_that_are_refused(api, lead, body, code, field):
    problem(api(lead).post(f"{URL}bulk/", body), 400, code, field)


@pytest.mark.django_db
def test_bulk_is_for_leads(api, agent):
    problem(api(agent).post(f"{URL}bulk/", [{"title": "x"}]), 403, "role_required")


@pytest.mark.django_db
def test_bulk_once_by_key(api, lead):
    client = api(lead)
    rows = [{"title": f"Row {i}"} for i in range(5)]
    first = client.post(f"{URL}bulk/", rows, HTTP_IDEMPOTENCY_KEY="b")
    again = client.post(f"{URL}bulk/", rows, HTTP_IDEMPOTENCY_KEY="b")
    assert again.json() == first.json()
    assert Ticket.objects.count() == 5
