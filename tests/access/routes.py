"""Every address of the platform, read from the URL map, with the methods it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def _walk(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        else:
            yield route, pattern


def _plain(route: str) -> str:
    """One spelling for both kinds of pattern: `api/v1/incidents/<key>/`."""
    route = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", route)
    route = re.sub(r"<\w+:(\w+)>", r"<\1>", route)
    return route.replace("^", "").replace("$", "")


def _methods(callback: Any) -> set[str] | None:
    """What the view says of itself; None for a function, whose rows name what it answers."""
    actions = getattr(callback, "actions", None)
    if actions:
        # The framework adds HEAD once an address has been asked for.
        return {method.upper() for method in actions} & set(METHODS)
    view = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
    if view is None:
        return None
    return {method for method in METHODS if hasattr(view, method.lower())}


def routes() -> dict[str, set[str] | None]:
    """{route: methods or None}"""
    found = {}
    for route, pattern in _walk(get_resolver().url_patterns):
        found[_plain(route)] = _methods(pattern.callback)
    return found
