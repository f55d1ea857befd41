"""Every error of the API as RFC 9457 `application/problem+json`.

{type, title, status, detail, code, errors?: [{field, code, detail}]}. `type` is the address of its
description in the API guide; `code` is the machine's name, which stays when sentences change.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.db import DataError, Error, InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from spine.kit.db import QueryTooSlow, is_timeout
from spine.kit.errors import DomainError, InvalidInput, StaleVersion
from spine.rest.rendering import dumps

logger = logging.getLogger("evenkeel.rest")

CONTENT_TYPE = "application/problem+json"
TYPE_BASE = "/api/docs/problems/#"
_BEGINNING = f'{{"type":"{TYPE_BASE}'.encode()
# PostgreSQL's classes of "try that again": serialization, deadlock, lock timeout.
RETRY_STATES = {"40001", "40P01", "55P03"}
UNIQUE_VIOLATION = "23505"
# A foreign key, a check, an exclusion: two writers met, or a rule that only the database holds.
REFUSED_BY_CONSTRAINT = {"23503", "23514", "23P01"}


def kind_of(status: int) -> tuple[str, str, str]:
    """(anchor in the guide, title, code when nothing more exact is known) of a status."""
    kinds = {
        400: ("invalid", _("The request is not valid"), "invalid"),
        401: ("not-authenticated", _("Sign in first"), "not_authenticated"),
        403: ("not-allowed", _("Not allowed"), "not_allowed"),
        404: ("not-found", _("Not found"), "not_found"),
        405: ("method", _("Method not allowed"), "method_not_allowed"),
        406: ("not-acceptable", _("Not acceptable"), "not_acceptable"),
        409: ("conflict", _("Conflict"), "conflict"),
        412: ("stale-version", _("Changed in the meantime"), "stale_version"),
        413: ("too-large", _("Too large"), "too_large"),
        415: ("media-type", _("Media type not supported"), "unsupported_media_type"),
        429: ("rate-limit", _("Too many requests"), "rate_limited"),
        503: ("unavailable", _("Not available now"), "unavailable"),
    }
    if status in kinds:
        return kinds[status]
    if status < 500:
        return kinds[400]
    return "internal", _("Something went wrong here"), "internal_error"


class TooLarge(exceptions.APIException):
    status_code = 413
    default_code = "too_large"


def body(
    status: int, code: str, detail: str, errors: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """The problem's members, in the order in which a person reads them."""
    anchor, title, default_code = kind_of(status)
    problem: dict[str, Any] = {
        "type": TYPE_BASE + anchor,
        "title": title,
        "status": status,
        "detail": detail or title,
        "code": code or default_code,
    }
    if errors:
        problem["errors"] = list(errors)
    return problem


def of_domain(error: DomainError) -> dict[str, Any]:
    """The problem of an error that an action raised."""
    errors = [_item(one) for one in error.errors] if isinstance(error, InvalidInput) else []
    if not errors and error.field:
        errors = [_item(error)]
    several = len(errors) > 1 and error.code == errors[0]["code"]
    if several:
        problem = body(error.status, "invalid", _summary(errors), errors)
    else:
        problem = body(error.status, error.code, error.message, errors)
    if isinstance(error, StaleVersion):
        problem["current_version"] = error.current
    return problem


def of_exception(error: Exception) -> tuple[dict[str, Any], dict[str, str]] | None:
    """(problem, headers) of anything a request may cause; None where the fault is ours."""
    if isinstance(error, DomainError):
        wait = getattr(error, "retry_after", None)
        return of_domain(error), {"Retry-After": str(wait)} if wait else {}
    if isinstance(error, exceptions.APIException):
        return _of_api(error)
    if isinstance(error, Http404):
        return body(404, "not_found", _("There is no such record, or it is not yours to see.")), {}
    if isinstance(error, PermissionDenied):
        return body(403, "not_allowed", str(error)), {}
    if isinstance(error, ValidationError):
        return _of_validation(error), {}
    if isinstance(error, RequestDataTooBig):
        return body(413, "too_large", _("The request is larger than is accepted.")), {}
    if isinstance(error, (SuspiciousOperation, BadRequest)):
        return body(400, "bad_request", _("The request is not well formed.")), {}
    if isinstance(error, RecursionError):
        return body(400, "too_deep", _("The request is nested too deeply.")), {}
    if isinstance(error, Error):
        return _of_database(error)
    return None


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Django REST framework's hook. None lets the fault rise, to be logged and answered as 500."""
    found = of_exception(error)
    if found is None:
        return None
    set_rollback()
    problem, headers = found
    if problem["status"] >= 500:
        logger.warning("%s: %s", problem["code"], error)
    return Response(problem, status=problem["status"], headers=headers, content_type=CONTENT_TYPE)


