"""The incident list as declared: shipped views, filters in words, what an index serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext_lazy as _

from incidents.columns import COLUMNS
from incidents.filters import (
    MINE,
    OPEN_ORDERINGS,
    ORDERINGS,
    RESOLVED_ORDERINGS,
    IncidentFilters,
)
from incidents.models import CloseCode, Incident, State
from spine.kit.clock import now
from spine.people.models import User
from spine.people.reach import reach_of
from spine.rest.filters import ME
from spine.sla.querysets import configuration
from spine.tickets.models import Channel, HoldReason, Impact, Priority, Ticket, TicketClock, Urgency
from spine.ui.filtering import Filterable, end_of_today, words
from spine.ui.listing import ListSpec, SavedView

_OPEN_STATES = frozenset({State.NEW, State.IN_PROGRESS, State.ON_HOLD, State.RESOLVED})
# Their clocks stand still: none has a due time.
_NEVER_DUE = frozenset({State.ON_HOLD, State.RESOLVED})
_PRIORITIES = [(value, f"P{value}") for value in Priority.values]

FILTERABLE: dict[str, Filterable] = {
    "number": Filterable(_("Number")),
    "title": Filterable(_("Title")),
    "state": Filterable(_("State")),
    "active": Filterable(_("Open")),
    "impact": Filterable(_("Impact"), choices=Impact.choices),
    "urgency": Filterable(_("Urgency"), choices=Urgency.choices),
    "priority": Filterable(_("Priority"), choices=_PRIORITIES),
    "caller": Filterable(_("Caller"), source="choices-people"),
    "opened_by": Filterable(_("Opened by"), source="choices-people"),
    "assignee": Filterable(_("Assignee"), source="choices-people"),
    "assignment_group": Filterable(_("Team"), source="choices-teams", options=True),
    "service": Filterable(_("Service"), source="choices-services", options=True),
    "category": Filterable(_("Category"), source="choices-categories", options=True),
    "subcategory": Filterable(_("Subcategory"), source="choices-categories"),
    "channel": Filterable(_("Channel"), choices=Channel.choices),
    "awaiting_reply": Filterable(_("Caller wrote last")),
    "breached": Filterable(_("Over time")),
    "response_breached": Filterable(_("Answered late")),
    "reopen_count": Filterable(_("Times reopened")),
    "reassignment_count": Filterable(_("Times reassigned")),
    "opened_at": Filterable(_("Opened at")),
    "resolved_at": Filterable(_("Resolved at")),
    "closed_at": Filterable(_("Closed at")),
    "updated_at": Filterable(_("Updated")),
    "due_at": Filterable(_("Due")),
    "follow_up_at": Filterable(_("Wakes")),
    "hold_reason": Filterable(_("Waits for"), choices=HoldReason.choices),
    "close_code": Filterable(_("Close code"), choices=CloseCode.choices),
    "external_source": Filterable(_("Came from")),
    "external_id": Filterable(_("Number there")),
    "problem": Filterable(_("Problem")),
    "change": Filterable(_("Change")),
    "caused_by": Filterable(_("Caused by")),
    "item": Filterable(_("Item")),
}
PANEL = (
    "state__in",
    "priority__in",
    "assignment_group",
    "assignee",
    "caller",
    "service",
    "category",
    "channel",
    "hold_reason",
    "breached",
    "awaiting_reply",
    "opened_at__gte",
    "opened_at__lt",
)


def _team_filters(user: User) -> dict[str, str]:
    # Somebody in no team still has a first page: what they have themselves.
    if not reach_of(user).team_ids:
        return {"assignee": ME, "active": "true"}
    return {"assignment_group": MINE, "active": "true"}


VIEWS = (
    SavedView(
        "team", _("My team, open"), _team_filters, "due_at",
        (_("Nothing open in your team"), _("New incidents of your team show up here.")),
        (("assignment_group", _("Team"), _("mine")), ("active", _("State"), _("not closed"))),
    ),
    SavedView(
        "unassigned", _("Unassigned"),
        lambda _user: {"assignee__isnull": "true", "active": "true"}, "due_at",
        (_("Everything has somebody"), _("What nobody has taken yet shows up here.")),
        (("assignee__isnull", _("Assignee"), _("nobody")),
         ("active", _("State"), _("not closed"))),
    ),
    SavedView(
        "mine", _("Mine"), lambda _user: {"assignee": "me", "active": "true"}, "due_at",
        (_("Nothing on your desk"), _("What you take or are given shows up here.")),
        (("assignee", _("Assignee"), _("me")), ("active", _("State"), _("not closed"))),
    ),
    SavedView(
        "today", _("Breaching today"),
        lambda _user: {"active": "true", "due_at__lt": end_of_today()}, "due_at",
        (_("Nothing is due today"), _("What is over time or due by midnight shows up here.")),
        (("due_at__lt", _("Due"), _("today or before")), ("active", _("State"), _("not closed"))),
    ),
    SavedView(
        "waiting", _("Waiting on others"), lambda _user: {"state": State.ON_HOLD.value},
        "-updated_at",
        (_("Nothing is on hold"), _("What waits for a caller, a vendor or a change shows here.")),
        (("state", _("State"), State.ON_HOLD.label),),
    ),
    SavedView(
        "resolved", _("Recently resolved"), lambda _user: {"state": State.RESOLVED.value},
        "-resolved_at",
        (_("Nothing was resolved lately"), _("Solved incidents wait here until they close.")),
        (("state", _("State"), State.RESOLVED.label),),
    ),
    SavedView(
        "all", _("All"), lambda _user: {}, "-opened_at",
        (_("No incidents"), _("Incidents that people report show up here.")),
    ),
)  # fmt: skip


def _queryset(user: User) -> QuerySet[Any]:
    found: QuerySet[Any] = Incident.objects.visible_to(user)
    return found


# What the cells, the orders and the refresh read; the rest of a row stays in the database.
_ROW = (
    "kind", "number", "title", "state", "priority", "due_at", "hold_reason", "follow_up_at",
    "opened_at", "updated_at", "resolved_at", "closed_at", "breached", "version", "caller",
    "assignee__name", "service__name", "service__translations",
)  # fmt: skip


def _counted(user: User) -> QuerySet[Any]:
    found: QuerySet[Any] = Ticket.objects.filter(kind="incident").visible_to(user)
    return found


def for_rows(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """What a row shows, in two queries: the tickets, and their running resolution clocks."""
    clocks = TicketClock.objects.filter(
        metric=TicketClock.Metric.RESOLUTION, due_at__isnull=False
    ).only("ticket", "policy", "due_at", "target_seconds")
    return (
        queryset.select_related("assignee", "service")
        .only(*_ROW)
        .prefetch_related(Prefetch("clocks", queryset=clocks, to_attr="resolution_clocks"))
    )


def prepare(rows: Sequence[Any]) -> None:
    """`used` of each row: how much of the target is over, in working time, for its bar."""
    running = [(row, clock) for row in rows for clock in row.resolution_clocks]
    if not running:
        return
    settings, moment = configuration(), now()
    for row, clock in running:
        calendar = settings.calendar(settings.by_id[clock.policy_id].calendar_id)
        left = calendar.business_seconds(moment, clock.due_at) if clock.due_at > moment else 0.0
        row.used = 100.0 * (1 - left / clock.target_seconds)


def _offered(filters: Mapping[str, str]) -> frozenset[str]:
    """Orderings whose index serves under these filters."""
    everywhere = frozenset(ORDERINGS.names) - OPEN_ORDERINGS - RESOLVED_ORDERINGS
    if any(name.startswith("opened_at__") for name in filters):
        # What was opened lately is found by walking that index, not the other one from its far end.
        everywhere -= {"updated_at"}
    states = set(filters.get("state", filters.get("state__in", "")).split(",")) - {""}
    if filters.get("active") == "true" or (states and states <= _OPEN_STATES):
        everywhere |= OPEN_ORDERINGS
    if states and states <= _NEVER_DUE:
        everywhere -= {"due_at"}
    if states == {State.RESOLVED.value}:
        everywhere |= RESOLVED_ORDERINGS
    return everywhere


def chip_words(parameter: str, value: str, user: User) -> tuple[str, str]:
    if parameter == "assignment_group" and value == MINE:
        return str(FILTERABLE[parameter].label), str(_("mine"))
    if parameter == "q":
        return str(_("Words")), value
    return words(IncidentFilters, FILTERABLE, parameter, value, user)


SPEC = ListSpec(
    queryset=_queryset,
    for_rows=for_rows,
    filterset=IncidentFilters,
    orderings=ORDERINGS,
    columns=COLUMNS,
    views=VIEWS,
    offered=_offered,
    words=chip_words,
    prepare=prepare,
    marker=("number", "version", "updated_at", "due_at"),
    counted=_counted,
    default_view="team",
)
SORTS = {
    "due_at": _("Due first"),
    "priority": _("Most important first"),
    "-opened_at": _("Newest first"),
    "opened_at": _("Oldest first"),
    "-updated_at": _("Last changed first"),
    "updated_at": _("Longest untouched first"),
    "-resolved_at": _("Last resolved first"),
}
