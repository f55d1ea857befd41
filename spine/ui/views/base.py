"""What every page of the desk asks first: who is it, and is the desk open to them."""

from __future__ import annotations

import json
from typing import Any, cast

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views import View

from spine.people.models import User
from spine.people.policy import require
from spine.ui.middleware import is_htmx


class DeskView(LoginRequiredMixin, View):
    """A page for staff. verb: what `may()` is asked before anything is read."""

    verb = "desk.open"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return self.handle_no_permission()
        require(self.user, self.verb)
        return super().dispatch(request, *args, **kwargs)

    @property
    def user(self) -> User:
        return cast(User, self.request.user)

    @property
    def partial(self) -> bool:
        """Whether a part of a page is asked for, not a page."""
        return is_htmx(self.request)

    @property
    def in_dialog(self) -> bool:
        return self.partial and self.request.headers.get("HX-Target") == "dialog-slot"


def toast(text: str, *, tone: str = "success", hint: str = "", undo: str = "") -> dict[str, Any]:
    """The detail of a `toast` event (see the header below)."""
    return {"text": text, "tone": tone, "hint": hint, "undo": undo}


def trigger(response: HttpResponse, **events: Any) -> HttpResponse:
    """Events that the page hears when this answer arrives: `closeDialog`, `toast`, `refresh`."""
    response["HX-Trigger"] = json.dumps(events)
    return response
