"""My work: what needs this person now, and how many more there are where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from incidents.columns import COLUMNS
from incidents.filters import LAST_AUTHOR
from incidents.listing import for_rows, prepare
from incidents.models import Incident, State
from spine.audit.models import Entry
from spine.kit.clock import now
from spine.people.models import User
from spine.people.policy import require
from spine.people.reach import reach_of
from spine.ui import columns
from spine.ui.filtering import end_of_today

SHOWN = 8
# More than anybody works on at once; above it the numbers say "200+".
READ = 200
WOKEN_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Section:
    """A short list with the address of the whole one ("" where this is the whole)."""

    title: str
    count: str
    url: str
    rows: Sequence[columns.Row]
    empty: str


@login_required
@require_safe
def my_work(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    require(user, "desk.open")
    scope = Incident.objects.visible_to(user)
    mine = _mine(scope, user)
    answers = [row for row in mine if row.last_author == row.caller_id and _waits_for_me(row)]
    woken = _woken(mine)
    unassigned, in_teams = _unassigned(scope, user)
    prepare([*mine, *unassigned])
    work = [row for row in mine if row.state in {State.NEW, State.IN_PROGRESS}]
    today = parse_datetime(end_of_today())
    due_today = [row for row in mine if row.due_at is not None and today and row.due_at < today]
    listing = reverse("incidents:list")
    urls = {
        "mine": f"{listing}?view=mine",
        "answers": f"{listing}?view=mine&awaiting_reply=true&state__in=new,in_progress,on_hold",
        "today": f"{listing}?view=today&assignee=me",
        "unassigned": f"{listing}?view=unassigned" + ("&assignment_group=mine" if in_teams else ""),
    }
    moment = now()
    over = sum(1 for row in due_today if row.due_at <= moment)
    context = {
        "stats": [
            {"label": _("On your desk"), "value": _count(mine), "url": urls["mine"], "tone": "",
             "note": _("%(n)s being worked on") % {"n": len(work)}},
            {"label": _("Callers wrote back"), "value": _count(answers), "url": urls["answers"],
             "tone": "warn" if answers else "", "note": _("they had the last word")},
            {"label": _("Due today"), "value": _count(due_today), "url": urls["today"],
             "tone": "bad" if over else "", "note": _("%(n)s over time") % {"n": over}},
            {"label": _("Waiting for somebody"), "value": _count(unassigned),
             "url": urls["unassigned"], "tone": "", "note": _("in your teams")
             if in_teams else _("in all teams")},
        ],
        "columns": COLUMNS,
        "sections": _sections(urls, answers, woken, work, unassigned),
        "idle": not mine and not unassigned,
    }  # fmt: skip
    return render(request, "desk/my_work.html", context)


def _sections(
    urls: dict[str, str], answers: list[Any], woken: list[Any], work: list[Any],
    unassigned: list[Any],
) -> list[Section]:  # fmt: skip
    sections = []
    if answers:
        sections.append(_section(_("Callers wrote back"), answers, urls["answers"], ""))
    if woken:
        sections.append(_section(_("Came back from hold"), woken, "", ""))
    empty = _("Nothing on your desk. Take one from the list below.")
    sections.append(_section(_("Next by due time"), work, urls["mine"], empty))
    empty = _("Everything has somebody.")
    sections.append(_section(_("Waiting for somebody"), unassigned, urls["unassigned"], empty))
    return sections


def _section(title: str, rows: list[Any], url: str, empty: str) -> Section:
    return Section(title, _count(rows), url, _rendered(rows[:SHOWN]), empty)


def _count(rows: Sequence[Any]) -> str:
    return f"{READ}+" if len(rows) >= READ else str(len(rows))


def _rendered(rows: Sequence[Any]) -> list[columns.Row]:
    return columns.rows(COLUMNS, rows, lambda row: str(row.number), lambda row: str(row.version))


def _mine(scope: QuerySet[Any], user: User) -> list[Any]:
    rows = (
        scope.filter(assignee_id=user.pk, active=True)
        .annotate(last_author=Subquery(LAST_AUTHOR))
        .order_by("due_at", "id")[:READ]
    )
    return list(for_rows(rows))


def _waits_for_me(row: Any) -> bool:
    return bool(row.state != State.RESOLVED)


def _woken(mine: Iterable[Any]) -> list[Any]:
    """Those that came back to work by their follow-up time since yesterday."""
    by_id = {str(row.pk): row for row in mine if row.state == State.IN_PROGRESS}
    if not by_id:
        return []
    came = (
        Entry.objects.filter(
            target_type="tickets.ticket",
            target_id__in=list(by_id),
            at__gte=now() - WOKEN_WITHIN,
            verb="incident.resumed",
            source="task",
        )
        .order_by("-at")
        .values_list("target_id", flat=True)
    )
    return [by_id[pk] for pk in dict.fromkeys(came)]


def _unassigned(scope: QuerySet[Any], user: User) -> tuple[list[Any], bool]:
    """(rows that nobody has, whether only those of the reader's teams)."""
    rows = scope.filter(assignee__isnull=True, active=True)
    teams = reach_of(user).team_ids
    if teams:
        rows = rows.filter(assignment_group_id__in=teams)
    return list(for_rows(rows.order_by("due_at", "id")[:READ])), bool(teams)
