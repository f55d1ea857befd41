"""A signed-in person's language and time zone hold for the request."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


class PreferencesMiddleware:
    """The person's own setting first, then the cookie, then what the browser asks for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user if self._has_session(request) else None
        chosen = user.language if user is not None and user.is_authenticated else ""
        zone = user.timezone if user is not None and user.is_authenticated else ""
        language = chosen or translation.get_language_from_request(request)
        with translation.override(language), timezone.override(_zone(zone) if zone else None):
            request.LANGUAGE_CODE = translation.get_language()
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or "en")
            # TemplateResponse renders lazily; it must happen while the preferences hold.
            render = getattr(response, "render", None)
            if callable(render) and not getattr(response, "is_rendered", True):
                response = render()
        return response

    @staticmethod
    def _has_session(request: HttpRequest) -> bool:
        """API calls with a token carry no session: asking for its user would cost a query."""
        return settings.SESSION_COOKIE_NAME in request.COOKIES
