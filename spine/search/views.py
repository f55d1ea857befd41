"""The page of results, and suggestions for the top bar and for fields that pick a record."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from spine.kit.db import QueryTooSlow
from spine.people.models import User
from spine.people.reach import reach_of
from spine.search.engine import Found, Results, search

PER_KIND = 10
PER_PAGE = 50
SUGGESTIONS = 6


def _asked(request: HttpRequest) -> str:
    return request.GET.get("q", "").replace("\x00", " ")


@login_required
@require_safe
def results(request: HttpRequest) -> HttpResponse:
    """`?q=` what, `?kind=` of one kind only. The whole of a number leads straight to its record."""
    user = cast(User, request.user)
    text, kind = _asked(request), request.GET.get("kind", "")
    found, slow = Results(text.strip()), False
    try:
        # Every kind is asked even for one tab: the other tabs say how much they hold.
        found = search(user, text, limit=PER_PAGE if kind else PER_KIND)
    except QueryTooSlow:
        slow = True
    only = _only_one(found)
    if only is not None and not kind:
        return redirect(only.hit.url)
    groups = [group for group in found.groups if not kind or group.kind == kind]
    staff = reach_of(user).is_staff
    context: dict[str, Any] = {
        "results": found,
        "groups": [(group, _address(found.text, group.kind)) for group in groups],
        "kind": kind,
        "tabs": _tabs(found, kind),
        "search_query": found.text,
        "slow": slow,
        # The desk's frame has the search field in its top bar.
        "is_staff": staff,
        "frame": "base.html" if staff else "portal/base.html",
    }
    return render(request, "search/results.html", context, status=503 if slow else 200)


def _only_one(found: Results) -> Found | None:
    """The record whose number was typed in full."""
    for group in found.groups:
        for one in group.found:
            if one.hit.url and one.hit.number and one.hit.number == found.text.upper():
                return one
    return None


def _tabs(found: Results, kind: str) -> list[dict[str, Any]]:
    if len(found.groups) < 2 and not kind:
        return []
    tabs = [
        {
            "label": _("All"),
            "url": _address(found.text),
            "active": not kind,
            "count": _count(found.count, more=found.more),
        }
    ]
    tabs += [
        {
            "label": group.label,
            "url": _address(found.text, group.kind),
            "active": group.kind == kind,
            "count": _count(group.count, more=group.more),
        }
        for group in found.groups
    ]
    return tabs


def _count(count: int, *, more: bool) -> str:
    return f"{count}+" if more else str(count)


def _address(text: str, kind: str = "") -> str:
    query = {"q": text} | ({"kind": kind} if kind else {})
    return f"{reverse('search:results')}?{urlencode(query)}"


@login_required
@require_safe
def suggest(request: HttpRequest) -> HttpResponse:
    """`[{value, text, hint, url, kind, label}]` for `?q=`, best first; `?kind=` (repeatable) of
    these kinds only. `value` is the number where there is one, else the UUID."""
    kinds = request.GET.getlist("kind") or None
    try:
        found = search(cast(User, request.user), _asked(request), kinds=kinds, limit=SUGGESTIONS)
    except QueryTooSlow:
        found = Results("")
    best = sorted(
        ((one, group.label) for group in found.groups for one in group.found),
        key=lambda pair: -pair[0].score,
    )
    rows = [
        {
            "value": one.hit.value or one.hit.number,
            "text": one.hit.title,
            "hint": one.hit.number or one.hit.hint,
            "url": one.hit.url,
            "kind": one.kind,
            "label": str(label),
        }
        for one, label in best[: SUGGESTIONS * 2]
    ]
    return JsonResponse(rows, safe=False, headers={"Cache-Control": "private, no-store"})
