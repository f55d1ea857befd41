"""The record's page, what it refreshes itself with, and what needs no form."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from incidents import actions, record, timeline
from incidents.models import Incident
from spine.kit.errors import DomainError
from spine.threads.models import Comment, Watcher
from spine.tickets import actions as tickets
from spine.ui.panels import Panel
from spine.ui.views import DetailView
from spine.ui.views.base import toast, trigger


class RecordView(DetailView):
    """An address below one incident: loads it within the reader's scope."""

    template_name = "incidents/record.html"
    panels = (
        Panel("head", "incidents/parts/head.html"),
        Panel("words", "incidents/parts/words.html"),
        Panel("due", "incidents/parts/due.html", gettext_lazy("Due")),
        Panel("who", "incidents/parts/who.html", gettext_lazy("Who")),
        Panel("class", "incidents/parts/class.html", gettext_lazy("Classification")),
        Panel("links", "incidents/parts/links.html", gettext_lazy("Links")),
        Panel("files", "incidents/parts/files.html", gettext_lazy("Attachments")),
        Panel("watchers", "incidents/parts/watchers.html", gettext_lazy("Watchers")),
        Panel("mark", "incidents/parts/mark.html"),
    )
    ticket: Incident
    _facts: dict[str, Any] | None = None

    def load(self) -> None:
        self.scope = record.scope_of(self.user)
        self.ticket = record.find(self.scope, self.kwargs["number"])

    def reload(self) -> None:
        """After an action: the record as it now is."""
        self._facts = None
        self.load()

    def facts(self) -> dict[str, Any]:
        if self._facts is None:
            limit = timeline.PAGE
            if "entries" in self.request.GET:
                limit = _number(self.request.GET["entries"])
            self._facts = record.facts(self.ticket, self.user, self.scope, limit=limit)
        return self._facts

    def record_url(self) -> str:
        return reverse("incidents:record", args=[self.ticket.number])

    def update(self, main: str = "") -> HttpResponse:
        """The answer to an htmx request: `main`, and out of band what the page lacks."""
        self.reload()
        return HttpResponse(main + self.changes([self.news()]))

    def news(self) -> SafeString:
        """The timeline's new entries, or all of it where the page's does not fit any more."""
        sent = self.request.POST if self.request.method == "POST" else self.request.GET
        seen = sent.get("seen")
        if seen is None:
            return SafeString("")
        story = self.facts()["story"]
        if seen == story.seen:
            return SafeString("")
        blocks = story.since(seen)
        mark = format_html(
            '<input type="hidden" name="seen" id="seen" value="{}" hx-swap-oob="true">', story.seen
        )
        if blocks is None:
            html = render_to_string("incidents/parts/timeline.html", self.facts(), self.request)
            return mark_safe(  # noqa: S308 - from a template
                f'<div id="part-timeline" hx-swap-oob="innerHTML">{html}</div>'
            )
        html = render_to_string("incidents/parts/blocks.html", {"blocks": blocks}, self.request)
        return mark_safe(  # noqa: S308 - from a template
            f'<ol hx-swap-oob="beforeend:#timeline">{html}</ol>{mark}'
        )


def _number(text: str) -> int:
    digits = text.isascii() and text.isdecimal() and len(text) < 6
    return max(1, min(int(text), timeline.MOST)) if digits else timeline.PAGE


class Record(RecordView):
    def context(self) -> dict[str, Any]:
        return {"editor_value": "", "editor_error": ""}


class LiveRecord(RecordView):
    """What changed since the page was made. 204 where nothing did."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.load()
        if request.GET.get("mark") == record.mark_of(self.ticket):
            return HttpResponse(status=204)
        news = self.changes([self.news()])
        return HttpResponse(news) if news else HttpResponse(status=204)


class Take(RecordView):
    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        self.load()
        return HttpResponseRedirect(self.record_url())

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        self.load()
        taken = actions.take(self.ticket, actor=self.user)
        said = _("%(number)s is yours") % {"number": taken.number}
        if self.partial:
            return trigger(self.update(), toast=toast(said))
        messages.success(request, said)
        return HttpResponseRedirect(self.record_url())


class Watch(RecordView):
    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        self.load()
        on = not Watcher.objects.filter(thread=self.ticket.thread, user=self.user).exists()
        tickets.watch(self.ticket, actor=self.user, on=on)
        if self.partial:
            return self.update()
        return HttpResponseRedirect(self.record_url())


class Comments(RecordView):
    """A reply or a work note, with files. A refused one comes back with its words."""

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        self.load()
        return HttpResponseRedirect(self.record_url())

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        self.load()
        body = request.POST.get("body", "")
        try:
            actions.comment_on(
                self.ticket,
                actor=self.user,
                body=body,
                visibility=request.POST.get("visibility", Comment.Visibility.PUBLIC),
                files=request.FILES.getlist("files"),
            )
        except DomainError as error:
            return self._refused(request, body, error)
        if self.partial:
            self.reload()
            return self.update(self._editor())
        return HttpResponseRedirect(f"{self.record_url()}#seen")

    def _editor(self, **values: Any) -> str:
        context = {**self.facts(), **values}
        return render_to_string("incidents/parts/editor.html", context, self.request)

    def _refused(self, request: HttpRequest, body: str, error: DomainError) -> HttpResponse:
        said = error.message
        if request.FILES:
            said = _("%(reason)s Choose the files again.") % {"reason": said}
        values = {
            "editor_value": body,
            "editor_error": said,
            "editor_note": request.POST.get("visibility") == Comment.Visibility.NOTE,
        }
        if self.partial:
            return HttpResponse(self._editor(**values), status=422)
        facts = self.facts()
        parts = {part.name: part.html for part in self.parts(facts)}
        context = {**facts, "parts": parts, **self.context(), **values}
        return render(request, self.template_name, context, status=error.status)


class Why(RecordView):
    """Why this time: the segments of a clock, that add up to its due time."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.load()
        clock = next((c for c in self.facts()["clocks"] if c.row.metric == kwargs["metric"]), None)
        if clock is None:
            raise Http404
        dialog = self.in_dialog
        context = {
            "clock": clock,
            "clocks": self.facts()["clocks"],
            "ticket": self.ticket,
            "dialog": dialog,
            **record.why(clock),
        }
        template = "incidents/why_dialog.html" if dialog else "incidents/why.html"
        return render(request, template, context)
