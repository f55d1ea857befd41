"""The parts of a record's page, each rendered by itself: an answer to a click or to the live
refresh brings only those that differ from what the page shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

# A token is masked anew in each answer: a part that holds one would never be the same twice.
_TOKEN = "csrf-token-of-this-answer"  # noqa: S105 - stands for the token until it is known
_KNOWN_MAX = 60


@dataclass(frozen=True, slots=True)
class Panel:
    """name: of the part ("due"); its element has the id `part-<name>`."""

    name: str
    template: str
    label: str | Promise = ""


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    html: SafeString
    signature: str

    def swap(self) -> SafeString:
        """The part as it goes out of band into a page that shows an older one."""
        return format_html(
            '<div id="part-{}" hx-swap-oob="innerHTML">{}</div>', self.name, self.html
        )


def render_part(panel: Panel, context: Mapping[str, Any], request: HttpRequest) -> Part:
    # Without the request: what the context processors add is the frame's, and asked for by none.
    html = render_to_string(panel.template, {**context, "csrf_token": _TOKEN}).strip()
    signature = hashlib.sha256(html.encode()).hexdigest()[:12] if html else ""
    mark = format_html('<input type="hidden" name="sig" value="{}:{}">', panel.name, signature)
    if _TOKEN in html:
        html = html.replace(_TOKEN, get_token(request))
    return Part(panel.name, mark_safe(html + mark), signature)  # noqa: S308 - from a template


def known(signatures: Sequence[str]) -> dict[str, str]:
    """{part: signature} as the page sent them."""
    return dict(text.split(":", 1) for text in signatures[:_KNOWN_MAX] if ":" in text)


def changed(parts: Iterable[Part], shown: Mapping[str, str]) -> list[Part]:
    """The parts that the page shows otherwise (a part that it does not show at all stays away)."""
    return [part for part in parts if shown.get(part.name, part.signature) != part.signature]
