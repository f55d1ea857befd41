"""The writers of people, teams, grants and tokens."""

from __future__ import annotations

import secrets
import zoneinfo
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from spine.kit.clock import now
from spine.kit.errors import Conflict, DomainError
from spine.outbox.operations import operation
from spine.people import naming
from spine.people.authentication import digest
from spine.people.models import (
    ApiToken,
    Department,
    Grant,
    Membership,
    Organization,
    Team,
    TeamMember,
    User,
)
from spine.people.policy import require
from spine.people.roles import Role

KEY_PREFIX = "ek_"


def create_organization(*, actor: User, code: str, name: str, **values: Any) -> Organization:
    require(actor, "people.manage")
    with operation(actor, "organization.create") as op:
        with _taken("code", _("This code is taken already.")):
            organization = Organization.objects.create(code=code, name=name, **values)
        op.record(target=organization, verb="organization.created", data={"name": name})
    return organization


def create_department(
    *, actor: User, organization: Organization, name: str, parent: Department | None = None
) -> Department:
    require(actor, "people.manage")
    with operation(actor, "department.create") as op:
        department = Department.objects.create(organization=organization, name=name, parent=parent)
        department.path = f"{parent.path if parent else '/'}{department.pk}/"
        department.save(update_fields=["path"])
        op.record(target=department, verb="department.created", data={"name": name})
    return department


def move_department(*, actor: User, department: Department, parent: Department | None) -> None:
    """The department with all below it goes under another one; never under itself."""
    require(actor, "people.manage")
    with operation(actor, "department.move") as op:
        # One lock for the tree: two moves at once could otherwise tie a knot.
        list(
            Department.objects.select_for_update()
            .filter(organization_id=department.organization_id)
            .order_by("id")
            .values_list("id", flat=True)
        )
        department.refresh_from_db()
        if parent is not None:
            parent.refresh_from_db()
            if parent.path.startswith(department.path):
                raise DomainError("loop", _("A department can't be moved below itself."), "parent")
        old_path = department.path
        new_path = f"{parent.path if parent else '/'}{department.pk}/"
        subtree = list(Department.objects.filter(path__startswith=old_path))
        for node in subtree:
            node.path = new_path + node.path[len(old_path) :]
        Department.objects.bulk_update(subtree, ["path"])
        Department.objects.filter(pk=department.pk).update(parent=parent)
        op.record(
            target=department, verb="department.moved", changes={"path": [old_path, new_path]}
        )
    department.refresh_from_db()


def create_user(
    *,
    actor: User,
    username: str,
    name: str,
    organization: Organization,
    password: str | None = None,
    departments: Iterable[Department] = (),
    **values: Any,
) -> User:
    """departments: the first one is the main one. Without a password nobody can sign in."""
    require(actor, "people.manage")
    if "timezone" in values:
        _check_zone(values["timezone"])
    user = User(username=username, name=name, organization=organization, **values)
    _spell(user)
    if password:
        user.set_password(password)
    else:
        user.set_unusable_password()
    with operation(actor, "user.create") as op:
        with _taken("username", _("This user name is taken already.")):
            user.save()
        Membership.objects.bulk_create(
            Membership(user=user, department=department, is_primary=place == 0)
            for place, department in enumerate(departments)
        )
        op.record(target=user, verb="user.created", data={"username": username})
    return user


def update_user(*, actor: User, user: User, **values: Any) -> User:
    """Facts that an administrator keeps: name, title, manager, VIP, active and so on."""
    require(actor, "people.manage")
    allowed = {
        "name", "email", "title", "phone", "location", "manager", "vip", "organization",
        "is_active", "left_at", "language", "timezone",
    }  # fmt: skip
    return _update(actor, user, values, allowed, "user.update")


def update_preferences(*, actor: User, **values: Any) -> User:
    """What a person sets for themselves: language, time zone."""
    return _update(actor, actor, values, {"language", "timezone"}, "user.preferences")


def _update(actor: User, user: User, values: dict[str, Any], allowed: set[str], verb: str) -> User:
    for name, value in values.items():
        if name not in allowed:
            raise DomainError("unknown_field", _("There is no such field."), name)
        if name == "timezone":
            _check_zone(value)
        if name == "language" and value and value not in dict(settings.LANGUAGES):
            raise DomainError("invalid_choice", _("There is no such language."), name)
    with operation(actor, verb) as op:
        stored: User = User.objects.select_for_update().get(pk=user.pk)
        changes: dict[str, list[Any]] = {}
        for name, value in values.items():
            old = getattr(stored, name)
            if old != value:
                changes[name] = [_plain(old), _plain(value)]
                setattr(stored, name, value)
                setattr(user, name, value)
        if changes:
            _spell(stored)
            stored.save()
            op.record(target=stored, verb="user.updated", changes=changes)
    return stored


