"""Roles, grants and how far they reach."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from spine.audit.models import Entry
from spine.kit.errors import DomainError, NotAllowed
from spine.people import actions
from spine.people.models import Department, Grant, Organization, Team, User
from spine.people.reach import forget_reach, reach_of
from spine.people.roles import Right, Role

pytestmark = pytest.mark.django_db


def test_everybody_is_a_caller_and_nothing_more(caller: User) -> None:
    reach = reach_of(caller)
    assert reach.roles == {Role.CALLER}
    assert not reach.rights
    assert not reach.is_staff


def test_a_grant_holds_only_for_its_time(caller: User, home: Organization) -> None:
    moment = datetime.now(UTC)
    Grant.objects.create(user=caller, role=Role.AGENT, ends_at=moment - timedelta(hours=1))
    Grant.objects.create(user=caller, role=Role.LEAD, starts_at=moment + timedelta(hours=1))
    assert not reach_of(caller).is_staff
    forget_reach(caller)
    Grant.objects.create(user=caller, role=Role.AUDITOR, ends_at=moment + timedelta(hours=1))
    assert reach_of(caller).roles == {Role.CALLER, Role.AUDITOR}


def test_a_teams_grant_reaches_its_members(caller: User, team: Team) -> None:
    Grant.objects.create(team=team, role=Role.AGENT)
    assert not reach_of(caller).is_staff
    team.members.add(caller)
    forget_reach(caller)
    assert reach_of(caller).has(Right.TICKETS_WORK)


def test_a_grant_for_one_organization_stays_there(
    caller: User, home: Organization, partner_organization: Organization
) -> None:
    Grant.objects.create(user=caller, role=Role.AGENT, organization=partner_organization)
    reach = reach_of(caller)
    assert reach.has(Right.TICKETS_WORK, partner_organization.pk)
    assert not reach.has(Right.TICKETS_WORK, home.pk)


def test_a_partner_is_kept_in_its_organization_whatever_the_grant_says(
    partner: User, home: Organization
) -> None:
    reach = reach_of(partner)
    assert reach.has(Right.TICKETS_WORK, partner.organization_id)
    assert not reach.has(Right.TICKETS_WORK, home.pk)


def test_nobody_grants_a_role_to_themselves(admin: User, caller: User) -> None:
    with pytest.raises(NotAllowed):
        actions.grant(actor=admin, user=admin, role=Role.AUDITOR)
    with pytest.raises(NotAllowed):
        actions.grant(actor=caller, user=caller, role=Role.ADMIN)
    actions.grant(actor=admin, user=caller, role=Role.AGENT)
    entry = Entry.objects.for_target(caller).get(verb="grant.created")
    assert entry.data["role"] == "agent"


def test_opening_a_restricted_queue_needs_a_reason(admin: User, agent: User, team: Team) -> None:
    with pytest.raises(DomainError) as caught:
        actions.grant(actor=admin, user=agent, role=Role.AGENT, restricted_team=team)
    assert caught.value.field == "reason"
    actions.grant(
        actor=admin, user=agent, role=Role.AGENT, restricted_team=team, reason="Audit of March"
    )
    forget_reach(agent)
    assert team.pk in reach_of(agent).opened_team_ids


def test_an_ended_grant_reaches_no_more(admin: User, caller: User) -> None:
    row = actions.grant(actor=admin, user=caller, role=Role.AGENT)
    assert reach_of(caller).is_staff
    actions.end_grant(actor=admin, row=row)
    forget_reach(caller)
    assert not reach_of(caller).is_staff


def test_departments_are_a_tree_without_knots(admin: User, home: Organization) -> None:
    top = actions.create_department(actor=admin, organization=home, name="Works")
    middle = actions.create_department(actor=admin, organization=home, name="IT", parent=top)
    leaf = actions.create_department(actor=admin, organization=home, name="Desk", parent=middle)
    with pytest.raises(DomainError) as caught:
        actions.move_department(actor=admin, department=top, parent=leaf)
    assert caught.value.code == "loop"
    actions.move_department(actor=admin, department=middle, parent=None)
    leaf.refresh_from_db()
    assert leaf.path == f"/{middle.pk}/{leaf.pk}/"
    assert Department.objects.filter(path__startswith=f"/{middle.pk}/").count() == 2


def test_a_taken_user_name_is_refused_and_named(
    admin: User, home: Organization, make_user: Callable[..., User]
) -> None:
    make_user("mei")
    with pytest.raises(DomainError) as caught:
        actions.create_user(actor=admin, username="mei", name="Mei", organization=home)
    assert (caught.value.code, caught.value.field) == ("taken", "username")


def test_a_tokens_key_is_shown_once_and_kept_as_digest(caller: User) -> None:
    token, key = actions.create_token(actor=caller, name="script", scope="read")
    token.refresh_from_db()
    assert key not in str(token.__dict__)
    assert len(token.digest) == 64
    assert key.startswith(token.hint)
    for bad in ({"scope": "root"}, {"name": " "}, {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}):
        with pytest.raises(DomainError):
            actions.create_token(actor=caller, **{"name": "x", "scope": "read", **bad})
