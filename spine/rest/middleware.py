"""Errors that arise outside of an API view, in the API's own shape."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from spine.rest import problems

PREFIX = "/api/"
KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")


class ProblemMiddleware:
    """Turns any error page under /api/ (unknown path, CSRF, 500) into problem+json."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code < 400 or not request.path.startswith(PREFIX):
            return response
        if problems.is_ours(response):
            return response
        details = {
            400: _("The request is not well formed."),
            404: _("There is nothing at this address."),
            500: _("The fault is on our side and has been logged."),
        }
        problem = problems.body(response.status_code, "", details.get(response.status_code, ""))
        kept = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        return problems.response(problem, kept)