def set_password(*, actor: User, user: User, password: str) -> None:
    if actor.pk != user.pk:
        require(actor, "people.manage")
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise DomainError("weak_password", " ".join(error.messages), "password") from error
    with operation(actor, "user.password") as op:
        user.set_password(password)
        user.save(update_fields=["password"])
        op.record(target=user, verb="user.password_changed")


def create_team(
    *,
    actor: User,
    name: str,
    organization: Organization,
    members: Iterable[User] = (),
    **values: Any,
) -> Team:
    require(actor, "people.manage")
    with operation(actor, "team.create") as op:
        team = Team(name=name, organization=organization, **values)
        team.sort_key = naming.sort_key(name)
        with _taken("name", _("A team has this name already.")):
            team.save()
        TeamMember.objects.bulk_create(TeamMember(team=team, user=user) for user in members)
        op.record(target=team, verb="team.created", data={"name": name})
    return team


def add_member(*, actor: User, team: Team, user: User) -> None:
    require(actor, "people.manage")
    with operation(actor, "team.add_member") as op:
        _row, made = TeamMember.objects.get_or_create(team=team, user=user)
        if made:
            op.record(target=team, verb="team.member_added", data={"user": user.username})


def remove_member(*, actor: User, team: Team, user: User) -> None:
    require(actor, "people.manage")
    with operation(actor, "team.remove_member") as op:
        removed, _rows = TeamMember.objects.filter(team=team, user=user).delete()
        if removed:
            op.record(target=team, verb="team.member_removed", data={"user": user.username})


def grant(
    *,
    actor: User,
    role: Role | str,
    user: User | None = None,
    team: Team | None = None,
    organization: Organization | None = None,
    restricted_team: Team | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    reason: str = "",
) -> Grant:
    """Gives a role to a person or a team; nobody may give one to themselves."""
    require(actor, "people.grant", user)
    if (user is None) == (team is None):
        raise DomainError("required", _("Name either a person or a team."), "user")
    if restricted_team is not None and not reason.strip():
        raise DomainError("required", _("Opening a restricted queue needs a reason."), "reason")
    if starts_at and ends_at and ends_at <= starts_at:
        raise DomainError("invalid", _("The end must come after the start."), "ends_at")
    with operation(actor, "grant.create") as op:
        row, made = Grant.objects.get_or_create(
            user=user,
            team=team,
            role=Role(role),
            organization=organization,
            restricted_team=restricted_team,
            starts_at=starts_at,
            defaults={"ends_at": ends_at, "reason": reason, "granted_by": actor},
        )
        if made:
            op.record(
                target=user or team,
                verb="grant.created",
                data={"role": str(Role(role)), "reason": reason},
            )
    return row


def end_grant(*, actor: User, row: Grant, reason: str = "") -> None:
    require(actor, "people.grant", row.user)
    with operation(actor, "grant.end") as op:
        moment = now()
        if row.starts_at is not None and row.starts_at >= moment:
            Grant.objects.filter(pk=row.pk).delete()
        else:
            Grant.objects.filter(pk=row.pk).update(ends_at=moment)
        op.record(
            target=row.user or row.team,
            verb="grant.ended",
            data={"role": row.role, "reason": reason},
        )


def create_token(
    *,
    actor: User,
    user: User | None = None,
    name: str,
    scope: str = ApiToken.Scope.READ,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """A new token and its key. The key can't be read again: only its digest is kept."""
    owner = user or actor
    if owner.pk != actor.pk:
        require(actor, "people.manage")
    if scope not in ApiToken.Scope.values:
        raise DomainError("invalid_choice", _("The scope is read or write."), "scope")
    if not name.strip():
        raise DomainError("required", _("Give the token a name."), "name")
    if expires_at is not None and expires_at <= now():
        raise DomainError("invalid", _("The end must lie in the future."), "expires_at")
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    with operation(actor, "token.create") as op:
        token = ApiToken.objects.create(
            user=owner,
            name=name.strip()[:100],
            scope=scope,
            digest=digest(key),
            hint=key[:8],
            expires_at=expires_at,
        )
        op.record(target=owner, verb="token.created", data={"name": name, "scope": str(scope)})
    return token, key


def revoke_token(*, actor: User, token: ApiToken) -> None:
    if token.user_id != actor.pk:
        require(actor, "people.manage")
    with operation(actor, "token.revoke") as op:
        changed = ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(
            revoked_at=now()
        )
        if changed:
            op.record(target=token.user, verb="token.revoked", data={"name": token.name})


@contextmanager
def _taken(field: str, message: str) -> Iterator[None]:
    """A name that somebody else has is a conflict of that field, not a database error."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise Conflict("taken", message, field) from error


def _spell(user: User) -> None:
    user.sort_key = naming.sort_key(user.name)
    user.search_text = naming.spellings(user.name, user.username, user.email)


def _check_zone(name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DomainError("invalid_choice", _("There is no such time zone."), "timezone") from error


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if hasattr(value, "pk") else value
