"""The list: declared by a ListSpec; views as tabs, filters as chips, keyset pages, live rows."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_cache_control

from spine.kit.db import QueryTooSlow
from spine.kit.errors import DomainError
from spine.kit.keyset import Page
from spine.rest.conditions import not_modified
from spine.ui import columns
from spine.ui.listing import PER_PAGE, Listing, ListSpec
from spine.ui.views.base import DeskView


class ListView(DeskView):
    """GET: the page; with `rows`: its rows alone, for the live refresh, with an ETag."""

    spec: ClassVar[ListSpec]
    template_name = "ui/pages/list.html"
    rows_template = "ui/pages/rows.html"

    def row_key(self, record: Any) -> str:
        raise NotImplementedError

    def row_version(self, record: Any) -> str:
        return str(record.version)

    def may_pick(self) -> bool:
        """Whether rows can be selected: only where something can be done with several."""
        return False

    def context(self, listing: Listing, page: Page[Any]) -> dict[str, Any]:
        """What the page shows beyond the list itself."""
        return {}

    def get(self, request: HttpRequest) -> HttpResponse:
        listing = Listing(self.spec, self.user, request.GET, request.path)
        if "rows" in request.GET:
            return self._rows(request, listing)
        if any(len(values) > 1 or not values[0] for _name, values in request.GET.lists()):
            # A form of filters sends what was left empty, and one value for each box: the address
            # that is kept and shared names only what was chosen.
            return HttpResponseRedirect(listing.url(cursor=request.GET.get("cursor") or None))
        return self._page(request, listing)

    def _page(self, request: HttpRequest, listing: Listing) -> HttpResponse:
        page: Page[Any] = Page([], None, None)
        total, exact = 0, True
        try:
            page = listing.page()
            total, exact = self._total(listing, page)
        except DomainError as error:
            listing.error = error
        context = {
            "listing": listing,
            "headers": columns.headers(
                self.spec.columns, listing.ordering, listing.offered, listing.ordered_by
            ),
            "rows": self._rendered(page),
            "rows_url": listing.url(rows="1", cursor=request.GET.get("cursor") or None),
            "next_url": listing.url(cursor=page.next) if page.next else "",
            "previous_url": listing.url(cursor=page.previous) if page.previous else "",
            "shown": len(page.rows),
            "total": None if listing.error else total,
            "total_is_estimate": not exact,
            "may_pick": self.may_pick(),
            **self.context(listing, page),
        }
        status = listing.error.status if listing.error else 200
        return render(request, self.template_name, context, status=status)

    def _total(self, listing: Listing, page: Page[Any]) -> tuple[int, bool]:
        if page.next is None and page.previous is None and len(page.rows) < PER_PAGE:
            return len(page.rows), True
        try:
            return listing.total()
        except QueryTooSlow:
            # The rows are there; only how many more there are took too long to tell.
            return len(page.rows), False

    def _rows(self, request: HttpRequest, listing: Listing) -> HttpResponse:
        known = request.headers.get("If-None-Match")
        if known and not_modified(known, f'"{listing.marker()}"'):
            response = HttpResponse(status=304)
            response["ETag"] = known
            return response
        page = listing.page()
        response = render(request, self.rows_template, {"rows": self._rendered(page)})
        response["ETag"] = f'"{listing.tag(page.rows)}"'
        # Kept by the browser, asked for again each time: the fetch sends the tag by itself.
        patch_cache_control(response, private=True, no_cache=True)
        return response

    def _rendered(self, page: Page[Any]) -> list[columns.Row]:
        return columns.rows(
            self.spec.columns, page.rows, self.row_key, self.row_version, pick=self.may_pick()
        )
