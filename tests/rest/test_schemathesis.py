"""Every operation answers as the schema says: schemathesis with all its checks, against the WSGI
application and the real database, a bounded number of examples each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.generation.hypothesis.builder import (
    HypothesisTestConfig,
    HypothesisTestMode,
    create_test,
)
from schemathesis.generation.meta import TestPhase

from spine.people.actions import create_token
from spine.people.roles import Role
from spine.rest.docs import openapi
from spine.rest.rendering import dumps

# A reference that names nothing, a choice that another field rules out: JSON Schema can't say
# these, so a well-formed request may meet them. Any other refusal of one is a failure.
MEANINGFUL = {
    "unknown_reference",
    "bad_cursor",
    "invalid_choice",
    "not_in_group",
    "inactive",
    "required",
    "invalid",
    "loop",
    "taken",
}
CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", "304", "400", "401", "403", "404", "409", "412", "503"]
            }
        },
        "generation": {"allow-x00": True},
    }
)


@pytest.fixture
def described(db) -> Iterator[Any]:
    from itsm.wsgi import application

    # As Django's own test client does: the test's transaction outlives each request.
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)

    document = json.loads(dumps(openapi("en")))
    schema = schemathesis.openapi.from_dict(document, config=CONFIG)
    schema.app = application
    schema.location = "/api/schema/"
    yield schema
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@pytest.fixture
def keys(described, make_user, make_incident, home, team, agent) -> dict[str, str]:
    """A real record for each collection, so that generated requests find one now and then."""
    incident = make_incident()
    return {
        "incidents": incident.number,
        "users": agent.username,
        "teams": team.name,
        "organizations": home.code,
    }


@pytest.fixture
def token(make_user) -> str:
    everything = make_user("everything", Role.LEAD, Role.ADMIN, Role.AUDITOR)
    return create_token(actor=everything, name="schemathesis", scope="write")[1]


COLLECTIONS = [
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
]
FUZZED = [HypothesisTestMode.FUZZING]
MODES = [HypothesisTestMode.EXAMPLES, HypothesisTestMode.COVERAGE, HypothesisTestMode.FUZZING]
BOUNDED = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)


def test_every_collection_is_covered(described):
    paths = {str(result.ok().path).split("/")[3] for result in described.get_all_operations()}
    assert paths == set(COLLECTIONS)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_answers_as_described(collection, described, keys, token):
    tried = 0

    def check(case):
        nonlocal tried
        tried += 1
        # A fixed half of the edges that coverage derives; the rest are their near twins.
        if case.meta.phase.name == TestPhase.COVERAGE and tried % 2:
            return
        # Half of the generated keys become a real one, so that both sides of 404 are seen.
        if "key" in case.path_parameters and tried % 4 < 2 and collection in keys:
            case.path_parameters["key"] = keys[collection]
        with transaction.atomic():
            response = case.call_and_validate(headers={"Authorization": f"Token {token}"})
        if response.status_code == 400 and case.meta.generation.mode.is_positive:
            told = response.json()
            codes = {error["code"] for error in told.get("errors", [])} or {told["code"]}
            assert codes <= MEANINGFUL, told

    for result in described.get_all_operations():
        operation = result.ok()
        if operation.path.split("/")[3] != collection:
            continue
        # Coverage of sixty list parameters, or of every shape of a bulk row, would be thousands of
        # requests; random combinations find the same faults there.
        listed = operation.definition.raw["summary"] == "List"
        modes = FUZZED if listed or operation.path.endswith("/bulk/") else MODES
        config = HypothesisTestConfig(
            project=described.config, modes=modes, settings=BOUNDED, explicit_settings=BOUNDED
        )
        create_test(operation=operation, test_func=check, config=config)()
    assert tried > 50
