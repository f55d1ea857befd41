"""The API's description: OpenAPI for programs, and a page made of it for people.

The page is rendered here, as the Content-Security-Policy lets in no foreign script and no inline
one, which the usual viewers need. It holds no data, so it is open without signing in.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from drf_spectacular.generators import SchemaGenerator

from spine.rest.problems import kind_of
from spine.rest.rendering import dumps

OPENAPI = "application/vnd.oai.openapi+json"
STATUSES = (400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 429, 500, 503)
DEPTH = 4
# How many choices a type names; the schema has them all.
TYPE_WORDS = 6


@lru_cache(maxsize=8)
def openapi(language: str) -> dict[str, Any]:
    """The document in this language. It follows from the code alone, so it is made once."""
    with override(language):
        made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        made["servers"] = [{"url": "/"}]
        return made


def _language() -> str:
    return get_language() or settings.LANGUAGE_CODE


@require_GET
def schema(request: HttpRequest) -> HttpResponse:
    return HttpResponse(dumps(openapi(_language())), content_type=OPENAPI)


@require_GET
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html", {"groups": _groups(_language())})


@require_GET
def problems_guide(request: HttpRequest) -> HttpResponse:
    words = _meanings()
    rows = [
        {
            "anchor": kind_of(status)[0],
            "status": status,
            "title": kind_of(status)[1],
            "text": words[status],
        }
        for status in STATUSES
    ]
    return render(request, "api/problems.html", {"problems": rows})


@lru_cache(maxsize=8)
def _groups(language: str) -> list[dict[str, Any]]:
    """[{name, operations: [{method, path, summary, parameters, body, example, ...}]}]"""
    document = openapi(language)
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            told = _operation(document, path, method, operation)
            groups.setdefault(operation["tags"][0], []).append(told)
    return [{"name": name, "operations": rows} for name, rows in groups.items()]


def _operation(
    document: dict[str, Any], path: str, method: str, operation: dict[str, Any]
) -> dict[str, Any]:
    body = _example(document, operation)
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "parameters": [
            {
                "name": one["name"],
                "place": one["in"],
                "type": _type_of(document, one["schema"]),
                "text": one.get("description", ""),
                "required": one.get("required", False),
            }
            for one in operation["parameters"]
        ],
        "fields": _fields(document, operation),
        "curl": _curl(path, method, body, operation),
        "statuses": sorted(operation["responses"]),
    }


def _fields(document: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for media in operation.get("requestBody", {}).get("content", {}).values():
        shape = _resolved(document, media["schema"])
        required = set(shape.get("required", ()))
        found += [
            {
                "name": name,
                "type": _type_of(document, one),
                "text": one.get("description", ""),
                "required": name in required,
            }
            for name, one in shape.get("properties", {}).items()
        ]
    return found


def _curl(path: str, method: str, body: Any, operation: dict[str, Any]) -> str:
    address = path.replace("{key}", _sample_key(path))
    lines = [
        f"curl -X {method.upper()} {settings.BASE_URL}{address}",
        '  -H "Authorization: Token $TOKEN"',
    ]
    content = operation.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        lines.append("  -F file=@screenshot.png")
    elif content:
        lines.append('  -H "Content-Type: application/json"')
        lines.append(f"  -d '{json.dumps(body, ensure_ascii=False)}'")
    return " \\\n".join(lines)


def _sample_key(path: str) -> str:
    return "INC0010001" if "/incidents/" in path else "9a1c3f0e-6d2b-4c52-9a6e-0a7c5f1d2e3b"


def _example(document: dict[str, Any], operation: dict[str, Any]) -> Any:
    """What a request may look like: the declared example, else the required members."""
    for media in operation.get("requestBody", {}).get("content", {}).values():
        if "example" in media:
            return media["example"]
        return _sample(document, media["schema"], 0)
    return None


def _sample(document: dict[str, Any], schema: dict[str, Any], depth: int) -> Any:
    shape = _resolved(document, schema)
    for key in ("oneOf", "anyOf"):
        if key in shape:
            return _sample(document, shape[key][0], depth)
    if "enum" in shape:
        return shape["enum"][0]
    kind = shape.get("type")
    if kind == "object" and depth < DEPTH:
        names = shape.get("required") or list(shape.get("properties", {}))[:1]
        return {name: _sample(document, shape["properties"][name], depth + 1) for name in names}
    if kind == "array":
        return [_sample(document, shape["items"], depth + 1)]
    return {"integer": 1, "boolean": True, "object": {}}.get(str(kind), _("text"))


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].split("/")[-1]]
        return found
    return schema


def _type_of(document: dict[str, Any], schema: dict[str, Any]) -> str:
    shape = _resolved(document, schema)
    if "enum" in shape:
        shown = [str(value) for value in shape["enum"][:TYPE_WORDS]]
        return " | ".join([*shown, "…"] if len(shape["enum"]) > TYPE_WORDS else shown)
    for key in ("oneOf", "anyOf"):
        if key in shape:
            parts = dict.fromkeys(_type_of(document, one) for one in shape[key])
            return " | ".join(parts)
    kind = shape.get("type", "")
    if isinstance(kind, list):
        return " | ".join(kind)
    if kind == "array":
        return f"[{_type_of(document, shape['items'])}]"
    return str(shape.get("format") or kind)


def _meanings() -> dict[int, str]:
    return {
        400: _("Something in the request is wrong; “errors” names each field and why."),
        401: _("Send a token or sign in. A token may have expired or been revoked."),
        403: _("You may see this record, but not do this; “detail” tells why."),
        404: _("There is no such record, or it lies outside of what you may see."),
        405: _("This address does not take this method; “Allow” lists those it takes."),
        406: _("The answer is JSON; the Accept header rules that out."),
        409: _("The record's present state refuses it, or the key belongs to another request."),
        412: _("Somebody changed the record since you read it. Read it again."),
        413: _("The body or the file is larger than is accepted."),
        415: _("Send JSON, or multipart where a file is expected."),
        429: _("Wait as long as Retry-After says."),
        500: _("The fault is ours and has been logged."),
        503: _("The database was too slow or cannot be reached. Narrow the question or wait."),
    }
