"""The demo company: believable as a whole, and consistent in what it leaves behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from demo.content import company, stories
from demo.loading import Loaded, load
from incidents.lifecycle import LIFECYCLE
from incidents.models import Incident
from itsm.doctor import checks
from spine.audit.models import Entry
from spine.kit.clock import now
from spine.people.models import Department, Team, User
from spine.people.reach import reach_of
from spine.people.roles import Role
from spine.search.models import Document
from spine.services.models import Service
from spine.sla.querysets import configuration
from spine.threads.models import Comment
from spine.tickets import clocks
from spine.tickets.models import ClockStage, TicketClock

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("demo"), pytest.mark.timeout(300)]
INCIDENTS = 400


@pytest.fixture(scope="module")
def loaded(django_db_setup: None, django_db_blocker: Any) -> Iterator[Loaded]:
    """Loaded once for all tests here, in a transaction that is rolled back at the end."""
    with django_db_blocker.unblock():
        atomic = transaction.atomic()
        atomic.__enter__()
        try:
            done = load(progress=lambda *_: None, incidents=INCIDENTS)
            assert done is not None
            connection.check_constraints()
            yield done
        finally:
            transaction.set_rollback(True)
            atomic.__exit__(None, None, None)
            connection.close()


@pytest.fixture(autouse=True)
def _with_company(loaded: Loaded, db: None) -> None:
    """Every test here looks at the loaded company."""


def test_the_stories_are_many_and_whole() -> None:
    assert len(stories()) >= 150
    assert len({story.title for story in stories()}) == len(stories())
    by_language = Counter(story.language for story in stories())
    assert min(by_language.values()) >= 50
    services, categories = company()["services"], company()["categories"]
    for story in stories():
        assert story.service in services, story.title
        assert story.subcategory in categories[story.category]["below"], story.title
        assert story.solution, story.title
        assert story.description, story.title
        assert len(story.steps) >= 2, story.title


def test_the_company_has_what_companies_have(loaded: Loaded) -> None:
    people = User.objects.filter(external_source="demo")
    assert people.count() == loaded.people == 5_000
    assert Department.objects.count() == 300
    roots = Department.objects.filter(parent__isnull=True)
    assert Department.objects.filter(path__startswith=roots.get().path).count() == 300
    assert 0 < Department.objects.filter(manager__isnull=True).count() < 60
    assert people.filter(name="张伟").count() > 3
    assert people.filter(is_active=False, left_at__isnull=False).count() > 200
    assert people.filter(vip=True).count() > 10
    assert people.filter(manager__isnull=False).count() > 4_000
    assert not people.filter(manager__isnull=False, manager__is_active=False).exists()
    assert Team.objects.filter(restricted=True).count() == 1
    assert all(team.members.exists() for team in Team.objects.all())
    assert Service.objects.exclude(translations={}).count() == len(company()["services"])
    assert Document.objects.filter(kind="person").count() >= 5_000


@pytest.mark.parametrize("username", list(company()["accounts"]))
def test_the_accounts_sign_in_with_their_roles(username: str) -> None:
    user = authenticate(username=username, password="demo")
    assert user is not None
    expected = company()["accounts"][username].get("role")
    if expected:
        assert Role(expected) in reach_of(user).roles  # type: ignore[arg-type]
    assert not User.objects.get(name=user.name, username=username).left_at  # type: ignore[attr-defined]


def test_states_follow_the_lifecycle_in_the_trail() -> None:
    """Replays every incident's entries: each move started in a state that it may start in."""
    moves = {move.code: move for move in LIFECYCLE.moves}
    state: dict[str, str] = {}
    last: dict[str, Any] = {}
    for entry in Entry.objects.filter(verb__startswith="incident.").order_by("at", "id"):
        key = entry.target_id
        assert key not in last or last[key] <= entry.at
        last[key] = entry.at
        if entry.verb == "incident.created":
            state[key] = LIFECYCLE.initial
        if "move" in entry.data:
            move = moves[entry.data["move"]]
            assert state[key] in move.sources, (key, entry.verb)
            assert entry.changes["state"] == [state[key], move.target]
            state[key] = move.target
    for incident in Incident.objects.all():
        assert state[str(incident.pk)] == incident.state
        assert incident.active == (incident.state not in {"closed", "canceled"})
        assert (incident.state == "on_hold") == bool(incident.hold_reason)
    assert last
    assert max(last.values()) <= now()


def test_clocks_are_as_the_engine_would_have_them() -> None:
    settings = configuration()
    moment = now()
    rows = TicketClock.objects.prefetch_related("pauses", "reached").select_related("ticket")
    for clock in rows:
        if clock.canceled_at is not None:
            assert clock.wake_at is None
            continue
        facts = clocks.facts_of(settings, clock)
        assert clock.due_at == facts.due_at()
        assert (clock.breached_at is not None) == (facts.breached_at(moment) is not None)
        recorded = {stage.percent for stage in clock.reached.all()}
        upcoming = facts.next_stage(clock.stages, recorded)
        assert clock.wake_at == (upcoming.at if upcoming else None)
        assert (100 in recorded) == (clock.breached_at is not None)
        if clock.metric == "resolution":
            assert clock.ticket.breached == (clock.breached_at is not None)
            if clock.ticket.active and clock.stopped_at is None:
                assert clock.ticket.due_at == clock.due_at
    assert ClockStage.objects.exists()


def test_the_lists_look_alive() -> None:
    moment = now()
    running = Incident.objects.filter(active=True).exclude(state="resolved")
    within = running.filter(due_at__gt=moment, due_at__lt=moment + timedelta(hours=1))
    over = running.filter(due_at__lt=moment, due_at__gt=moment - timedelta(hours=1))
    assert within.count() >= 2
    assert 1 <= over.count() <= 4
    assert running.filter(state="new", assignee__isnull=True).count() >= 5
    assert running.filter(state="on_hold").exists()
    agent = User.objects.get(username="agent")
    assert running.filter(assignee=agent).count() >= 3
    assert Incident.objects.filter(caller__username="caller", active=True).count() >= 2
    assert Incident.objects.filter(state="resolved").exists()
    assert Comment.objects.filter(visibility="note").exists()
    # Nothing lies in wait to fire the moment the workers start.
    assert not TicketClock.objects.filter(wake_at__lt=moment - timedelta(minutes=10)).exists()


def test_loading_again_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = (User.objects.count(), Incident.objects.count(), Entry.objects.count())
    call_command("load_demo")
    assert "here already" in capsys.readouterr().out
    assert (User.objects.count(), Incident.objects.count(), Entry.objects.count()) == before


def test_a_real_database_gets_no_demo_company(settings: Any) -> None:
    settings.DEMO = False
    with pytest.raises(CommandError, match="This is a real database"):
        call_command("load_demo")


def test_the_doctor_finds_the_demos_password_in_a_real_database(settings: Any) -> None:
    assert checks.accounts().state == "ok"
    settings.DEMO = False
    finding = checks.accounts()
    assert finding.state == "failed"
    assert all(username in finding.detail for username in company()["accounts"])
    for user in User.objects.filter(username__in=company()["accounts"]).exclude(username="exec"):
        user.set_password("one of their own")
        user.save()
    assert checks.accounts().detail.endswith("as: exec")
    User.objects.filter(username="exec").update(is_active=False)
    assert checks.accounts().state == "ok"
