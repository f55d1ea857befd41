"""Named reads of people, grants and tokens."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.auth.base_user import BaseUserManager
from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from spine.people.models import ApiToken, Grant, User

SYSTEM_USERNAME = "evenkeel"


class GrantQuerySet(models.QuerySet["Grant"]):
    def running(self, moment: datetime) -> GrantQuerySet:
        return self.filter(
            Q(starts_at__isnull=True) | Q(starts_at__lte=moment),
            Q(ends_at__isnull=True) | Q(ends_at__gt=moment),
        )

    def reaching(self, user: User) -> GrantQuerySet:
        """Grants to the person or to a team the person is in."""
        return self.filter(Q(user=user) | Q(team__team_members__user=user))


class TokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self, moment: datetime) -> TokenQuerySet:
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=moment),
            revoked_at__isnull=True,
            user__is_active=True,
        )


class UserQuerySet(models.QuerySet["User"]):
    def people(self) -> UserQuerySet:
        return self.filter(is_system=False)

    def matching(self, text: str) -> UserQuerySet:
        """Every word typed is found somewhere in the name's spellings (see `naming`)."""
        found = self
        for word in text.lower().split()[:6]:
            found = found.filter(search_text__contains=word)
        return found

    def visible_to(self, user: User) -> UserQuerySet:
        """Staff see the people of the organizations in their reach; others only themselves."""
        from spine.people.reach import reach_of
        from spine.people.roles import Right

        organizations = reach_of(user).organizations(Right.PEOPLE_READ)
        if organizations is None:
            return self.people()
        return self.people().filter(Q(organization__in=organizations) | Q(pk=user.pk))


class UserManager(BaseUserManager["User"].from_queryset(UserQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, username: str | None) -> User:
        user: User = self.get(username=username)
        return user

    def system(self) -> User:
        """The platform itself, as the actor of what nobody asked for by hand."""
        from spine.people.models import Organization

        user: User | None = self.filter(username=SYSTEM_USERNAME).first()
        if user is None:
            home = Organization.objects.order_by("id").first()
            if home is None:
                home, _made = Organization.objects.get_or_create(
                    code="home", defaults={"name": "Home"}
                )
            defaults: dict[str, Any] = {
                "name": "Evenkeel",
                "organization": home,
                "is_system": True,
                "password": "!",
            }
            user, _made = self.get_or_create(username=SYSTEM_USERNAME, defaults=defaults)
        return user
