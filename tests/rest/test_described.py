"""OpenAPI, its page, and errors outside of the API's views."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client
from openapi_spec_validator import validate

from tests.rest.test_incidents_api import problem

COLLECTIONS = {
    "incidents",
    "users",
    "teams",
    "organizations",
    "services",
    "calendars",
    "sla-policies",
    "sla-clocks",
    "audit-entries",
    "attachments",
}


@pytest.fixture
def document(db):
    response = Client().get("/api/schema/")
    assert response.status_code == 200
    return json.loads(response.content)


def test_the_schema_is_valid_openapi_3_1(document):
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert {path.split("/")[3] for path in document["paths"]} == COLLECTIONS


def test_every_operation_tells_its_errors_and_has_its_own_id(document):
    ids = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            ids.append(operation["operationId"])
            assert {"400", "401", "403", "404", "429"} <= set(operation["responses"]), path
            if method != "get":
                assert {"409", "412", "413", "415"} <= set(operation["responses"]), path
            assert operation["summary"]
    assert len(ids) == len(set(ids))


def test_every_object_is_closed(document):
    for name, schema in document["components"]["schemas"].items():
        assert schema["additionalProperties"] is False, name
    request = document["components"]["schemas"]["IncidentRequest"]
    assert request["required"] == ["title"]
    assert "state" not in request["properties"]
    assert re.search(request["properties"]["title"]["pattern"], "a\x00b") is None


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_guide_is_open_and_has_no_inline_script(db, language):
    client = Client()
    client.cookies["language"] = language
    page = client.get("/api/docs/")
    assert page.status_code == 200
    text = page.content.decode()
    assert "/api/v1/incidents/{key}/moves/" in text
    assert "curl -X POST" in text
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*[^<\s]", text)
    assert " style=" not in text
    problems = client.get("/api/docs/problems/").content.decode()
    assert 'id="stale-version"' in problems


def test_the_guide_keeps_the_rail_of_who_is_signed_in(agent, sign_in):
    assert sign_in(agent).get("/api/docs/").status_code == 200


def test_errors_outside_of_the_views_are_problems_too(db):
    problem(Client().get("/api/nowhere/"), 404, "not_found")
    problem(Client().get("/api/v1/nowhere/"), 404, "not_found")
    problem(Client().get("/api/v1/incidents/?q=%00"), 400, "invalid")
    problem(Client(HTTP_HOST="bad host").get("/api/v1/incidents/"), 400, "invalid")
    problem(Client().post("/api/schema/"), 405, "method_not_allowed")


def test_a_fault_of_ours_is_a_problem_without_its_inner_words(db, agent, api, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("secret inner words")

    monkeypatch.setattr("incidents.api.IncidentViewSet.records", fail)
    told = api(agent).get("/api/v1/incidents/")
    problem(told, 500, "internal_error")
    assert b"secret" not in told.content
