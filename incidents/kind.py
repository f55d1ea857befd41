"""What the spine needs to know of incidents."""

from __future__ import annotations

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from incidents.lifecycle import LIFECYCLE
from incidents.models import State
from spine.tickets.kinds import Kind

INCIDENT = Kind(
    code="incident",
    label=_("Incident"),
    plural=_("Incidents"),
    prefix="INC",
    icon="incident",
    model="incidents.Incident",
    lifecycle=LIFECYCLE,
    url=lambda ticket: reverse("incidents:record", args=[ticket.number]),
    portal_url=lambda ticket: reverse("portal:ticket", args=[ticket.number]),
    paused_states=frozenset({State.RESOLVED}),
    hold_state=State.ON_HOLD,
    responded_states=frozenset({State.IN_PROGRESS, State.RESOLVED}),
    resolved_states=frozenset({State.RESOLVED, State.CLOSED, State.CANCELED}),
    resume="resume",
)
