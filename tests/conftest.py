"""What every test may ask for: a database cloned from a migrated template, people, incidents."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, sync_playwright

from incidents.actions import open_incident
from incidents.models import Incident
from spine.people.models import Grant, Organization, Team, User
from spine.people.naming import sort_key, spellings
from spine.people.roles import Role
from spine.tickets import priority
from spine.tickets.actions import TRIAGE
from tests.triage import triaged

ROOT = Path(__file__).resolve().parent.parent

# Playwright's sync API runs an event loop in this thread; the ORM is called between its steps.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")


def pytest_configure() -> None:
    # WhiteNoise warns of a missing folder, and a warning is an error here; tests collect nothing.
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


def _fingerprint() -> str:
    """Of all that shapes the schema: a changed migration makes a new template."""
    digest = hashlib.sha256()
    for path in sorted(ROOT.glob("**/migrations/*.py")):
        if ".venv" not in path.parts:
            digest.update(path.read_bytes())
    for path in sorted((ROOT / "spine" / "audit").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _one_at_a_time(name: str) -> Iterator[None]:
    with open(Path(tempfile.gettempdir()) / f"{name}.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _admin(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Runs a statement in the maintenance database, outside any transaction."""
    connection = connections["default"]
    with connection._nodb_cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute(statement, parameters)
        return list(cursor.fetchall()) if cursor.description else []


def _drop(name: str) -> None:
    _admin(f'drop database if exists "{name}" with (force)')


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any, request: pytest.FixtureRequest) -> Iterator[None]:
    """A template is migrated once per schema; each worker clones it in a fraction of a second."""
    base = settings.DATABASES["default"]["NAME"]
    template = f"test_{base}_tpl_{_fingerprint()}"
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    clone = f"test_{base}_{worker}_{os.getpid()}"
    connection = connections["default"]
    with django_db_blocker.unblock():
        with _one_at_a_time(f"test_{base}_template"):
            if not _admin("select 1 from pg_database where datname = %s", template):
                for (old,) in _admin(
                    "select datname from pg_database where datname like %s",
                    f"test_{base}_%tpl_%".replace("_", r"\_"),
                ):
                    _drop(old)
                building = f"{template}_new"
                _drop(building)
                _admin(f'create database "{building}"')
                connection.close()
                connection.settings_dict["NAME"] = building
                call_command("migrate", verbosity=0, interactive=False)
                connection.close()
                connection.settings_dict["NAME"] = base
                _admin(f'alter database "{building}" rename to "{template}"')
            _drop(clone)
            _admin(f'create database "{clone}" template "{template}"')
        connection.close()
        connection.settings_dict["NAME"] = clone
        settings.DATABASES["default"]["NAME"] = clone
        yield
        for each in connections.all():
            each.close()
        connection.settings_dict["NAME"] = base
        _drop(clone)


CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The one browser of this worker: Playwright's sync API can't be started twice in a process."""
    built = ROOT / "static" / "dist" / "app.js"
    assert built.exists(), "build the assets first: node static/build.mjs"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM_FLAGS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session", autouse=True)
def _own_redis_prefix() -> None:
    """Each worker has its own keys, so a running demo on the same Redis is not touched."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    prefix = f"test-{worker}-{os.getpid()}"
    settings.CACHES["default"]["KEY_PREFIX"] = prefix
    settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"] = f"{prefix}:"
    cache.key_prefix = prefix


@pytest.fixture(autouse=True)
def _forget_what_processes_keep() -> None:
    priority.forget_matrix()


@pytest.fixture(autouse=True)
def _attachments_in_a_folder_of_their_own(
    tmp_path_factory: pytest.TempPathFactory, settings: Any
) -> None:
    folder = tmp_path_factory.getbasetemp() / "attachments"
    folder.mkdir(exist_ok=True)
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": folder},
        },
    }
    settings.MEDIA_ROOT = folder


@pytest.fixture
def home(db: None) -> Organization:
    organization, _made = Organization.objects.get_or_create(
        code="home", defaults={"name": "Northwind Rail"}
    )
    return organization


