"""Input that no part of the platform can store is refused at the door."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.utils.translation import gettext as _

# PostgreSQL's text type holds every character but NUL; an address or a form with one is hostile or
# broken, and would otherwise surface as a database error. JSON bodies are checked by the parser.
NUL = "\x00"


class CleanInputMiddleware:
    """400 for a NUL byte in the path or the query string."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        query = request.META.get("QUERY_STRING", "")
        if NUL in request.path or NUL in query or "%00" in query:
            return HttpResponseBadRequest(_("The address holds a NUL character."))
        return self.get_response(request)