def response(problem: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> HttpResponse:
    """The same outside of a REST framework view (middleware, a handler of unknown paths)."""
    return HttpResponse(
        dumps(problem),
        status=int(problem["status"]),
        content_type=CONTENT_TYPE,
        headers=dict(headers or {}),
    )


def is_ours(response: HttpResponse) -> bool:
    """Whether the answer is a problem that this module wrote (its type comes first)."""
    return not response.streaming and response.content.startswith(_BEGINNING)


def flatten(detail: Any, field: str = "") -> Iterator[dict[str, str]]:
    """The REST framework's nested error details as a flat list; rows and objects join with dots."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            plain = str(name) == "non_field_errors"
            yield from flatten(inner, field if plain else f"{field}.{name}".lstrip("."))
    elif isinstance(detail, (list, tuple)):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, (Mapping, list, tuple))
            yield from flatten(inner, f"{field}.{index}".lstrip(".") if nested else field)
    else:
        yield {
            "field": field,
            "code": str(getattr(detail, "code", "invalid")),
            "detail": str(detail),
        }


def _item(error: DomainError) -> dict[str, str]:
    return {"field": error.field or "", "code": error.code, "detail": error.message}


def _of_api(error: exceptions.APIException) -> tuple[dict[str, Any], dict[str, str]]:
    headers: dict[str, str] = {}
    # The REST framework's own handler reads the same two attributes.
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(challenge)
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(max(1, int(wait)))
    status = error.status_code
    if isinstance(error, exceptions.ValidationError):
        errors = list(flatten(error.detail))
        first = errors[0] if errors else {"code": "invalid", "detail": ""}
        code = "invalid" if len(errors) > 1 else first["code"]
        return body(status, code, _summary(errors), errors), headers
    detail = error.detail
    code = getattr(detail, "code", None) or error.default_code
    if isinstance(error, exceptions.ParseError) and code == "parse_error":
        code = "malformed"
    return body(status, str(code), str(detail)), headers


def _summary(errors: Sequence[Mapping[str, str]]) -> str:
    if not errors:
        return ""
    first = errors[0]
    if len(errors) == 1:
        return f"{first['field']}: {first['detail']}" if first["field"] else first["detail"]
    return _("%(count)s inputs are not valid.") % {"count": len(errors)}


def _of_validation(error: ValidationError) -> dict[str, Any]:
    if hasattr(error, "error_dict"):
        errors = [
            {"field": "" if name == "__all__" else name, "code": one.code or "invalid", "detail": m}
            for name, many in error.error_dict.items()
            for one in many
            for m in one.messages
        ]
    else:
        errors = [
            {"field": "", "code": one.code or "invalid", "detail": message}
            for one in error.error_list
            for message in one.messages
        ]
    return body(400, errors[0]["code"] if len(errors) == 1 else "invalid", _summary(errors), errors)


def _of_database(error: Error) -> tuple[dict[str, Any], dict[str, str]] | None:
    if isinstance(error, DataError):
        return body(400, "out_of_range", _("A value cannot be stored as it is.")), {}
    code = getattr(error.__cause__, "pgcode", None)
    if code == UNIQUE_VIOLATION:
        return body(409, "taken", _("There is one with this name or key already.")), {}
    if code in REFUSED_BY_CONSTRAINT:
        return body(409, "conflict", _("The values do not fit what is stored.")), {}
    if is_timeout(error):
        return of_domain(QueryTooSlow()), {}
    if code in RETRY_STATES:
        detail = _("Somebody else is changing the same records. Try again.")
        return body(503, "busy", detail), {"Retry-After": "1"}
    if isinstance(error, (OperationalError, InterfaceError)):
        detail = _("The database cannot be reached at the moment.")
        return body(503, "database_unavailable", detail), {"Retry-After": "5"}
    return None
