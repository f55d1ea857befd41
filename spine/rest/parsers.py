"""JSON as the API reads it: nothing that PostgreSQL, or the next reader, could take otherwise."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles, MultiPartParser

from spine.rest.problems import TooLarge

MAX_DEPTH = 64
# Beyond 64 bits readers disagree about a number: some round it, some fail.
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1
INTEGER_DIGITS = 20


class JSONParser(BaseParser):
    """Strict JSON: no NUL, lone surrogate, NaN, repeated member, number past 64 bits, deep nest."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        raw = read_limited(stream, parser_context)
        return loads(raw)


class FormParser(MultiPartParser):
    """Multipart for uploads; its text parts obey the same rule about NUL."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> DataAndFiles[Any, Any]:
        result: DataAndFiles[Any, Any] = super().parse(stream, media_type, parser_context)
        for values in dict(result.data.lists()).values():
            for value in values:
                _refuse_unstorable(value, 0)
        return result


def read_limited(stream: IO[Any], context: Mapping[str, Any] | None) -> bytes:
    """The body, at most DATA_UPLOAD_MAX_MEMORY_SIZE: the REST framework itself sets no limit."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 2**31
    request = (context or {}).get("request")
    announced = request.META.get("CONTENT_LENGTH") if request is not None else None
    if announced and str(announced).isdigit() and int(announced) > limit:
        raise _too_large(limit)
    raw: bytes = stream.read(limit + 1)
    if len(raw) > limit:
        raise _too_large(limit)
    return raw


def loads(raw: bytes) -> Any:
    """The value of a JSON text; ParseError with the reason otherwise."""
    try:
        text = raw.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_number,
        )
    except UnicodeDecodeError as error:
        raise ParseError(_("The body is not UTF-8."), "malformed") from error
    except RecursionError as error:
        raise _too_deep() from error
    except json.JSONDecodeError as error:
        detail = _("The body is not JSON: line %(line)s, column %(column)s.") % {
            "line": error.lineno,
            "column": error.colno,
        }
        raise ParseError(detail, "malformed") from error
    # Only an escape can bring NUL or half of a pair into decoded text, and only many brackets can
    # nest deeply: an ordinary body is not walked.
    if "\\u" in text or text.count("[") + text.count("{") > MAX_DEPTH:
        _refuse_unstorable(value, 0)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = ""
        for name, _value in pairs:
            if name in seen:
                twice = name
                break
            seen.add(name)
        detail = _("“%(name)s” is given twice.") % {"name": _shown(twice)}
        raise ParseError(detail, "repeated_member")
    return found


def _constant(name: str) -> Any:
    raise ParseError(_("%(name)s is not a JSON number.") % {"name": name}, "malformed")


def _integer(text: str) -> int:
    if len(text) > INTEGER_DIGITS or not INTEGER_MIN <= (number := int(text)) <= INTEGER_MAX:
        raise _out_of_range()
    return number


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _out_of_range()
    return number


def _refuse_unstorable(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, str):
        if "\x00" in value:
            raise ParseError(_("The text holds a NUL character."), "nul_character")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ParseError(_("The text holds half of a surrogate pair."), "malformed") from error
    elif isinstance(value, dict):
        for name, inner in value.items():
            _refuse_unstorable(name, depth)
            _refuse_unstorable(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _refuse_unstorable(inner, depth + 1)


def _shown(name: str) -> str:
    return name[:100].encode("utf-8", "replace").decode()


def _out_of_range() -> ParseError:
    return ParseError(_("A number is out of range."), "out_of_range")


def _too_deep() -> ParseError:
    detail = _("The body is nested deeper than %(depth)s levels.") % {"depth": MAX_DEPTH}
    return ParseError(detail, "too_deep")


def _too_large(limit: int) -> TooLarge:
    detail = _("The body is larger than %(size)s MB.") % {"size": limit // (1024 * 1024)}
    return TooLarge(detail)
