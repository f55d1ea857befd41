"""SLA clocks and attachments of every kind of ticket, within the reader's scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import FileResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.decorators import action
from rest_framework.request import Request

from spine.kit.keyset import Orderings
from spine.people.api import actor_of, people_for
from spine.people.models import User
from spine.people.roles import Right
from spine.rest.fields import (
    ComputedField,
    IntegerField,
    ListField,
    MomentField,
    RefField,
    TextField,
)
from spine.rest.filters import Choice, Column, FilterSet, Moment, Number, Reference, Text
from spine.rest.operations import describes
from spine.rest.serializers import StrictSerializer
from spine.rest.viewsets import RecordViewSet
from spine.sla.api import policies_for
from spine.sla.models import Policy
from spine.threads.models import Attachment
from spine.threads.serving import serve
from spine.tickets.api.references import TicketRef, tickets_for
from spine.tickets.api.shapes import AttachmentSerializer
from spine.tickets.models import Ticket, TicketClock
from spine.tickets.scope import works_filter


class PolicyRef(RefField):
    def __init__(self, **options: Any) -> None:
        super().__init__(Policy, policies_for, **options)


class ClockSerializer(StrictSerializer):
    id = TextField(source="uuid", read_only=True)
    ticket = TicketRef(read_only=True)
    metric = TextField(read_only=True)
    policy = PolicyRef(read_only=True)
    target_seconds = IntegerField(read_only=True, help_text=_("Working time promised."))
    started_at = MomentField(read_only=True)
    stopped_at = MomentField(read_only=True, allow_null=True)
    canceled_at = MomentField(read_only=True, allow_null=True)
    due_at = MomentField(read_only=True, allow_null=True, help_text=_("Empty while it is paused."))
    breached_at = MomentField(read_only=True, allow_null=True)
    stages = ListField(child=IntegerField(), read_only=True, help_text=_("Per cent, to come."))


class ClockFilters(FilterSet):
    columns: ClassVar[Mapping[str, Column]] = {
        "ticket": Reference(rows=tickets_for, keys=("number",)),
        "metric": Choice(choices=TicketClock.Metric.choices),
        "policy": Reference(rows=policies_for),
        "started_at": Moment(),
        "stopped_at": Moment(nullable=True),
        "due_at": Moment(nullable=True),
        "breached_at": Moment(nullable=True),
        "canceled_at": Moment(nullable=True),
    }


class ClockViewSet(RecordViewSet):
    serializer_class = ClockSerializer
    filterset_class = ClockFilters
    orderings = Orderings({"-id": ("-id",), "id": ("id",), "due_at": ("due_at", "id")})

    def records(self, user: User) -> QuerySet[TicketClock]:
        return TicketClock.objects.filter(ticket__in=tickets_for(user))


class AttachmentFilters(FilterSet):
    columns: ClassVar[Mapping[str, Column]] = {
        "uploaded_by": Reference(rows=people_for, keys=("username",), me=True),
        "content_type": Text(),
        "size": Number(minimum=0),
        "sha256": Text(),
        "created_at": Moment(),
    }


class OwnedAttachmentSerializer(AttachmentSerializer):
    ticket = ComputedField(
        ("ticket_number",),
        lambda number: number,
        {"type": "string"},
        help_text=_("The number of the record that it is attached to."),
    )


class AttachmentViewSet(RecordViewSet):
    serializer_class = OwnedAttachmentSerializer
    filterset_class = AttachmentFilters
    orderings = Orderings({"-id": ("-id",), "id": ("id",)})

    def records(self, user: User) -> QuerySet[Attachment]:
        """Loading the owner within the reader's scope is the permission check. Files of work
        notes are for those who read the notes there."""
        owners = tickets_for(user)
        rows = Attachment.objects.filter(thread__in=owners.values("thread_id"))
        readers = works_filter(user, Right.NOTES_READ)
        if readers is None:
            rows = rows.filter(internal=False)
        elif readers:
            among = owners.filter(readers)
            rows = rows.filter(Q(internal=False) | Q(thread__in=among.values("thread_id")))
        number = Ticket.objects.filter(thread_id=OuterRef("thread_id")).values("number")[:1]
        return rows.annotate(ticket_number=Subquery(number))

    @describes(_("The file itself"), binary=True)
    @action(detail=True, methods=["get"])
    def content(self, request: Request, key: str) -> FileResponse:
        self.only_parameters(request)
        actor_of(request)
        return serve(self.find(request, key), inline=False)
