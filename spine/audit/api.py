"""The audit trail over REST: read only, for those whom the composition lets in.

People and their policy stand above this room, so who may read is handed in by `itsm/api.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import Http404

from spine.audit.models import Entry, Source
from spine.kit.keyset import Orderings
from spine.rest.fields import IntegerField, MomentField, ObjectField, TextField
from spine.rest.filters import Choice, Column, FilterSet, Moment, Text
from spine.rest.serializers import StrictSerializer
from spine.rest.viewsets import RecordViewSet

BIGINT_DIGITS = 18


# The metaclass takes the fields out of the class: none hides an attribute of the serializer's own.
class EntrySerializer(StrictSerializer):
    id = IntegerField(read_only=True)
    at = MomentField(read_only=True)
    actor = TextField(source="actor.username", read_only=True, allow_null=True)
    actor_label = TextField(read_only=True)
    verb = TextField(read_only=True)
    target_type = TextField(read_only=True)
    target_id = TextField(read_only=True)
    target_label = TextField(read_only=True)
    changes = ObjectField(read_only=True)
    data = ObjectField(read_only=True)  # type: ignore[assignment]
    operation = TextField(read_only=True, allow_null=True)
    source = TextField(read_only=True)  # type: ignore[assignment]


class EntryFilters(FilterSet):
    columns: ClassVar[Mapping[str, Column]] = {
        "at": Moment(),
        "actor": Text(column="actor__username"),
        "verb": Text(),
        "target_type": Text(),
        "target_id": Text(),
        "target_label": Text(),
        "source": Choice(choices=Source.choices),
    }


class EntryViewSet(RecordViewSet):
    """`permit` raises with the reason when this reader may not see the trail."""

    serializer_class = EntrySerializer
    filterset_class = EntryFilters
    orderings = Orderings({"-at": ("-at", "-id"), "at": ("at", "id")})

    def permit(self, user: Any) -> None:
        raise NotImplementedError("the composition says who may read the audit trail")

    def records(self, user: Any) -> QuerySet[Entry]:
        self.permit(user)
        return Entry.objects.all()

    def key_condition(self, key: str) -> Q:
        if not (key.isascii() and key.isdecimal() and len(key) <= BIGINT_DIGITS):
            raise Http404
        return Q(id=int(key))
