"""Users, teams and organizations over REST; and how other collections refer to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from spine.kit.keyset import Orderings
from spine.people import actions
from spine.people.models import Organization, Team, User
from spine.people.reach import reach_of
from spine.people.roles import Right
from spine.rest.fields import (
    BatchField,
    BooleanField,
    ChoiceField,
    CodeField,
    MomentField,
    RefField,
    TextField,
)
from spine.rest.filters import Column, FilterSet, Flag, Reference, Text
from spine.rest.serializers import StrictSerializer
from spine.rest.viewsets import Creates, RecordViewSet, Updates

LANGUAGES = (("", _("As the browser")), ("en", "English"), ("zh-hans", "简体中文"))


def people_for(user: User) -> QuerySet[User]:
    found: QuerySet[User] = User.objects.visible_to(user)
    return found


def organizations_for(user: User) -> QuerySet[Organization]:
    """All that lie within the reader's reach, and always their own."""
    reach = reach_of(user).organizations(Right.PEOPLE_READ)
    rows = Organization.objects.all()
    return rows if reach is None else rows.filter(pk__in=sorted({*reach, user.organization_id}))


def teams_for(user: User) -> QuerySet[Team]:
    """Teams of the organizations in reach, and those the reader is in."""
    reach = reach_of(user)
    organizations = reach.organizations(Right.PEOPLE_READ)
    rows = Team.objects.all()
    if organizations is None:
        return rows
    return rows.filter(
        Q(organization_id__in=sorted(organizations)) | Q(pk__in=sorted(reach.team_ids))
    )


