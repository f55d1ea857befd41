"""The list of incidents, and the panel that adds a filter to it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from incidents.filters import IncidentFilters
from incidents.listing import FILTERABLE, PANEL, SORTS, SPEC
from spine.kit.clock import now
from spine.kit.keyset import Page
from spine.people.policy import may
from spine.search.queries import MAX_TEXT
from spine.ui.filtering import panel_form
from spine.ui.listing import Listing
from spine.ui.views import DeskView, ListView

HOUR = 3600


class IncidentList(ListView):
    spec = SPEC
    template_name = "incidents/list.html"

    def row_key(self, record: Any) -> str:
        return str(record.number)

    def may_pick(self) -> bool:
        return bool(may(self.user, "incident.bulk"))

    def context(self, listing: Listing, page: Page[Any]) -> dict[str, Any]:
        filtered = listing.given()
        url = reverse("incidents:filter")
        query = listing.url().partition("?")[2]
        return {
            "sorts": [
                {
                    "label": label,
                    "url": listing.ordered_by(name),
                    "active": name == listing.ordering,
                }
                for name, label in SORTS.items()
                if name in listing.offered
            ],
            "sort_label": SORTS.get(listing.ordering, ""),
            "panel_url": f"{url}?{query}" if query else url,
            "clear_url": f"{listing.path}?view={listing.view.code}" if filtered else "",
            "filtered": bool(filtered),
            "pressing": _pressing(listing, page),
        }


def _pressing(listing: Listing, page: Page[Any]) -> list[tuple[str, str]]:
    """How many of the first page are over time or nearly, said where due times lead the list:
    (words, tone). More than the page holds is said as such."""
    if listing.ordering != "due_at" or page.previous is not None or listing.error is not None:
        return []
    moment = now()
    left = [(row.due_at - moment).total_seconds() for row in page.rows if row.due_at is not None]
    over = sum(1 for seconds in left if seconds < 0)
    soon = sum(1 for seconds in left if 0 <= seconds < HOUR)
    more = "+" if page.next and over + soon == len(page.rows) else ""
    said = []
    if over:
        said.append((_("%(n)s over time") % {"n": f"{over}{more if not soon else ''}"}, "bad"))
    if soon:
        said.append((_("%(n)s within the hour") % {"n": f"{soon}{more}"}, "soon"))
    return said


class FilterPanel(DeskView):
    """The form that adds filters: inside the list's popover, or a page of its own."""

    def get(self, request: HttpRequest) -> HttpResponse:
        listing = Listing(SPEC, self.user, request.GET, reverse("incidents:list"))
        given = listing.given()
        kept = {name: value for name, value in given.items() if name not in (*PANEL, "q")}
        if "view" in request.GET:
            kept["view"] = listing.view.code
        if request.GET.get("ordering"):
            kept["ordering"] = listing.ordering
        form = panel_form(IncidentFilters, FILTERABLE, PANEL, self.user, given)
        words = forms.CharField(
            label=_("Words"), max_length=MAX_TEXT, required=False, initial=given.get("q", "")
        )
        form.fields = {"q": words, **form.fields}
        context = {
            "form": form,
            "kept": kept,
            "action": listing.path,
        }
        part, page = "incidents/filter_form.html", "incidents/filter.html"
        return render(request, part if self.partial else page, context)
