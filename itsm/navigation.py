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
from spine.people.roles import Right


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
    Group("", (Entry(_("My work"), "work", "desk"),)),
    Group(_("Desk"), (Entry(_("Incidents"), "incident", "incidents:list"),)),
    Group(
        _("Platform"),
        (
            Entry(_("Mailbox"), "mail", "notify:mailbox", verb="mailbox.read"),
            Entry(_("API"), "api", "api-docs"),
            Entry(_("Design"), "eye", "design"),
        ),
    ),
    Group("", (Entry(_("Portal"), "portal", "portal:home"),)),
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


def _account_menu(_request: HttpRequest) -> list[dict[str, Any]]:
    return [{"label": _("Profile and tokens"), "url": reverse("profile"), "icon": "user"}]


def _new_menu(request: HttpRequest) -> list[dict[str, Any]]:
    user = request.user
    if not isinstance(user, User) or not reach_of(user).has(Right.TICKETS_WORK):
        return []
    return [{"label": _("Incident"), "url": reverse("incidents:new"), "icon": "incident"}]


def _portal_navigation(request: HttpRequest) -> list[dict[str, Any]]:
    user = request.user
    entries = [(_("Home"), "portal:home"), (_("My tickets"), "portal:tickets")]
    items = [
        {"label": label, "url": reverse(name), "active": request.path == reverse(name)}
        for label, name in entries
    ]
    if isinstance(user, User) and reach_of(user).is_staff:
        items.append({"label": _("Desk"), "url": reverse("desk"), "active": False})
    return items


def context(request: HttpRequest) -> dict[str, Any]:
    """What the frame of every page reads. Lazy: an error page asks the database nothing."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    return {
        "nav": SimpleLazyObject(lambda: _navigation(request)),
        "new_menu": SimpleLazyObject(lambda: _new_menu(request)),
        "account_menu": SimpleLazyObject(lambda: _account_menu(request)),
        "portal_nav": SimpleLazyObject(lambda: _portal_navigation(request)),
    }
