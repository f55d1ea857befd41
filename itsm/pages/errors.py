"""Error pages. Under /api/ the API's own middleware answers with problem details instead."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _


def _answer(request: HttpRequest, status: int, title: str, detail: str) -> HttpResponse:
    context = {"title": title, "detail": detail, "status": status}
    return render(request, f"errors/{status}.html", context, status=status)


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return _answer(
        request, 400, _("That can't be read"), _("The address or the form is not well formed.")
    )


def forbidden(request: HttpRequest, exception: Any = None) -> HttpResponse:
    reason = str(exception) if exception else ""
    return _answer(
        request, 403, _("Not open to you"), reason or _("Your role does not allow this.")
    )


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return _answer(
        request,
        404,
        _("Nothing here"),
        _("There is no such page, or it is not visible to you."),
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(
        request,
        403,
        _("This form has expired"),
        _("Go back and load the page again: what you typed is still there. Then send it again."),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    title = _("Something broke on our side")
    detail = _("It has been noted. Go back and try again: nothing was saved half-way.")
    try:
        return _answer(request, 500, title, detail)
    except Exception:  # noqa: BLE001 - what broke the page may break its frame, too
        return HttpResponse(f"{title}. {detail}\n", status=500, content_type="text/plain")
