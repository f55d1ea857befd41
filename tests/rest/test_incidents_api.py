"""The incidents collection, point by point of "REST API" in the interface."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

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
