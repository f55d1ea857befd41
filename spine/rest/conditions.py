"""ETags and the requests that name them (RFC 9110): 304, and 412 for a lost update."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from django.utils.translation import gettext as _

from spine.kit.errors import DomainError
from spine.rest.rendering import canonical

_TAG = re.compile(r'\s*(?:W/)?("[\x21\x23-\x7e]*")\s*(?:,|$)')


class PreconditionFailed(DomainError):
    """If-Match names a version that is no longer the record's."""

    status = 412

    def __init__(self) -> None:
        super().__init__(
            "stale_version",
            _("The record has changed since you read it. Read it again and repeat your change."),
        )


def etag_of(record: dict[str, Any], version: int | None) -> str:
    """`"7"` for version 7 of a versioned record, else a digest of what is shown."""
    if version is not None:
        return f'"{version}"'
    return f'"{hashlib.sha256(canonical(record)).hexdigest()[:20]}"'


def tags(header: str | None) -> list[str] | None:
    """The quoted tags of If-Match or If-None-Match; None without one, ["*"] for any."""
    if header is None or not header.strip():
        return None
    if header.strip() == "*":
        return ["*"]
    return [found.group(1) for found in _TAG.finditer(header)]


def not_modified(header: str | None, etag: str) -> bool:
    listed = tags(header)
    return listed is not None and ("*" in listed or etag in listed)


def expected_version(header: str | None) -> int | None:
    """The version that If-Match asks for; the writer compares it under its lock.

    A list of several, or a tag that is no version, can match nothing that we wrote: 412.
    """
    listed = tags(header)
    if header is None or listed is None or listed == ["*"]:
        return None
    # If-Match compares strongly (a weak tag never matches), and a version is a few digits.
    plain = re.fullmatch(r'\s*"([0-9]{1,9})"\s*', header)
    if plain is None:
        raise PreconditionFailed
    return int(plain.group(1))
