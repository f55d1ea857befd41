"""`/settings/design/`: every component in every state, light and dark side by side."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from itsm.pages import design_samples as samples
from spine.ui import icons

# (template, heading, how to write it, needs the whole width)
SPECIMENS = [
    ("colours", _("Colours and type"), "static/src/css/tokens.css", False),
    ("buttons", _("Buttons"), '<button class="btn primary">', False),
    (
        "marks",
        _("State, priority, due, people"),
        "{% state %} {% priority %} {% due %} {% who %}",
        False,
    ),
    (
        "navigation",
        _("Tabs, chips, breadcrumb, pager"),
        "ui/tabs ui/chips ui/crumbs ui/pager ui/suggestions",
        False,
    ),
    ("list", _("List"), '<table class="list">, ui/bulk', True),
    ("states", _("Empty, loading, failed"), "ui/empty ui/skeleton ui/error", False),
    ("fields", _("Fields"), "{% field form.title %}", False),
    ("mistakes", _("Fields with errors"), "ui/form_errors {% field %}", False),
    ("record", _("Record"), '<div class="record">', True),
    ("timeline", _("Timeline and editor"), "ui/comment ui/event ui/editor", False),
    (
        "overlays",
        _("Menus, dialogs, toasts, banners"),
        '<div class="menu" popover>, ui/dialog_body ui/toast ui/banner',
        False,
    ),
    ("panels", _("Numbers, findings, approval chain"), "ui/stat ui/steps .finding .chain", False),
    ("portal", _("Portal"), "portal/base.html .tiles .yours .rate", False),
    ("prose", _("Markdown"), '<div class="prose">', False),
]


def context() -> dict[str, Any]:
    """Everything that the specimens show."""
    return {
        "specimens": [
            {
                "template": f"settings/design/{name}.html",
                "id": name,
                "title": title,
                "use": use,
                "tall": tall,
            }
            for name, title, use, tall in SPECIMENS
        ],
        "themes": [
            {
                "name": "light",
                "label": _("Light"),
                "form": samples.form("light"),
                "bad": samples.bad_form("light"),
            },
            {
                "name": "dark",
                "label": _("Dark"),
                "form": samples.form("dark"),
                "bad": samples.bad_form("dark"),
            },
        ],
        "icons": sorted(icons.names()),
        **samples.values(),
    }


@login_required
def design(request: HttpRequest) -> HttpResponse:
    return render(request, "settings/design.html", context())
