from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from rest_framework.test import APIClient

from spine.people.actions import create_token
from spine.people.models import User
from tests.rest.sample import models


@pytest.fixture(scope="session")
def sample_tables(django_db_setup, django_db_blocker):
    """The sample's tables, made once in this worker's test database."""
    with django_db_blocker.unblock():
        existing = set(connection.introspection.table_names())
        with connection.schema_editor() as editor:
            for model in (models.Owner, models.Base, models.Child):
                if model._meta.db_table not in existing:
                    editor.create_model(model)


@pytest.fixture
def sample(sample_tables, db):
    return models


@pytest.fixture
def api() -> Callable[..., APIClient]:
    """A client of the API: `api(user)` with a write token, `api(user, scope="read")`, `api()`."""

    def make(user: User | None = None, *, scope: str = "write") -> APIClient:
        client = APIClient(raise_request_exception=False)
        client.default_format = "json"
        if user is not None:
            _token, key = create_token(actor=user, name="test", scope=scope)
            client.credentials(HTTP_AUTHORIZATION=f"Token {key}")
        return client

    return make
