"""Work on several incidents at once: each by its own rules, each refusal with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from incidents import actions
from incidents.forms import AssignForm
from incidents.models import Incident
from spine.kit.errors import DomainError
from spine.people.policy import require
from spine.ui.forms import DeskForm
from spine.ui.views import FormView
from spine.ui.views.base import toast, trigger

MOST = 200


class Bulk(FormView):
    """What every bulk action shares: the picked rows, and the report of what came of it."""

    template_name = "incidents/bulk.html"
    dialog_template = "incidents/bulk_dialog.html"

    def load(self) -> None:
        require(self.user, "incident.bulk")
        sent = self.request.POST if self.request.method == "POST" else self.request.GET
        numbers = list(dict.fromkeys(sent.getlist("pick")))[:MOST]
        rows = Incident.objects.visible_to(self.user).filter(number__in=numbers)
        self.picked = list(rows.order_by("number"))
        self.refused: list[tuple[Incident, str]] = []
        self.done = 0

    def saved_url(self) -> str:
        return reverse("incidents:list")

    def each(self, act: Callable[[Incident], object]) -> str:
        """Does it to each; the sentence says how many went through."""
        for incident in self.picked:
            try:
                act(incident)
            except DomainError as error:
                self.refused.append((incident, error.message))
            else:
                self.done += 1
        said = ngettext("%(n)s incident done", "%(n)s incidents done", self.done)
        return said % {"n": self.done}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().post(request, *args, **kwargs)
        if not self.refused:
            return response
        context = {"refused": self.refused, "done": self.done, "cancel_url": self.saved_url()}
        if self.in_dialog:
            response = render(request, "incidents/bulk_refused_dialog.html", context)
            return trigger(response, refresh={})
        return render(request, "incidents/bulk_refused.html", context, status=409)

    def saved(self, sentence: str) -> HttpResponse:
        return trigger(HttpResponse(status=204), closeDialog={}, refresh={}, toast=toast(sentence))

    def form_context(self, form: DeskForm) -> dict[str, Any]:
        return {"picked": self.picked}


class BulkAssign(Bulk):
    title = gettext_lazy("Assign")
    submit = gettext_lazy("Assign")

    def form(self, data: Any = None, files: Any = None) -> DeskForm:
        return AssignForm(data, user=self.user)

    def save(self, form: DeskForm) -> str:
        values = {name: value for name, value in form.cleaned_data.items() if value is not None}
        if not values:
            raise DomainError("required", _("Choose a team or a person."), "assignment_group")
        if not self.picked:
            raise DomainError("required", _("Select some incidents first."))

        def assign(incident: Incident) -> object:
            return actions.update_incident(incident, actor=self.user, values=values)

        return self.each(assign)


class BulkTake(Bulk):
    title = gettext_lazy("Take")
    submit = gettext_lazy("Take them")

    def form(self, data: Any = None, files: Any = None) -> DeskForm:
        return DeskForm(data, user=self.user)

    def save(self, form: DeskForm) -> str:
        if not self.picked:
            raise DomainError("required", _("Select some incidents first."))
        return self.each(lambda incident: actions.take(incident, actor=self.user))