@pytest.fixture
def partner_organization(db: None) -> Organization:
    return Organization.objects.create(code="partner", name="Fabrikam", is_partner=True)


@pytest.fixture
def system(home: Organization) -> User:
    user: User = User.objects.system()
    return user


@pytest.fixture
def make_user(home: Organization) -> Callable[..., User]:
    def make(username: str, *roles: Role | str, **values: Any) -> User:
        name = values.pop("name", username.replace(".", " ").title())
        organization = values.pop("organization", home)
        user = User(
            username=username,
            name=name,
            organization=organization,
            email=values.pop("email", f"{username}@example.com"),
            sort_key=sort_key(name),
            search_text=spellings(name, username),
            **{"timezone": "UTC", "language": "en", **values},
        )
        user.set_password("demo")
        user.save()
        for role in roles:
            Grant.objects.create(user=user, role=Role(role))
        return user

    return make


@pytest.fixture
def agent(make_user: Callable[..., User]) -> User:
    return make_user("agent", Role.AGENT, name="Mei Chen")


@pytest.fixture
def lead(make_user: Callable[..., User]) -> User:
    return make_user("lead", Role.LEAD, name="Jonas Ortiz")


@pytest.fixture
def auditor(make_user: Callable[..., User]) -> User:
    return make_user("auditor", Role.AUDITOR, name="Petra Audit")


@pytest.fixture
def admin(make_user: Callable[..., User]) -> User:
    return make_user("admin", Role.ADMIN, name="Ada Min")


@pytest.fixture
def caller(make_user: Callable[..., User]) -> User:
    return make_user("caller", name="Anna Novak")


@pytest.fixture
def other_caller(make_user: Callable[..., User]) -> User:
    return make_user("other.caller", name="Otto Other")


@pytest.fixture
def executive(make_user: Callable[..., User]) -> User:
    return make_user("exec", Role.EXECUTIVE, name="Ex Ecutive")


@pytest.fixture
def partner(make_user: Callable[..., User], partner_organization: Organization) -> User:
    return make_user(
        "partner", Role.PARTNER, name="Paul Partner", organization=partner_organization
    )


@pytest.fixture
def team(home: Organization, agent: User, lead: User) -> Team:
    team = Team.objects.create(name="Service desk", organization=home, sort_key="service desk")
    team.members.add(agent, lead)
    return team


@pytest.fixture
def make_incident(caller: User) -> Callable[..., Incident]:
    def make(**values: Any) -> Incident:
        """Opened by `actor` (default: the caller). What callers may not decide themselves is then
        simply so, as if staff had decided it, without a trace on the record."""
        given_actor = values.pop("actor", None)
        actor = given_actor or values.get("caller") or caller
        decided = {
            name: values.pop(name) for name in TRIAGE if name in values and given_actor is None
        }
        files = values.pop("files", ())
        given = {
            "title": "Payments API returns 502 for card top-ups",
            "description": "One in three fails.",
            "impact": 2,
            "urgency": 2,
            "channel": "portal",
            **values,
        }
        made = open_incident(actor=actor, values=given, files=files)
        return triaged(made, **decided) if decided else made

    return make


@pytest.fixture
def child_environment(transactional_db: None) -> dict[str, str]:
    """What a real process of the platform needs to work on this test's database and Redis keys."""
    database = settings.DATABASES["default"]
    environment = {
        **os.environ,
        "ITSM_DATA_DIR": str(settings.DATA_DIR),
        "ITSM_REDIS_PREFIX": settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"].rstrip(
            ":"
        ),
        "ITSM_DEMO": "1",
        # A server of one's own takes neither the demo's secret nor any host.
        "SECRET_KEY": "for-tests-alone",
        "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
    }
    if settings.DATABASE_URL:
        base = settings.DATABASE_URL.rsplit("/", 1)[0]
        environment["DATABASE_URL"] = f"{base}/{database['NAME']}"
    else:
        environment["ITSM_DATABASE_NAME"] = database["NAME"]
    environment.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)
    return environment


@pytest.fixture
def sign_in() -> Callable[[User], Client]:
    def make(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="spine.people.backends.PeopleBackend")
        return client

    return make
