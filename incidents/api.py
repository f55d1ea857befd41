"""Incidents over REST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from incidents import actions
from incidents.filters import ORDERINGS, IncidentFilters
from incidents.lifecycle import LIFECYCLE
from incidents.models import CloseCode, Incident, State
from spine.people.api import OrganizationRef, TeamRef, UserRef
from spine.people.models import User
from spine.rest.fields import (
    BatchField,
    BooleanField,
    ChoiceField,
    IntegerField,
    MomentField,
    ObjectField,
    TextField,
)
from spine.rest.operations import describes
from spine.rest.serializers import StrictSerializer
from spine.services.api import ServiceRef
from spine.threads.models import Comment
from spine.tickets.api.bulk import ATOMIC, RESPONSE, request_schema
from spine.tickets.api.references import (
    RELATED,
    CategoryRef,
    RelatedField,
    SubcategoryRef,
    outside_items,
)
from spine.tickets.api.shapes import moves_schema
from spine.tickets.api.viewset import SOURCE, TicketViewSet
from spine.tickets.fields import DESCRIPTION_MAX, TITLE_MAX
from spine.tickets.models import Channel, HoldReason, Impact, LinkType, Priority, Urgency


# The metaclass takes the fields out of the class: none hides an attribute of the serializer's own.
class IncidentSerializer(StrictSerializer):
    id = TextField(source="uuid", read_only=True)
    number = TextField(read_only=True)
    title = TextField(max_length=TITLE_MAX)
    description = TextField(
        required=False, allow_blank=True, max_length=DESCRIPTION_MAX, help_text=_("Markdown.")
    )
    state = ChoiceField(choices=State.choices, read_only=True, help_text=_("Changes by a move."))
    active = BooleanField(read_only=True)
    impact = ChoiceField(choices=Impact.choices, required=False)
    urgency = ChoiceField(choices=Urgency.choices, required=False)
    priority = ChoiceField(
        choices=Priority.choices,
        required=False,
        help_text=_("Follows impact and urgency; an override needs priority_reason."),
    )
    priority_reason = TextField(required=False, allow_blank=True, max_length=300)
    caller = UserRef(required=False)
    opened_by = UserRef(read_only=True)
    organization = OrganizationRef(read_only=True)
    channel = ChoiceField(choices=Channel.choices, required=False)
    category = CategoryRef("incident", required=False, allow_null=True)
    subcategory = SubcategoryRef("incident", required=False, allow_null=True)
    assignment_group = TeamRef(required=False, allow_null=True)
    assignee = UserRef(required=False, allow_null=True)
    service = ServiceRef(required=False, allow_null=True)
    items = BatchField("id", outside_items, {"type": "array", "items": RELATED}, empty=list)
    parent = RelatedField("parent", link=LinkType.CHILD_OF)  # type: ignore[assignment]
    problem = RelatedField("problem", kind="problem")
    change = RelatedField("change", kind="change")
    caused_by = RelatedField("caused_by", link=LinkType.CAUSED_BY)
    hold_reason = ChoiceField(choices=HoldReason.choices, read_only=True)
    follow_up_at = MomentField(read_only=True, allow_null=True)
    due_at = MomentField(read_only=True, allow_null=True)
    response_breached = BooleanField(read_only=True)
    breached = BooleanField(read_only=True)
    reopen_count = IntegerField(read_only=True)
    reassignment_count = IntegerField(read_only=True)
    opened_at = MomentField(read_only=True)
    resolved_at = MomentField(read_only=True, allow_null=True)
    closed_at = MomentField(read_only=True, allow_null=True)
    updated_at = MomentField(read_only=True)
    resolved_by = UserRef(read_only=True, allow_null=True)
    confirmed_at = MomentField(read_only=True, allow_null=True)
    close_code = ChoiceField(choices=CloseCode.choices, read_only=True)
    close_notes = TextField(read_only=True)
    version = IntegerField(read_only=True)
    external_source = TextField(read_only=True)
    external_id = TextField(read_only=True)
    custom = ObjectField(required=False, help_text=_("Custom fields by name."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """An override of the matrix without its reason would be dropped; it is refused instead."""
        record = self.context.get("record")
        reason = attrs.get("priority_reason", getattr(record, "priority_reason", ""))
        if "priority" in attrs and not str(reason).strip():
            text = _("Overriding the priority needs a reason.")
            raise ValidationError({"priority_reason": [ErrorDetail(str(text), "required")]})
        return attrs


class IncidentPatchSerializer(IncidentSerializer):
    channel = ChoiceField(choices=Channel.choices, read_only=True)
    caller = UserRef(required=False)


class IncidentViewSet(TicketViewSet):
    kind = "incident"
    serializer_class = IncidentSerializer
    update_serializer_class = IncidentPatchSerializer
    filterset_class = IncidentFilters
    orderings = ORDERINGS

    def records(self, user: User) -> QuerySet[Incident]:
        found: QuerySet[Incident] = Incident.objects.visible_to(user)
        return found

    def open(self, *, actor: User, values: Mapping[str, Any]) -> Incident:
        return actions.open_incident(actor=actor, values=values, source=SOURCE)

    def change(
        self, ticket: Incident, *, actor: User, values: Mapping[str, Any], version: int | None
    ) -> Incident:
        return actions.update_incident(
            ticket, actor=actor, values=values, expected_version=version, source=SOURCE
        )

    def move(
        self,
        ticket: Incident,
        code: str,
        *,
        actor: User,
        values: Mapping[str, Any],
        version: int | None,
    ) -> Incident:
        return actions.move_incident(
            ticket, code, actor=actor, values=values, expected_version=version, source=SOURCE
        )

    def say(
        self,
        ticket: Incident,
        *,
        actor: User,
        body: str,
        visibility: str,
        files: Sequence[UploadedFile[bytes]] = (),
    ) -> Comment:
        return actions.comment_on(
            ticket,
            actor=actor,
            body=body,
            visibility=visibility,
            files=files,
            channel=SOURCE,
            source=SOURCE,
        )

    @describes(
        _("Make a move"),
        request=lambda _inline: moves_schema(LIFECYCLE),
        response=IncidentSerializer,
        tagged=True,
        conditional=True,
        trims=True,
        example={"move": "hold", "hold_reason": "awaiting_vendor"},
    )
    def make_move(self, request: Request, key: str) -> Response:
        return super().make_move(request, key)

    @describes(
        _("Create, change or move up to 5,000 records"),
        request=lambda inline: request_schema(
            inline(IncidentSerializer, False), inline(IncidentPatchSerializer, True), LIFECYCLE
        ),
        response=RESPONSE,
        parameters=[ATOMIC],
        example={"atomic": False, "rows": [{"number": "INC0010001", "assignee": "agent"}]},
    )
    @action(detail=False, methods=["post"])
    def bulk(self, request: Request) -> Response:
        return self.run_bulk(request)
