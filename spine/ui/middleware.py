"""A refusal raised anywhere in a page becomes an answer that a person can read."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from spine.kit.errors import DomainError, InvalidInput


def is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _words(status: int) -> tuple[str, str]:
    """(What happened, what is kept and what to do)."""
    words = {
        400: (
            _("That can't be done like this"),
            _("Nothing was changed. Go back: what you typed is still there."),
        ),
        403: (
            _("Not open to you"),
            _("Nothing was changed. Ask your team lead if you need this right."),
        ),
        409: (
            _("The record has moved on"),
            _("Nothing was changed. Go back and load it again to see how it stands now."),
        ),
        412: (
            _("Somebody saved before you"),
            _("Nothing was overwritten. Go back: what you typed is still there."),
        ),
        413: (_("Too large"), _("Nothing was saved. Go back and choose a smaller file.")),
        503: (_("Not now"), _("Nothing was changed. Try again in a moment.")),
    }
    return words.get(status, words[400])


def sentences(error: DomainError) -> list[str]:
    if isinstance(error, InvalidInput):
        return list(dict.fromkeys(one.message for one in error.errors))
    return [error.message]


def refusal(request: HttpRequest, error: DomainError) -> HttpResponse:
    """One sentence for a part of a page (shown as a toast), a whole page otherwise."""
    if is_htmx(request):
        return HttpResponse(
            " ".join(sentences(error)), status=error.status, content_type="text/plain"
        )
    title, kept = _words(error.status)
    context = {
        "title": title,
        "reasons": sentences(error),
        "kept": kept,
        "code": error.code,
        "back": request.META.get("HTTP_REFERER", ""),
    }
    return render(request, "ui/pages/refused.html", context, status=error.status)


class DomainErrorMiddleware:
    """400, 403, 409, 412, 503 with the reason; the API answers its own errors before."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, DomainError) and not request.path.startswith("/api/"):
            return refusal(request, exception)
        return None
