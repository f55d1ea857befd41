"""A real Chromium against a real server: people sign in by their session and use the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from spine.people.models import User

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
# What WCAG 2.2 AA asks, and no more: best practices are judged by eye.
AXE_RUN = """
async () => {
  const found = await axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    resultTypes: ["violations"],
  });
  return found.violations.map((v) => `${v.id}: ${v.help}\\n  ` +
    v.nodes.map((n) => n.html.slice(0, 200) + " " + n.failureSummary).join("\\n  "));
}
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)


class Visit:
    """One person's browser. `complaints`: what the console said that it should not have."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.context = context
        self.base = base
        self.page: Page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, message: ConsoleMessage) -> None:
        # An answer of 4xx is part of many journeys; what breaks the policy or a script is not.
        if message.type == "error" and "status of" not in message.text:
            self.complaints.append(message.text)

    def go(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def axe(self) -> list[str]:
        """What axe finds on the page as it stands. The policy forbids inline scripts, not those
        of the debugger, by which this one comes in."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: list[str] = self.page.evaluate(AXE_RUN)
        return found


@pytest.fixture
def visit(
    chromium: Browser, live_server: Any, transactional_db: None
) -> Iterator[Callable[..., Visit]]:
    """`visit(user, width=375, ...)`: a browser in which that person is signed in."""
    made: list[Visit] = []

    def start(
        user: User | None = None, *, width: int = 1280, height: int = 900, **more: Any
    ) -> Visit:
        options = {"locale": "en-GB", "timezone_id": "UTC", "reduced_motion": "reduce", **more}
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        if user is not None:
            client = Client()
            client.force_login(user, backend="spine.people.backends.PeopleBackend")
            name = django_settings.SESSION_COOKIE_NAME
            value = client.cookies[name].value
            context.add_cookies([{"name": name, "value": value, "url": live_server.url}])
        visit = Visit(context, live_server.url)
        made.append(visit)
        return visit

    yield start
    for each in made:
        each.context.close()
    assert not [text for each in made for text in each.complaints]