class UserRef(RefField):
    """A person by user name: {"id", "username", "name"}."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("expand", "spine.people.api.UserSerializer")
        super().__init__(
            User,
            people_for,
            keys=("username",),
            shown=("username", "name"),
            related=("organization",),
            **options,
        )


class TeamRef(RefField):
    def __init__(self, **options: Any) -> None:
        options.setdefault("expand", "spine.people.api.TeamSerializer")
        super().__init__(Team, teams_for, **options)


class OrganizationRef(RefField):
    def __init__(self, **options: Any) -> None:
        super().__init__(
            Organization,
            organizations_for,
            keys=("code", "name"),
            shown=("code", "name"),
            **options,
        )


class OrganizationSerializer(StrictSerializer):
    id = TextField(source="uuid", read_only=True)
    code = CodeField(max_length=64)
    name = TextField(max_length=200)
    is_partner = BooleanField(required=False)
    active = BooleanField(read_only=True)


class TeamSerializer(StrictSerializer):
    id = TextField(source="uuid", read_only=True)
    name = TextField(max_length=200)
    description = TextField(required=False, allow_blank=True, max_length=5000)
    email = TextField(required=False, allow_blank=True, max_length=254)
    organization = OrganizationRef()
    lead = UserRef(required=False, allow_null=True)
    restricted = BooleanField(required=False)
    active = BooleanField(read_only=True)
    members = BatchField(
        "uuid",
        lambda ids, user, _memo: _members(ids, user),
        {"type": "array", "items": {"type": "object"}},
        empty=list,
        help_text=_("People of the team: id, username, name."),
    )


class UserSerializer(StrictSerializer):
    id = TextField(source="uuid", read_only=True)
    username = TextField(max_length=150)
    name = TextField(max_length=200)
    email = TextField(required=False, allow_blank=True, max_length=254)
    phone = TextField(required=False, allow_blank=True, max_length=50)
    title = TextField(required=False, allow_blank=True, max_length=200)
    location = TextField(required=False, allow_blank=True, max_length=200)
    organization = OrganizationRef()
    manager = UserRef(required=False, allow_null=True)
    vip = BooleanField(required=False)
    language = ChoiceField(choices=LANGUAGES, required=False)
    timezone = TextField(required=False, max_length=64)
    is_active = BooleanField(read_only=True)
    left_at = MomentField(read_only=True, allow_null=True)
    external_source = TextField(read_only=True)
    external_id = TextField(read_only=True)


class UserPatchSerializer(UserSerializer):
    username = TextField(read_only=True)
    is_active = BooleanField()
    left_at = MomentField(required=False, allow_null=True)


def _members(ids: Any, user: User) -> Mapping[Any, list[dict[str, Any]]]:
    found: dict[Any, list[dict[str, Any]]] = {}
    rows = (
        people_for(user)
        .filter(teams__uuid__in=ids, is_active=True)
        .order_by("sort_key", "id")
        .values("teams__uuid", "uuid", "username", "name")
    )
    for row in rows:
        member = {"id": row["uuid"], "username": row["username"], "name": row["name"]}
        found.setdefault(row["teams__uuid"], []).append(member)
    return found


@dataclass(frozen=True)
class NameSearch(Text):
    """Every word is found in some spelling of the name: given, family, pinyin, initials."""

    lookups: ClassVar[tuple[str, ...]] = ("exact",)

    def apply(self, queryset: QuerySet[Any], path: str, lookup: str, value: Any) -> QuerySet[Any]:
        found: QuerySet[Any] = User.objects.matching(value) & queryset
        return found


class UserFilters(FilterSet):
    columns: ClassVar[Mapping[str, Column]] = {
        "username": Text(),
        "email": Text(),
        "name": Text(),
        "organization": Reference(rows=organizations_for, keys=("code", "name")),
        "manager": Reference(rows=people_for, keys=("username",), me=True, nullable=True),
        "team": Reference(column="teams", rows=teams_for),
        "vip": Flag(),
        "is_active": Flag(),
        "external_source": Text(),
        "external_id": Text(),
        "q": NameSearch(),
    }


class TeamFilters(FilterSet):
    columns: ClassVar[Mapping[str, Column]] = {
        "name": Text(),
        "organization": Reference(rows=organizations_for, keys=("code", "name")),
        "member": Reference(column="members", rows=people_for, keys=("username",), me=True),
        "restricted": Flag(),
        "active": Flag(),
    }


class OrganizationFilters(FilterSet):
    columns: ClassVar[Mapping[str, Column]] = {
        "code": Text(),
        "name": Text(),
        "is_partner": Flag(),
        "active": Flag(),
    }


class UserViewSet(Creates, Updates, RecordViewSet):
    serializer_class = UserSerializer
    update_serializer_class = UserPatchSerializer
    filterset_class = UserFilters
    natural_keys = ("username",)
    orderings = Orderings(
        {
            "name": ("sort_key", "id"),
            "-name": ("-sort_key", "-id"),
            "username": ("username", "id"),
            "-username": ("-username", "-id"),
        }
    )

    def records(self, user: User) -> QuerySet[User]:
        return people_for(user)

    def create_record(self, request: Request, values: dict[str, Any]) -> User:
        return actions.create_user(actor=actor_of(request), **values)

    def update_record(
        self, request: Request, current: User, values: dict[str, Any], version: int | None
    ) -> User:
        return actions.update_user(actor=actor_of(request), user=current, **values)


class TeamViewSet(Creates, RecordViewSet):
    serializer_class = TeamSerializer
    filterset_class = TeamFilters
    natural_keys = ("name",)
    orderings = Orderings({"name": ("sort_key", "id"), "-name": ("-sort_key", "-id")})

    def records(self, user: User) -> QuerySet[Team]:
        return teams_for(user)

    def create_record(self, request: Request, values: dict[str, Any]) -> Team:
        return actions.create_team(actor=actor_of(request), **values)


class OrganizationViewSet(Creates, RecordViewSet):
    serializer_class = OrganizationSerializer
    filterset_class = OrganizationFilters
    natural_keys = ("code",)
    orderings = Orderings({"name": ("name", "id"), "-name": ("-name", "-id")})

    def records(self, user: User) -> QuerySet[Organization]:
        return organizations_for(user)

    def create_record(self, request: Request, values: dict[str, Any]) -> Organization:
        return actions.create_organization(actor=actor_of(request), **values)


def actor_of(request: Request) -> User:
    """Who asks. ScopePermission has let nobody in who is not signed in."""
    assert isinstance(request.user, User)
    return request.user
