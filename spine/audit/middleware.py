"""By which door a request came in: what operations opened inside it say of themselves."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from spine.audit.operations import working_from


class SourceMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with working_from("api" if request.path.startswith("/api/") else "web"):
            return self.get_response(request)
