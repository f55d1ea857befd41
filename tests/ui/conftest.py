"""A real Chromium on pages rendered here: the scripts and styles are tried without a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.ui.desk import Desk


@pytest.fixture
def desk(chromium: Browser, settings: Any) -> Iterator[Desk]:
    settings.ROOT_URLCONF = "tests.ui.desk"
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    made = Desk(context.new_page())
    yield made
    context.close()
    assert not made.complaints


@pytest.fixture
def rows() -> Callable[..., str]:
    """<tr>s of a list from (number, title, version)."""

    def make(*items: tuple[str, str, int]) -> str:
        return "".join(
            f'<tr id="row-{number}" data-version="{version}"><td class="c-check"><label>'
            f'<input type="checkbox" name="pick" value="{number}" aria-label="Select {number}">'
            f'</label></td><td class="c-num">{number}</td><td class="c-title">'
            f'<a class="row-link" href="/records/{number}/">{title}</a></td></tr>'
            for number, title, version in items
        )

    return make
