"""A list as declared, and one reader's page of it: view, filters, order, rows, addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.exceptions import FieldError
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.functional import cached_property

from spine.kit.db import estimate_count, statement_timeout
from spine.kit.errors import DomainError
from spine.kit.keyset import Orderings, Page, paginate
from spine.people.models import User
from spine.rest.filters import FilterSet, apply_strictly
from spine.ui.columns import Column, Label

PER_PAGE = 50
# What stands in a list's address beside filters.
RESERVED = ("view", "ordering", "cursor", "rows", "pick", "sig")


@dataclass(frozen=True, slots=True)
class SavedView:
    """A shipped filter: `?view=code`. filters: reader -> parameters of the filterset; says: the
    same in words, as chips [(parameter, label, value)]; empty: (title, text) when nothing is in
    it."""

    code: str
    label: Label
    filters: Callable[[User], Mapping[str, str]]
    ordering: str
    empty: tuple[Label, Label]
    says: tuple[tuple[str, Label, Label], ...] = ()


@dataclass(frozen=True, slots=True)
class ListSpec:
    """A list page: its rows, how they are filtered, ordered and shown.

    queryset: reader -> the rows in their scope; offered: given the filters in effect, the
    orderings that an index serves; words: (parameter, value, reader) -> (label, value) of a chip;
    prepare: works out, for all rows of a page at once, what their cells show; marker: columns
    whose change is worth a refresh.
    """

    queryset: Callable[[User], QuerySet[Any]]
    for_rows: Callable[[QuerySet[Any]], QuerySet[Any]]
    filterset: type[FilterSet]
    orderings: Orderings
    columns: Sequence[Column]
    views: Sequence[SavedView]
    offered: Callable[[Mapping[str, str]], frozenset[str]]
    words: Callable[[str, str, User], tuple[str, str]]
    prepare: Callable[[Sequence[Any]], None] = lambda _rows: None
    marker: tuple[str, ...] = ("pk", "version", "updated_at")
    # reader -> the same rows as plainly as they can be counted: of a kind's parent alone, as a join
    # of ten thousand rows takes longer than the page. Filters it lacks are counted in `queryset`.
    counted: Callable[[User], QuerySet[Any]] | None = None
    default_view: str = "all"


@dataclass(frozen=True, slots=True)
class Chip:
    label: str
    value: str
    remove_url: str


@dataclass
class Listing:
    """One request's reading of a list. `error` is set where the address asks what can't be; the
    page then says so and shows no rows."""

    spec: ListSpec
    user: User
    parameters: QueryDict
    path: str
    error: DomainError | None = None
    view: SavedView = field(init=False)
    ordering: str = field(init=False)
    offered: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        named = self.parameters.get("view", "")
        known = {view.code: view for view in self.spec.views}
        # An address with filters and no view is a list of its own: all, filtered.
        fallback = "all" if self.given() else self.spec.default_view
        self.view = known.get(named) or known[fallback]
        effective = self.effective()
        self.offered = self.spec.offered(effective)
        asked = self.parameters.get("ordering", "")
        self.ordering = asked or (
            self.view.ordering
            if self.view.ordering in self.offered
            else self.spec.orderings.default.name
        )

    def given(self) -> dict[str, str]:
        """The filters that the address itself names; repeated ones joined, as boxes send them."""
        return {
            name: ",".join(one for one in values if one)
            for name, values in self.parameters.lists()
            if name not in RESERVED and any(values)
        }

    def effective(self) -> dict[str, str]:
        """The view's filters, and on top the address's own."""
        return {**self.view.filters(self.user), **self.given()}

    @cached_property
    def filtered(self) -> QuerySet[Any]:
        """The filtered rows, unordered. Raises InvalidInput for a wrong parameter."""
        return self._filter(self.spec.queryset(self.user))

    def _filter(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        effective = QueryDict(mutable=True)
        effective.update(self.effective())
        return apply_strictly(self.spec.filterset, effective, rows, user=self.user)

    @cached_property
    def counted(self) -> QuerySet[Any]:
        """Rows as many as `filtered`, cheaper to count where the declaration says how."""
        if self.spec.counted is None:
            return self.filtered
        try:
            return self._filter(self.spec.counted(self.user))
        except FieldError:
            return self.filtered

    def page(self) -> Page[Any]:
        """The page with all that its rows show."""
        page = self._read(self.spec.for_rows(self.filtered))
        self.spec.prepare(page.rows)
        return page

    def marker(self) -> str:
        """A digest that moves when a row of the page does, without joins or rendering."""
        order = self.spec.orderings.get(self.ordering)
        names = [*self.spec.marker, *(key.path for key in order.keys)]
        page = self._read(self.filtered.values(*dict.fromkeys(names)))
        return self.tag(page.rows)

    def tag(self, rows: Sequence[Any]) -> str:
        values = [
            [
                row[name] if isinstance(row, dict) else getattr(row, name)
                for name in self.spec.marker
            ]
            for row in rows
        ]
        return hashlib.sha256(repr((self.user.pk, values)).encode()).hexdigest()[:20]

    def _read(self, queryset: QuerySet[Any]) -> Page[Any]:
        ordering = self.spec.orderings.get(self.ordering)
        with statement_timeout(settings.LIST_STATEMENT_TIMEOUT_MS):
            return paginate(
                queryset, ordering, limit=PER_PAGE, cursor=self.parameters.get("cursor")
            )

    def total(self) -> tuple[int, bool]:
        """(how many, whether that is exact)."""
        with statement_timeout(settings.LIST_STATEMENT_TIMEOUT_MS):
            return estimate_count(self.counted)

    # Addresses

    def url(self, **changes: str | None) -> str:
        """This list with parameters changed (None: taken away); the page starts anew unless a
        cursor is among them."""
        query = QueryDict(mutable=True)
        if "view" in self.parameters:
            query["view"] = self.view.code
        query.update(self.given())
        if self.parameters.get("ordering"):
            query["ordering"] = self.ordering
        for name, value in changes.items():
            query.pop(name, None)
            if value is not None:
                query[name] = value
        text = query.urlencode(safe=",:")
        return f"{self.path}?{text}" if text else self.path

    def ordered_by(self, name: str) -> str:
        return self.url(ordering=name)

    def tabs(self) -> list[dict[str, Any]]:
        own = bool(self.given())
        return [
            {
                "label": view.label,
                "url": f"{self.path}?view={view.code}",
                "active": view.code == self.view.code and not (own and view.code == "all"),
                "count": None,
            }
            for view in self.spec.views
        ]

    def chips(self) -> list[Chip]:
        """The view's filters in its own words, then the address's own, each with a way out."""
        given = self.given()
        filters = self.view.filters(self.user)
        chips = []
        for parameter, label, value in self.view.says:
            if parameter not in filters:
                continue
            rest = {name: one for name, one in filters.items() if name != parameter}
            chips.append(Chip(str(label), str(value), self.url(view=None, **rest)))
        for name, value in given.items():
            try:
                label, shown = self.spec.words(name, value, self.user)
            except DomainError:
                label, shown = name, value
            chips.append(Chip(label, shown, self.url(**{name: None})))
        return chips
