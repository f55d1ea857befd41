"""Small checked reads of a mapping's parts; what is wrong is told with its place."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext as _

from spine.tickets.importing.converters import check_format
from spine.tickets.importing.errors import MappingError


def section(top: AnyMapping[str, Any], key: str, required: bool = False) -> dict[Any, Any]:
    given = top.get(key)
    if given is None and not required:
        return {}
    if not isinstance(given, dict) or (required and not given):
        raise MappingError(key, _("Here stand keys with values."))
    return given


def refuse_unknown(given: AnyMapping[Any, Any], known: set[str] | frozenset[str], at: str) -> None:
    for key in given:
        if key not in known:
            raise MappingError(
                f"{at}.{key}" if at else str(key),
                _("There is no such key; known: %(known)s.") % {"known": ", ".join(sorted(known))},
            )


def text_of(value: Any, place: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise MappingError(place, _("This is a text."))
    return str(value)


def zone_of(value: Any, place: str) -> ZoneInfo:
    try:
        return ZoneInfo(text_of(value, place))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MappingError(place, _("There is no time zone “%s”.") % value) from error


def dates_of(value: Any, place: str) -> tuple[str, ...]:
    forms = value if isinstance(value, list) else [value]
    for form in forms:
        check_format(text_of(form, place), place)
    return tuple(forms)
