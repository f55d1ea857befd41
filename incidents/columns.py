"""The columns of the incident list."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.urls import reverse
from django.utils.html import conditional_escape, format_html
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from incidents.lifecycle import LIFECYCLE
from incidents.models import Incident, State
from spine.kit.clock import now
from spine.tickets.models import HoldReason
from spine.ui import times
from spine.ui.columns import Column
from spine.ui.templatetags.ui import due, priority, state, who

_TONES = {one.code: (one.label, one.tone) for one in LIFECYCLE.states}
_HOLDS = dict(HoldReason.choices)


# The same few marks stand in every row; a name's disc is worked out once.
_state = lru_cache(maxsize=64)(state)
_priority = lru_cache(maxsize=16)(priority)
_who = lru_cache(maxsize=2048)(who)


def state_cell(ticket: Any) -> str:
    label, tone = _TONES[ticket.state]
    return _state(str(label), tone)


def due_cell(ticket: Any) -> str:
    """Time left with a bar; what it waits for; or when it was over."""
    if ticket.state == State.ON_HOLD:
        waits = str(_HOLDS.get(ticket.hold_reason, _("On hold")))
        if ticket.follow_up_at is not None:
            waits = f"{waits} · {times.day(localdate(ticket.follow_up_at))}"
        return due(None, paused=True, note=waits)
    if ticket.state in {State.RESOLVED, State.CLOSED, State.CANCELED}:
        over = ticket.closed_at or ticket.resolved_at
        if ticket.breached:
            return format_html('<span class="due late">{}</span>', _("Over time"))
        return due(None, note=times.when(over) if over else "")
    return due(ticket.due_at, used=getattr(ticket, "used", None), now=now())


def _title(ticket: Incident) -> str:
    return format_html(
        '<a class="row-link" href="{}">{}</a>', record_url(ticket.number), ticket.title
    )


def _service(ticket: Any) -> str:
    return conditional_escape(str(ticket.service) if ticket.service_id else "–")


def _assignee(ticket: Any) -> str:
    return _who(ticket.assignee.name) if ticket.assignee_id else who("")


def record_url(number: str) -> str:
    return _pattern().replace("NUMBER", number)


_kept: list[str] = []


def _pattern() -> str:
    """The address is looked up once: fifty reversals take longer than the query."""
    if not _kept:
        _kept.append(reverse("incidents:record", args=["NUMBER"]))
    return _kept[0]


COLUMNS = (
    Column("number", gettext_lazy("Number"), lambda ticket: ticket.number, "c-num"),
    Column("title", gettext_lazy("Title"), _title, "c-title"),
    Column("service", gettext_lazy("Service"), _service, "c-text hide-m"),
    Column("priority", gettext_lazy("Priority"), lambda ticket: _priority(ticket.priority),
           "c-pri", sorts=("priority",)),
    Column("state", gettext_lazy("State"), state_cell, "c-state"),
    Column("assignee", gettext_lazy("Assignee"), _assignee, "c-who"),
    Column("due", gettext_lazy("Due"), due_cell, "c-due", sorts=("due_at",)),
)  # fmt: skip
