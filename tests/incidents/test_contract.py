"""Incidents keep the contract of every ticket kind."""

from __future__ import annotations

from typing import Any

import pytest

from incidents.actions import open_incident
from incidents.models import Incident
from spine.people.models import User
from tests.contracts.tickets import TicketContract


@pytest.mark.django_db
class TestIncident(TicketContract):
    kind = "incident"
    finish = (
        "resolve",
        {"close_code": "solution_provided", "close_notes": "Restarted the pool."},
    )

    def open(self, actor: User, **values: Any) -> Incident:
        return open_incident(actor=actor, values={"title": "It is broken", **values})
