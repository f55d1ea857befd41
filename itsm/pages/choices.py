"""What comboboxes ask as one types: `?q=` in any spelling, answers [{value, text, hint}].

Only what the reader may see; people by pinyin and initials too, namesakes with their department.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from incidents import forms
from spine.people.models import Membership, Team, User
from spine.people.naming import spellings
from spine.people.policy import require

MOST = 20
QUERY_MAX = 100
Row = dict[str, str]


def _answer(rows: Iterable[Row]) -> JsonResponse:
    return JsonResponse({"results": list(rows)})


def _asked(request: HttpRequest) -> tuple[User, str]:
    user = cast(User, request.user)
    require(user, "desk.open")
    return user, " ".join(request.GET.get("q", "").split())[:QUERY_MAX]


@login_required
@require_safe
def people(request: HttpRequest) -> HttpResponse:
    user, text = _asked(request)
    rows = User.objects.visible_to(user).filter(is_active=True).matching(text)
    found = list(rows.order_by("sort_key", "id")[:MOST])
    departments = dict(
        Membership.objects.filter(user__in=[one.pk for one in found], is_primary=True).values_list(
            "user_id", "department__name"
        )
    )
    return _answer(
        {
            "value": str(one.uuid),
            "text": one.name,
            "hint": " · ".join(
                part for part in (departments.get(one.pk, one.title), one.username) if part
            ),
        }
        for one in found
    )


def _named(queryset: QuerySet[Any], text: str, hint: Callable[[Any], str]) -> list[Row]:
    """Teams, services, categories are few: matched here, in pinyin and translation too."""
    words = text.lower().split()
    rows = []
    for one in queryset[:1000]:
        label = str(one)
        spelled = spellings(label, one.name)
        if all(word in spelled for word in words):
            rows.append({"value": str(one.uuid), "text": label, "hint": hint(one)})
        if len(rows) >= MOST * 2:
            break
    return rows


@login_required
@require_safe
def teams(request: HttpRequest) -> HttpResponse:
    _user, text = _asked(request)
    return _answer(_named(Team.objects.filter(active=True), text, lambda _team: ""))


@login_required
@require_safe
def services(request: HttpRequest) -> HttpResponse:
    user, text = _asked(request)
    rows = forms.services(user)
    return _answer(_named(rows, text, lambda service: service.get_criticality_display()))


@login_required
@require_safe
def categories(request: HttpRequest) -> HttpResponse:
    user, text = _asked(request)
    rows = forms.categories(user)
    return _answer(
        _named(rows, text, lambda one: str(one.parent) if one.parent_id is not None else "")
    )
