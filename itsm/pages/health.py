"""Probes for machines: alive, ready, metrics."""

from __future__ import annotations

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from redis import Redis


@require_safe
def alive(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except Exception as error:  # noqa: BLE001 - a probe reports whatever went wrong
        return type(error).__name__
    return "ok"


def _broker() -> str:
    try:
        Redis.from_url(settings.REDIS_LOCATION, socket_timeout=2).ping()
    except Exception as error:  # noqa: BLE001
        return type(error).__name__
    return "ok"


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return "ok" if not pending else f"{len(pending)} to apply"


@require_safe
def ready(_request: HttpRequest) -> HttpResponse:
    checks = {"database": _database(), "broker": _broker()}
    checks["migrations"] = _migrations() if checks["database"] == "ok" else "unknown"
    status = 200 if set(checks.values()) == {"ok"} else 503
    return JsonResponse(checks, status=status)


@require_safe
def metrics(_request: HttpRequest) -> HttpResponse:
    """Queue depths and running clocks, read at the moment of asking (Prometheus text format)."""
    registry = CollectorRegistry()
    queries = {
        "evenkeel_outbox_pending": (
            "Deliveries not yet made",
            "select count(*) from outbox_delivery where state = 'pending'",
        ),
        "evenkeel_outbox_dead": (
            "Deliveries given up",
            "select count(*) from outbox_delivery where state = 'dead'",
        ),
        "evenkeel_clocks_overdue_seconds": (
            "How late the oldest clock stage is",
            """
            select coalesce(extract(epoch from greatest(now() - min(wake_at), '0')), 0)::float8
            from tickets_ticketclock where wake_at is not null
            """,
        ),
    }
    with connection.cursor() as cursor:
        for name, (help_text, sql) in queries.items():
            cursor.execute(sql)
            row = cursor.fetchone()
            Gauge(name, help_text, registry=registry).set(float(row[0] if row else 0))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
