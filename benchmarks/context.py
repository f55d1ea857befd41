"""What a row measures with: people who ask, prepared records, the floor's statements."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.cached_db import SessionStore
from django.db import connection

from spine.people.models import User

AGENT = "bench.agent"
TEAM = "Bench desk"


@dataclass
class Bench:
    """One process, one row, one database. tickets: how many are in it; repeat: of each
    measurement; seconds: how long a load runs; quick: prove that it runs, the figures say little.
    """

    tickets: int
    repeat: int = 3
    quick: bool = False

    @property
    def seconds(self) -> float:
        return 0.4 if self.quick else 4.0

    @property
    def warm_up(self) -> float:
        return 0.2 if self.quick else 1.5

    def many(self, full: int, few: int) -> int:
        return few if self.quick else full

    @cached_property
    def agent(self) -> User:
        """Somebody who works tickets everywhere, in the team that has most open ones."""
        return User.objects.get(username=AGENT)

    @cached_property
    def system(self) -> User:
        found: User = User.objects.system()
        return found

    def token(self) -> str:
        from spine.people.actions import create_token

        _row, key = create_token(actor=self.agent, name="bench", scope="write")
        return key

    def cookie(self) -> str:
        """The header of a signed-in browser."""
        session = SessionStore()
        session[SESSION_KEY] = str(self.agent.pk)
        session[BACKEND_SESSION_KEY] = "spine.people.backends.PeopleBackend"
        session[HASH_SESSION_KEY] = self.agent.get_session_auth_hash()
        session.create()
        return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"

    def prepare(self) -> None:
        """The agent and the default promises; does nothing where they are."""
        from spine.people.actions import create_user, grant
        from spine.people.models import Organization, Team, TeamMember
        from spine.sla.defaults import ensure_defaults

        ensure_defaults(self.system)
        if User.objects.filter(username=AGENT).exists():
            return
        home = Organization.objects.order_by("id").first()
        assert home is not None
        agent = create_user(
            actor=self.system, username=AGENT, name="Bench Agent", organization=home
        )
        grant(actor=self.system, user=agent, role="agent")
        grant(actor=self.system, user=agent, role="lead")
        busiest = query(
            "SELECT assignment_group_id FROM tickets_ticket WHERE active "
            "AND assignment_group_id IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
        )
        if busiest:
            TeamMember.objects.create(team=Team.objects.get(pk=busiest[0][0]), user=agent)


def query(sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return list(cursor.fetchall()) if cursor.description else []


def sql_ms(sql: str, values: Sequence[Any] = (), *, times: int = 15) -> float:
    """The fastest half's slowest of `times` runs, in ms: warm, and without the odd hiccup."""
    taken = []
    with connection.cursor() as cursor:
        for _time in range(times):
            began = time.perf_counter()
            cursor.execute(sql, values or None)
            if cursor.description:
                cursor.fetchall()
            taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)[len(taken) // 2]


def timed_ms(call: Any, *, times: int = 15) -> float:
    """Median of `times` calls in ms."""
    taken = []
    for _time in range(times):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)[len(taken) // 2]


def queries_of(path: str, cookie_of: User) -> tuple[int, int]:
    """(queries of a page as a browser asks for it, bytes of its HTML)."""
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client()
    client.force_login(cookie_of, backend="spine.people.backends.PeopleBackend")
    client.get(path)
    with CaptureQueriesContext(connection) as caught:
        answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answers {answer.status_code}")
    framing = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "SET LOCAL", "SELECT set_config")
    asked = [one for one in caught.captured_queries if not one["sql"].startswith(framing)]
    return len(asked), len(answer.content)
