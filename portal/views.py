"""Self-service: report, follow, answer, confirm. Shows a person their own tickets, nothing else."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from incidents import actions as incidents
from incidents.models import Incident
from incidents.querysets import IncidentQuerySet
from portal.facts import page_facts, rows_of
from portal.finding import MAX_TEXT, narrowed, similar
from portal.forms import ReportForm
from portal.stories import story_of
from portal.words import holder_of
from spine.kit.errors import DomainError, InvalidInput
from spine.kit.keyset import Orderings, paginate
from spine.people.models import User
from spine.people.policy import may

HOME_ROWS = 8
PAGE_ROWS = 25
SUGGESTIONS = 5
# In the form they stand between two fields.
FORM_SUGGESTIONS = 3
MIN_TYPED = 2
# Newest first, by the index that begins with the caller.
NEWEST = Orderings({"newest": ("-opened_at", "-id")}).get("newest")


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)


def _own(user: User) -> IncidentQuerySet:
    own: IncidentQuerySet = Incident.objects.own(user)
    return own.select_related("assignee", "assignment_group", "caller")


@login_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    user = _person(request)
    newest = _own(user).filter(active=True).order_by("-opened_at", "-id")[: HOME_ROWS + 1]
    rows = rows_of(list(newest), user)
    context = {
        "rows": [row for row in rows[:HOME_ROWS] if not row["status"].ask],
        "waiting": [row for row in rows[:HOME_ROWS] if row["status"].ask],
        "more": len(rows) > HOME_ROWS,
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
    user = _person(request)
    text = (request.GET.get("q") or request.GET.get("title", "")).strip()[:MAX_TEXT]
    may_report = "report" in request.GET
    limit = SUGGESTIONS if may_report else FORM_SUGGESTIONS
    hits = similar(user, text, limit=limit) if len(text) >= MIN_TYPED else []
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse({"results": [{"number": t.number, "title": t.title} for t in hits]})
    context = {
        "hits": rows_of(hits, user),
        "text": text if len(text) >= MIN_TYPED else "",
        "may_report": may_report,
    }
    return render(request, "portal/hits.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def report(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _empty_report(request)
    form = ReportForm(request.POST, request.FILES)
    status = 400
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
            status = error.status
        else:
            messages.success(request, _("We have it: %(number)s.") % {"number": made.number})
            return redirect("portal:ticket", made.number)
    context = {"form": form, "files_lost": bool(request.FILES)}
    return render(request, "portal/report.html", context, status=status)


def _empty_report(request: HttpRequest) -> HttpResponse:
    """The form; `title` as typed on the start page, `again` the number of a closed ticket."""
    user = _person(request)
    initial = {"title": request.GET.get("title", "").strip()[:255]}
    hits: list[Incident] = []
    before = None
    if number := request.GET.get("again", "")[:20]:
        before = _own(user).filter(number=number.upper()).first()
    if before is not None:
        initial["title"] = before.title
        initial["description"] = _("It is back, see %(number)s.") % {"number": before.number}
    elif len(initial["title"]) >= MIN_TYPED:
        hits = similar(user, initial["title"], limit=FORM_SUGGESTIONS)
    context = {"form": ReportForm(initial=initial), "hits": rows_of(hits, user)}
    return render(request, "portal/report.html", context)


def _add_errors(form: ReportForm, error: DomainError) -> None:
    for each in error.errors if isinstance(error, InvalidInput) else [error]:
        form.add_error(each.field if each.field in form.fields else None, each.message)


@login_required
@require_GET
def tickets(request: HttpRequest) -> HttpResponse:
    user = _person(request)
    closed = request.GET.get("show") == "closed"
    text = request.GET.get("q", "").strip()[:MAX_TEXT]
    queryset = narrowed(_own(user).filter(active=not closed), text)
    page = paginate(queryset, NEWEST, limit=PAGE_ROWS, cursor=request.GET.get("cursor"))
    address = reverse("portal:tickets")
    context = {
        "rows": rows_of(page.rows, user),
        "page": page,
        "closed": closed,
        "text": text,
        "views": [
            {"label": _("Open tickets"), "url": address, "active": not closed},
            {"label": _("Closed tickets"), "url": f"{address}?show=closed", "active": closed},
        ],
    }
    return render(request, "portal/tickets.html", context)


def _find(request: HttpRequest, number: str) -> Incident:
    own: IncidentQuerySet = Incident.objects.own(_person(request))
    found: Incident | None = (
        own.for_record().select_related("resolved_by").filter(number=number.upper()).first()
    )
    if found is None:
        raise Http404
    return found


def _ticket_page(
    request: HttpRequest, ticket: Incident, status: int = 200, **more: Any
) -> HttpResponse:
    user = _person(request)
    context = {
        "ticket": ticket,
        **page_facts(ticket, user),
        "story": story_of(ticket, user),
        "may_comment": may(user, "incident.comment", ticket),
        "may_confirm": ticket.state == "resolved" and may(user, "incident.confirm", ticket),
        "may_reopen": ticket.state == "resolved" and may(user, "incident.reopen", ticket),
        "may_cancel": ticket.state == "new" and may(user, "incident.cancel", ticket),
        "audience": holder_of(ticket),
        **more,
    }
    return render(request, "portal/ticket.html", context, status=status)


@login_required
@require_GET
def ticket(request: HttpRequest, number: str) -> HttpResponse:
    return _ticket_page(request, _find(request, number))


@login_required
@require_POST
def reply(request: HttpRequest, number: str) -> HttpResponse:
    record = _find(request, number)
    body = request.POST.get("body", "")
    files = request.FILES.getlist("files")
    try:
        made = incidents.comment_on(
            record,
            actor=_person(request),
            body=body,
            files=files,
            channel="portal",
            source="portal",
        )
    except DomainError as error:
        said = error.message
        if files:
            said = f"{said} {_files_lost()}"
        # Read anew: what refused the reply may be what has happened to the ticket meanwhile.
        return _ticket_page(request, _find(request, number), error.status, value=body, error=said)
    address = reverse("portal:ticket", args=[record.number])
    return redirect(f"{address}#comment-{made.uuid}")


def _files_lost() -> str:
    return _("Please choose the files again: the browser does not keep them.")


MOVES = frozenset({"confirm", "reopen", "cancel"})


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
        values["reason"] = request.POST.get("reason", "").strip() or _("No longer needed")
    try:
        incidents.move_incident(
            record, code, actor=_person(request), values=values, source="portal"
        )
    except DomainError as error:
        return _ticket_page(
            request,
            _find(request, number),
            error.status,
            move_error=error.message,
            moved=code,
            typed=request.POST.get("comment") or request.POST.get("reason", ""),
        )
    return redirect("portal:ticket", record.number)
