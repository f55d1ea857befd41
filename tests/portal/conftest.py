"""A caller at the portal, and what stands on a page in words."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from spine.people.models import User
from tests.pages.conftest import count_queries as count_queries

_HIDDEN = re.compile(r"<(script|style|svg|template)\b.*?</\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


@pytest.fixture
def portal(sign_in: Callable[[User], Client], caller: User) -> Client:
    return sign_in(caller)


@pytest.fixture
def words() -> Callable[[Any], str]:
    """What a reader of the page sees in its main part, blanks as one."""

    def read(response: Any) -> str:
        page = response.content.decode()
        main = page.partition("<main")[2] or page
        text = html.unescape(_TAG.sub(" ", _HIDDEN.sub(" ", "<main" + main)))
        return " ".join(text.split())

    return read
