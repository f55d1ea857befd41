"""The API's addresses: every collection once, under /api/v1/, and its description."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from incidents.api import IncidentViewSet
from spine.audit.api import EntryViewSet
from spine.people.api import OrganizationViewSet, TeamViewSet, UserViewSet
from spine.people.models import User
from spine.people.policy import require
from spine.rest.docs import docs, problems_guide, schema
from spine.services.api import ServiceViewSet
from spine.sla.api import CalendarViewSet, PolicyViewSet
from spine.tickets.api.collections import AttachmentViewSet, ClockViewSet


class AuditEntryViewSet(EntryViewSet):
    def permit(self, user: User) -> None:
        require(user, "audit.read")


router = SimpleRouter()
for prefix, viewset in (
    ("incidents", IncidentViewSet),
    ("users", UserViewSet),
    ("teams", TeamViewSet),
    ("organizations", OrganizationViewSet),
    ("services", ServiceViewSet),
    ("calendars", CalendarViewSet),
    ("sla-policies", PolicyViewSet),
    ("sla-clocks", ClockViewSet),
    ("audit-entries", AuditEntryViewSet),
    ("attachments", AttachmentViewSet),
):
    router.register(prefix, viewset, basename=f"api-{prefix}")

urlpatterns = [
    path("v1/", include(router.urls)),
    path("schema/", schema, name="api-schema"),
    path("docs/", docs, name="api-docs"),
    path("docs/problems/", problems_guide, name="api-problems"),
]
