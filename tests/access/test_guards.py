"""What a production installation refuses, and what every answer carries."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client, override_settings

from spine.people.models import User

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SECRET_KEY": "a-secret-of-its-own",
    "ALLOWED_HOSTS": "desk.example.com",
}


def load_settings(**environment: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "VIRTUAL_ENV") if name in os.environ
    }
    return subprocess.run(
        [sys.executable, "-c", "import itsm.settings"],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": "demo-secret-not-for-production"}, "SECRET_KEY"),
        ({"DEBUG": "1"}, "DEBUG"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": "desk.example.com,*"}, "ALLOWED_HOSTS"),
    ],
)
def test_production_refuses_the_demos_ways(change: dict[str, str], word: str) -> None:
    outcome = load_settings(**{**GOOD, **change})
    assert outcome.returncode != 0
    assert word in outcome.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": "demo-secret-not-for-production"}, "SECRET_KEY"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS"),
    ],
)
def test_a_demo_on_a_server_has_secrets_of_its_own(change: dict[str, str], word: str) -> None:
    outcome = load_settings(**{**GOOD, "ITSM_DEMO": "1", **change})
    assert outcome.returncode != 0
    assert word in outcome.stderr.splitlines()[-1]
    assert load_settings(**GOOD, ITSM_DEMO="1").returncode == 0


def test_production_accepts_its_own() -> None:
    assert load_settings(**GOOD).returncode == 0


@pytest.mark.django_db
def test_every_page_carries_a_strict_policy(agent: User, sign_in: Callable[[User], Client]) -> None:
    response = sign_in(agent).get("/incidents/")
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/incidents/%00/", "/incidents/?q=%00", "/portal/?q=a%00b"])
def test_a_nul_in_the_address_is_refused(
    path: str, agent: User, sign_in: Callable[[User], Client]
) -> None:
    assert sign_in(agent).get(path).status_code == 400


@pytest.mark.django_db
def test_a_strange_page_and_a_strange_address_of_the_api(
    agent: User, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(agent)
    page = client.get("/no/such/page/")
    assert page.status_code == 404
    assert b"<html" in page.content
    problem = client.get("/api/v1/no-such-collection/")
    assert problem.status_code == 404
    assert problem.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.django_db
@override_settings(CSRF_FAILURE_VIEW="itsm.pages.errors.csrf_failure")
def test_a_forged_form_is_refused_with_words(agent: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(agent, backend="spine.people.backends.PeopleBackend")
    response = client.post("/portal/new/", {"title": "x", "trouble": "small"})
    assert response.status_code == 403
    assert "expired" in response.content.decode()


@pytest.mark.django_db
def test_the_probes_answer() -> None:
    client = Client()
    assert client.get("/healthz").content == b"ok\n"
    assert client.get("/readyz").json() == {
        "database": "ok",
        "broker": "ok",
        "migrations": "ok",
    }
    assert b"evenkeel_outbox_pending" in client.get("/metrics").content
