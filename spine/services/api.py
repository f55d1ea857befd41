"""Services over REST, to read and to refer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Q, QuerySet

from spine.kit.keyset import Orderings
from spine.people.api import (
    OrganizationRef,
    TeamRef,
    UserRef,
    organizations_for,
    people_for,
    teams_for,
)
from spine.people.models import User
from spine.people.reach import reach_of
from spine.people.roles import Right
from spine.rest.fields import BooleanField, IntegerField, RefField, TextField
from spine.rest.filters import Column, FilterSet, Flag, Number, Reference, Text
from spine.rest.serializers import StrictSerializer
from spine.rest.viewsets import RecordViewSet
from spine.services.models import Service


def services_for(user: User) -> QuerySet[Service]:
    """Shared services, and those of the organizations in the reader's reach and their own."""
    reach = reach_of(user).organizations(Right.TICKETS_READ)
    rows = Service.objects.all()
    if reach is None:
        return rows
    own = sorted({*reach, user.organization_id})
    return rows.filter(Q(organization__isnull=True) | Q(organization_id__in=own))


class ServiceRef(RefField):
    def __init__(self, **options: Any) -> None:
        options.setdefault("expand", "spine.services.api.ServiceSerializer")
        super().__init__(Service, services_for, **options)


class ServiceSerializer(StrictSerializer):
    id = TextField(source="uuid", read_only=True)
    name = TextField(read_only=True)
    description = TextField(read_only=True)
    owner = UserRef(read_only=True, allow_null=True)
    team = TeamRef(read_only=True, allow_null=True)
    organization = OrganizationRef(read_only=True, allow_null=True)
    tier = IntegerField(read_only=True)
    criticality = IntegerField(read_only=True)
    active = BooleanField(read_only=True)


class ServiceFilters(FilterSet):
    columns: ClassVar[Mapping[str, Column]] = {
        "name": Text(),
        "owner": Reference(rows=people_for, keys=("username",), me=True, nullable=True),
        "team": Reference(rows=teams_for, nullable=True),
        "organization": Reference(rows=organizations_for, keys=("code", "name"), nullable=True),
        "tier": Number(minimum=1, maximum=5),
        "criticality": Number(minimum=1, maximum=4),
        "active": Flag(),
    }


class ServiceViewSet(RecordViewSet):
    serializer_class = ServiceSerializer
    filterset_class = ServiceFilters
    natural_keys = ("name",)
    orderings = Orderings({"name": ("sort_key", "id"), "-name": ("-sort_key", "-id")})

    def records(self, user: User) -> QuerySet[Service]:
        return services_for(user)
