"""The framework's floor: Django and granian with one table, no middleware, no template.

A list of 50 filtered and sorted rows with 20 columns, one row by key, and one insert that commits.
"""

from __future__ import annotations

import json
import os
from typing import Any

import django
import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

from benchmarks.minimal_columns import COLUMNS

settings.configure(
    SECRET_KEY="floor",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="benchmarks.minimal",
    INSTALLED_APPS=[],
    MIDDLEWARE=[],
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "CONN_MAX_AGE": 600,
            **json.loads(os.environ.get("BENCH_DATABASE", "{}")),
        }
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - after the settings
from django.db import connection, models  # noqa: E402


class Row(models.Model):
    """The columns of a ticket that a list shows, read from the platform's own table."""

    uuid = models.UUIDField()
    number = models.CharField(max_length=20)
    kind = models.CharField(max_length=16)
    title = models.CharField(max_length=255)
    state = models.CharField(max_length=24)
    active = models.BooleanField()
    impact = models.SmallIntegerField()
    urgency = models.SmallIntegerField()
    priority = models.SmallIntegerField()
    caller_id = models.BigIntegerField()
    organization_id = models.BigIntegerField()
    assignment_group_id = models.BigIntegerField(null=True)
    assignee_id = models.BigIntegerField(null=True)
    service_id = models.BigIntegerField(null=True)
    channel = models.CharField(max_length=16)
    opened_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    breached = models.BooleanField()
    version = models.IntegerField()

    class Meta:
        app_label = "minimal"
        managed = False
        db_table = "tickets_ticket"


class Inserted(models.Model):
    """A row of about a ticket's width in a table of its own, with two indexes."""

    title = models.CharField(max_length=255)
    description = models.TextField()
    made_at = models.DateTimeField()

    class Meta:
        app_label = "minimal"
        managed = False
        db_table = "bench_inserted"


def listed(request: HttpRequest) -> HttpResponse:
    rows = Row.objects.filter(kind="incident", active=True, priority=int(request.GET["priority"]))
    found = rows.order_by("opened_at", "id").values(*COLUMNS)[:50]
    return _json({"results": list(found)})


def one(_request: HttpRequest, number: str) -> HttpResponse:
    return _json(Row.objects.filter(number=number).values(*COLUMNS).get())


def insert(request: HttpRequest) -> HttpResponse:
    given: dict[str, Any] = orjson.loads(request.body)
    made = Inserted.objects.create(
        title=given["title"], description=given["description"], made_at=given["made_at"]
    )
    return _json({"id": made.pk}, 201)


def alive(_request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok")


def _json(value: Any, status: int = 200) -> HttpResponse:
    body = orjson.dumps(value)
    made = HttpResponse(body, status=status, content_type="application/json")
    made.headers["Content-Length"] = str(len(body))
    return made


urlpatterns = [
    path("list/", listed),
    path("one/<str:number>/", one),
    path("insert/", insert),
    path("healthz", alive),
]
application = get_wsgi_application()
