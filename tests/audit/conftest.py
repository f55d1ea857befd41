"""Connections of their own, and the ways of somebody who has the database's password."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest
from django.db import connection

from spine.people.models import Organization, User


@pytest.fixture
def open_connection(db: None) -> Iterator[Callable[[], Any]]:
    """Makes further sessions on the test database, outside Django."""
    opened: list[Any] = []

    def make() -> Any:
        parameters = connection.get_connection_params()
        for name in ("cursor_factory", "context"):
            parameters.pop(name, None)
        made = psycopg2.connect(**parameters)
        opened.append(made)
        return made

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def tamper(open_connection: Callable[[], Any]) -> Callable[..., None]:
    """Runs SQL as a superuser with every trigger off, as an attacker with psql would."""

    def run(statement: str, *parameters: Any) -> None:
        with closing(open_connection()) as session, session, session.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(statement, parameters)

    return run


@contextmanager
def unwatched() -> Iterator[None]:
    """What a test needs to be there already leaves no "outside" entries."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('evenkeel.operation', 'fixture', false)")
        yield
        cursor.execute("SELECT set_config('evenkeel.operation', '', false)")


def _person(username: str, name: str) -> User:
    with unwatched():
        home, _made = Organization.objects.get_or_create(
            code="home", defaults={"name": "Northwind"}
        )
        return User.objects.create(
            username=username, name=name, organization=home, email=f"{username}@x.example"
        )


@pytest.fixture
def mei(db: None) -> User:
    return _person("mei", "Mei Chen")


@pytest.fixture
def jonas(db: None) -> User:
    return _person("jonas", "Jonas Ortiz")
