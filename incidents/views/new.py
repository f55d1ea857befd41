"""A new incident by hand, and what its form asks while one types."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from incidents import actions
from incidents.forms import NewIncidentForm
from incidents.models import Incident
from spine.kit.db import QueryTooSlow, statement_timeout
from spine.threads.markdown import render as render_markdown
from spine.tickets.models import Priority
from spine.tickets.priority import priority_of
from spine.ui.forms import DeskForm
from spine.ui.views import DeskView, FormView

SIMILAR = 5
SIMILAR_MS = 200
PREVIEW_MAX = 100_000


def _priority(data: Any) -> dict[str, Any]:
    """What the matrix makes of the two levels in the form."""
    try:
        level = priority_of(int(data.get("impact", 3)), int(data.get("urgency", 3)))
    except (TypeError, ValueError, KeyError):
        return {"level": None, "label": ""}
    return {"level": level, "label": Priority(level).label}


class NewIncident(FormView):
    title = gettext_lazy("New incident")
    submit = gettext_lazy("Open incident")
    template_name = "incidents/new.html"
    made: Incident

    def form(self, data: Any = None, files: Any = None) -> DeskForm:
        initial = {"caller": self.user, "title": self.request.GET.get("title", "")[:255]}
        return NewIncidentForm(data, files, user=self.user, initial=initial)

    def save(self, form: DeskForm) -> str:
        assert isinstance(form, NewIncidentForm)
        self.made = actions.open_incident(
            actor=self.user,
            values=form.ticket_values(),
            files=form.cleaned_data["attachments"],
        )
        return _("%(number)s is open") % {"number": self.made.number}

    def saved_url(self) -> str:
        return reverse("incidents:record", args=[self.made.number])

    def cancel_url(self) -> str:
        return reverse("incidents:list")

    def form_context(self, form: DeskForm) -> dict[str, Any]:
        return {"priority": _priority(form.data if form.is_bound else {})}


class PriorityPreview(DeskView):
    """The priority that follows from impact and urgency, while they are chosen."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(
            request, "incidents/parts/priority.html", {"priority": _priority(request.GET)}
        )


class Similar(DeskView):
    """Open incidents that say the same: of the caller first, then of everybody."""

    def get(self, request: HttpRequest) -> HttpResponse:
        text = " ".join(request.GET.get("title", "").split())[:100]
        found = self._found(text) if len(text) >= 4 else []
        return render(request, "incidents/parts/similar.html", {"similar": found})

    def _found(self, text: str) -> list[Incident]:
        visible = Incident.objects.visible_to(self.user).filter(active=True)
        for word in sorted(text.split(), key=len, reverse=True)[:2]:
            visible = visible.filter(title__icontains=word)
        try:
            with statement_timeout(SIMILAR_MS):
                return list(visible.order_by("-opened_at", "-id")[:SIMILAR])
        except QueryTooSlow:
            # A hint is not worth a wait.
            return []


class Preview(DeskView):
    """Markdown as it will look."""

    def post(self, request: HttpRequest) -> HttpResponse:
        body = request.POST.get("body", "")[:PREVIEW_MAX]
        html = render_markdown(body) if body.strip() else ""
        return render(request, "incidents/parts/preview.html", {"html": html})
