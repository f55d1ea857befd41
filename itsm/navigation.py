"""The rail: what stands where, for whom. The only place that knows every page's neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise, SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from spine.people.models import User
from spine.people.policy import may
from spine.people.reach import reach_of


@dataclass(frozen=True, slots=True)
class Entry:
    """verb: what `may()` is asked before the entry is shown ("" = staff)."""

    label: Promise
    icon: str
    url_name: str
    verb: str = "desk.open"
    count: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    label: Promise | str
    entries: tuple[Entry, ...]


GROUPS = (
    Group("", (Entry(_("My work"), "inbox", "desk"),)),
    Group(_("Desk"), (Entry(_("Incidents"), "alert-triangle", "incidents:list"),)),
    Group(
        _("Platform"),
        (
            Entry(_("Mailbox"), "mail", "notify:mailbox", verb="settings.read"),
            Entry(_("API"), "api", "api-docs"),
            Entry(_("Design"), "palette", "design"),
        ),
    ),
    Group("", (Entry(_("Portal"), "lifebuoy", "portal:home"),)),
)


def _navigation(request: HttpRequest) -> list[dict[str, Any]]:
    user = request.user
    if not isinstance(user, User) or not reach_of(user).is_staff:
        return []
    groups = []
    for group in GROUPS:
        items = []
        for entry in group.entries:
            if not may(user, entry.verb):
                continue
            url = reverse(entry.url_name)
            items.append(
                {
                    "label": entry.label,
                    "icon": entry.icon,
                    "url": url,
                    "active": request.path.startswith(url),
                }
            )
        if items:
            groups.append({"label": group.label, "items": items})
    return groups


def context(request: HttpRequest) -> dict[str, Any]:
    """Template context of every page: `nav`, `is_staff`. Lazy: an error page asks nothing."""
    user = getattr(request, "user", None)
    return {
        "nav": SimpleLazyObject(lambda: _navigation(request)),
        "is_staff": SimpleLazyObject(
            lambda: isinstance(user, User) and reach_of(user).is_staff
        ),
    }
