"""Named reads of people, grants and tokens."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.contrib.auth.base_user import BaseUserManager
from django.db import connection, models, transaction
from django.db.models import Q

from spine.audit.operations import OPERATION_SETTING

if TYPE_CHECKING:
    from spine.people.models import ApiToken, User

SYSTEM_USERNAME = "evenkeel"


# Every request asks this, so it is one round trip, and the statement is not put together anew: that
# took longer than to run it.
_REACH = """
SELECT team_id, NULL::text, NULL::bigint, NULL::bigint FROM people_teammember
WHERE user_id = %(user)s
UNION
SELECT NULL, NULL, NULL, id FROM people_team WHERE restricted
UNION
SELECT NULL, role, organization_id, restricted_team_id FROM people_grant
WHERE (starts_at IS NULL OR starts_at <= %(now)s) AND (ends_at IS NULL OR ends_at > %(now)s)
  AND (user_id = %(user)s
       OR team_id IN (SELECT team_id FROM people_teammember WHERE user_id = %(user)s))
"""


def reach_rows(
    user_id: int, moment: datetime
) -> list[tuple[int | None, str | None, int | None, int | None]]:
    """(team, -, -, -) for each of the person's teams; (None, None, None, team) for each restricted
    queue there is; (None, role, organization, restricted team)
    for each grant that runs at the moment, to the person or to one of those teams."""
    with connection.cursor() as cursor:
        cursor.execute(_REACH, {"user": user_id, "now": moment})
        return list(cursor.fetchall())


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
        user: User | None = self.filter(username=SYSTEM_USERNAME).first()
        return user if user is not None else self._make_system()

    def _make_system(self) -> User:
        from spine.people.models import Organization

        with transaction.atomic(), connection.cursor() as cursor:
            # No person can be named as the actor yet, so the triggers are told that it is us.
            cursor.execute(f"SELECT set_config('{OPERATION_SETTING}', %s, true)", [str(uuid4())])
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
            user: User = self.get_or_create(username=SYSTEM_USERNAME, defaults=defaults)[0]
            cursor.execute(f"SELECT set_config('{OPERATION_SETTING}', '', true)")
        return user
