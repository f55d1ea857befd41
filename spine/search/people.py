"""People and teams as what can be found: by name in either order, pinyin, initials, account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from spine.people.models import Team, User
from spine.people.naming import spellings
from spine.people.reach import reach_of
from spine.people.roles import Right
from spine.search.sources import Hit, Source, Texts


def _people() -> QuerySet[User]:
    rows: QuerySet[User] = User.objects.people().prefetch_related("departments")
    return rows


def _people_texts(users: list[User]) -> Iterable[Texts]:
    for user in users:
        account = user.email.partition("@")[0]
        departments = " ".join(department.name for department in user.departments.all())
        yield Texts(
            title=spellings(user.name, user.username, account),
            body=f"{user.title} {departments} {user.location} {user.phone}",
            external_id=user.external_id,
            organization_id=user.organization_id,
            ranked_at=user.created_at,
        )


def _people_hits(rows: QuerySet[User], _user: User) -> dict[int, Hit]:
    hits: dict[int, Hit] = {}
    for user in rows:
        departments = [department.name for department in user.departments.all()]
        parts = [user.title, departments[0] if departments else "", user.email]
        hits[user.pk] = Hit(
            title=user.name,
            url="",
            hint=" · ".join(part for part in parts if part),
            state="" if user.is_active else _("Has left"),
            tone="" if user.is_active else "canceled",
            value=str(user.uuid),
        )
    return hits


def _visible_people(rows: QuerySet[Any], user: User) -> QuerySet[Any]:
    return rows.filter(pk__in=User.objects.visible_to(user).values("pk"))


def _reads_people(user: User) -> frozenset[int] | None:
    return reach_of(user).organizations(Right.PEOPLE_READ)


PEOPLE = Source(
    kind="person",
    label=gettext_lazy("People"),
    icon="user",
    target_type="people.user",
    verbs=("user.*",),
    records=_people,
    texts=_people_texts,
    visible=_visible_people,
    hits=_people_hits,
    organizations=_reads_people,
    names=True,
    order=80,
)


def _teams() -> QuerySet[Team]:
    return Team.objects.filter(active=True)


def _team_texts(teams: list[Team]) -> Iterable[Texts]:
    for team in teams:
        yield Texts(
            title=spellings(team.name),
            body=f"{team.description} {team.email.partition('@')[0]}",
            organization_id=team.organization_id,
        )


def _team_hits(rows: QuerySet[Team], _user: User) -> dict[int, Hit]:
    return {
        team.pk: Hit(title=team.name, url="", hint=team.email, value=str(team.uuid))
        for team in rows
    }


def _visible_teams(rows: QuerySet[Any], user: User) -> QuerySet[Any]:
    organizations = _reads_people(user)
    return rows if organizations is None else rows.filter(organization__in=organizations)


TEAMS = Source(
    kind="team",
    label=gettext_lazy("Teams"),
    icon="users",
    target_type="people.team",
    verbs=("team.*",),
    records=_teams,
    texts=_team_texts,
    visible=_visible_teams,
    hits=_team_hits,
    organizations=_reads_people,
    names=True,
    order=90,
)
