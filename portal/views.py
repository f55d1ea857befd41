"""Self-service: report, follow, answer, confirm. Shows a person their own tickets, nothing else."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from incidents import actions as incidents
from incidents.models import Incident
from portal.forms import ReportForm
from portal.stories import first_words, story_of
from portal.words import status_of, steps
from spine.kit.errors import DomainError, InvalidInput
from spine.kit.keyset import Orderings, paginate
from spine.people.models import User
from spine.people.policy import may
from spine.tickets.models import TicketClock

HOME_ROWS = 8
PAGE_ROWS = 25
SUGGESTIONS = 5
# Newest first, by the index that begins with the caller.
NEWEST = Orderings({"newest": ("-opened_at", "-id")}).get("newest")


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)


def _own(user: User) -> Any:
    return Incident.objects.own(user).select_related("assignee", "assignment_group")


def _rows(tickets: list[Incident]) -> list[dict[str, Any]]:
    due = dict(
        TicketClock.objects.filter(
            ticket__in=[ticket.pk for ticket in tickets if ticket.state == "new"],
            metric=TicketClock.Metric.RESPONSE,
            stopped_at__isnull=True,
        ).values_list("ticket_id", "due_at")
    )
    rows = []
    for ticket in tickets:
        status = status_of(ticket, response_due=due.get(ticket.pk))
        rows.append({"ticket": ticket, "status": status, "steps": steps(status)})
    return rows


@login_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    user = _person(request)
    rows = _rows(list(_own(user).order_by("-active", "-opened_at", "-id")[:HOME_ROWS]))
    context = {
        "rows": [row for row in rows if not row["status"].asks_caller],
        "waiting": [row for row in rows if row["status"].asks_caller],
        "first_name": _first_name(user.name),
    }
    return render(request, "portal/home.html", context)


def _first_name(name: str) -> str:
    """Anna of Anna Novak; a Chinese name is said whole."""
    return name.split()[0] if name and name.isascii() else name


@login_required
@require_GET
def suggest(request: HttpRequest) -> HttpResponse:
    """While typing: one's own tickets that say the same, so that nothing is reported twice."""
    text = (request.GET.get("q") or request.GET.get("title", "")).strip()[:100]
    hits: list[Incident] = []
    if len(text) >= 2:
        hits = list(_own(_person(request)).filter(title__icontains=text)[:SUGGESTIONS])
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse({"results": [{"number": t.number, "title": t.title} for t in hits]})
    return render(request, "portal/hits.html", {"rows": _rows(hits), "text": text})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def report(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        form = ReportForm(initial={"title": request.GET.get("title", "")[:255]})
        return render(request, "portal/report.html", {"form": form})
    form = ReportForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            made = incidents.open_incident(
                actor=_person(request),
                values=form.ticket_values(),
                files=form.cleaned_data["files"],
                source="portal",
            )
        except DomainError as error:
            _add_errors(form, error)
        else:
            messages.success(request, _("We have it: %(number)s.") % {"number": made.number})
            return redirect("portal:ticket", made.number)
    context = {"form": form, "files_lost": bool(request.FILES)}
    return render(request, "portal/report.html", context, status=400)


def _add_errors(form: ReportForm, error: DomainError) -> None:
    for each in error.errors if isinstance(error, InvalidInput) else [error]:
        form.add_error(each.field if each.field in form.fields else None, each.message)


@login_required
@require_GET
def tickets(request: HttpRequest) -> HttpResponse:
    closed = request.GET.get("show") == "closed"
    queryset = _own(_person(request)).filter(active=not closed)
    page = paginate(queryset, NEWEST, limit=PAGE_ROWS, cursor=request.GET.get("cursor"))
    context = {
        "rows": _rows(page.rows),
        "page": page,
        "closed": closed,
        "views": [
            {"label": _("Open tickets"), "url": "?", "active": not closed},
            {"label": _("Closed tickets"), "url": "?show=closed", "active": closed},
        ],
    }
    return render(request, "portal/tickets.html", context)


def _find(request: HttpRequest, number: str) -> Incident:
    found: Incident | None = (
        Incident.objects.own(_person(request)).for_record().filter(number=number.upper()).first()
    )
    if found is None:
        raise Http404
    return found


def _ticket_page(request: HttpRequest, ticket: Incident, status: int = 200, **more: Any) -> Any:
    user = _person(request)
    row = _rows([ticket])[0]
    context = {
        **row,
        "story": story_of(ticket, user),
        **first_words(ticket),
        "may_comment": may(user, "incident.comment", ticket),
        "may_confirm": ticket.state == "resolved" and may(user, "incident.confirm", ticket),
        "may_reopen": ticket.state == "resolved" and may(user, "incident.reopen", ticket),
        "may_cancel": ticket.state == "new" and may(user, "incident.cancel", ticket),
        "audience": ticket.assignee.name if ticket.assignee else "",
        **more,
    }
    return render(request, "portal/ticket.html", context, status=status)


@login_required
@require_GET
def ticket(request: HttpRequest, number: str) -> HttpResponse:
    return cast(HttpResponse, _ticket_page(request, _find(request, number)))


@login_required
@require_POST
def reply(request: HttpRequest, number: str) -> HttpResponse:
    record = _find(request, number)
    body = request.POST.get("body", "")
    try:
        incidents.comment_on(
            record,
            actor=_person(request),
            body=body,
            files=request.FILES.getlist("files"),
            channel="portal",
            source="portal",
        )
    except DomainError as error:
        return cast(
            HttpResponse,
            _ticket_page(request, record, error.status, value=body, error=error.message),
        )
    return redirect("portal:ticket", record.number)


MOVES = {"confirm": "confirm", "reopen": "reopen", "cancel": "cancel"}


@login_required
@require_POST
def move(request: HttpRequest, number: str, code: str) -> HttpResponse:
    """It helped, it did not, I no longer need it."""
    record = _find(request, number)
    if code not in MOVES:
        raise Http404
    values: dict[str, Any] = {}
    if code == "reopen":
        values["comment"] = request.POST.get("comment", "")
    if code == "cancel":
        values["reason"] = request.POST.get("reason", "") or _("No longer needed")
    try:
        incidents.move_incident(
            record, code, actor=_person(request), values=values, source="portal"
        )
    except DomainError as error:
        return cast(
            HttpResponse,
            _ticket_page(
                request,
                record,
                error.status,
                move_error=error.message,
                reopen_value=values.get("comment", ""),
            ),
        )
    return redirect("portal:ticket", record.number)
