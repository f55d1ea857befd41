"""The record: parts rendered by themselves, so that an answer brings only what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString, mark_safe

from spine.ui.panels import Panel, Part, changed, known, render_part
from spine.ui.views.base import DeskView


class DetailView(DeskView):
    """A subclass gives `load()` (the record within the reader's scope) and `facts()`."""

    template_name = "ui/pages/record.html"
    panels: ClassVar[Sequence[Panel]] = ()

    def load(self) -> None:
        """Reads the record; Http404 outside the reader's scope."""
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """What the parts show."""
        raise NotImplementedError

    def context(self) -> dict[str, Any]:
        """What the page shows around them."""
        return {}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.load()
        facts = self.facts()
        parts = {part.name: part.html for part in self.parts(facts)}
        return render(request, self.template_name, {**facts, "parts": parts, **self.context()})

    def parts(self, facts: Mapping[str, Any]) -> list[Part]:
        return [render_part(panel, facts, self.request) for panel in self.panels]

    def changes(self, extra: Iterable[SafeString] = ()) -> SafeString:
        """Out-of-band parts for a page that sent what it shows as `sig`."""
        sent = self.request.POST if self.request.method == "POST" else self.request.GET
        shown = known(sent.getlist("sig"))
        parts = changed(self.parts(self.facts()), shown) if shown else []
        return mark_safe("".join([*(part.swap() for part in parts), *extra]))  # noqa: S308 - parts
