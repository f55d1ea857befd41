"""Error answers: a page for people, problem+json for programs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _


def _answer(request: HttpRequest, status: int, title: str, detail: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        body = {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": detail,
            "code": {400: "bad_request", 403: "forbidden", 404: "not_found"}.get(status, "error"),
        }
        return JsonResponse(body, status=status, content_type="application/problem+json")
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
    return _answer(
        request,
        500,
        _("Something broke on our side"),
        _("It has been noted. Go back and try again: nothing was saved half-way."),
    )
