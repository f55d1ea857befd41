from __future__ import annotations

import pytest
from django.db import connection

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
