"""A browser page whose server is a dictionary: templates and scripts without a database."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import RequestFactory
from django.urls import path
from playwright.sync_api import ConsoleMessage, Page, Route

ROOT = Path(__file__).parents[2]
DIST = ROOT / "static" / "dist"
ORIGIN = "http://evenkeel.test"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'"
)


def _nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


# The frame's own addresses; this module is the URL map of these tests.
urlpatterns = [
    path("language/", _nothing, name="set_language"),
    path("logout/", _nothing, name="logout"),
]


class Desk:
    """One browser page whose server is a dictionary of addresses.

    `answers` maps "METHOD /path" to (status, content type, body) or to a function of the route;
    `requests` keeps what was asked.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.answers: dict[str, Any] = {}
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.route(f"{ORIGIN}/**", self._serve)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, note: ConsoleMessage) -> None:
        if "Content Security" in note.text:
            self.complaints.append(note.text)

    def _serve(self, route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
        self.requests.append(f"{route.request.method} {path}")
        if path.startswith("/static/"):
            file = DIST / path.removeprefix("/static/")
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            route.fulfill(body=file.read_bytes(), content_type=kind)
            return
        answer = self.answers.get(f"{route.request.method} {path}")
        if callable(answer):
            answer(route)
        elif answer:
            status, kind, body = answer
            headers = {"Content-Security-Policy": POLICY}
            route.fulfill(status=status, content_type=kind, body=body, headers=headers)
        else:
            route.fulfill(status=404, content_type="text/plain", body="nothing here")

    def show(self, source: str, path: str = "/page/", **context: Any) -> Page:
        """Opens a page made of `source` inside base.html."""
        body = "{% extends 'base.html' %}{% load ui i18n %}{% block content %}<h1>Page</h1>"
        return self.render(Template(body + source + "{% endblock %}"), path, **context)

    def render(self, template: Template, path: str = "/page/", **context: Any) -> Page:
        """Opens a whole page."""
        html = template.render(
            Context({"request": RequestFactory().get(path), "csrf_token": "token", **context})
        )
        self.answers[f"GET {path}"] = (200, "text/html; charset=utf-8", html)
        self.page.goto(ORIGIN + path)
        return self.page
