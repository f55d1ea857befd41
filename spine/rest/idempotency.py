"""`Idempotency-Key`: the same request twice writes once and is answered alike.

The claim is a PostgreSQL advisory lock of the transaction that writes, and the stored answer is a
row of that same transaction. So a claim ends with its process, however that ends, and an answer
exists exactly when the write does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.http import HttpResponse
from django.utils.translation import gettext as _
from rest_framework.request import Request

from spine.kit.clock import now
from spine.kit.errors import Conflict, DomainError
from spine.rest.models import IdempotencyRecord
from spine.rest.rendering import canonical, dumps

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT_FOR = timedelta(days=1)
KEPT_HEADERS = ("Location", "ETag")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class StillRunning(Conflict):
    """The first request with this key has not been answered yet."""

    retry_after = 1

    def __init__(self) -> None:
        super().__init__(
            "idempotency_in_progress",
            _("The first request with this key is still running. Ask again in a moment."),
        )


def key_of(request: Request) -> str | None:
    """The key, without the quotes of the header's structured form; DomainError if it is unfit."""
    given = request.headers.get(HEADER)
    if given is None:
        return None
    key = given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given
    if not _KEY.fullmatch(key):
        raise DomainError(
            "bad_idempotency_key",
            _("The Idempotency-Key is 1 to 255 printable characters without blanks."),
        )
    return key


def answer_once(request: Request, key: str, handler: Callable[[], HttpResponse]) -> HttpResponse:
    """The handler's answer, or the stored one. An answer that is an error is not stored: the
    handler raised, the transaction is undone, and the key is free for another try."""
    user_id: int = request.user.pk  # type: ignore[assignment]  # signed in: see ScopePermission
    asked = f"{request.method} {request.path}"[:600]
    digest = digest_of(request.data)
    with transaction.atomic():
        if not _claim(user_id, key):
            raise StillRunning
        # A second statement on purpose: it must see what the holder before us has committed.
        kept = IdempotencyRecord.objects.filter(user_id=user_id, key=key).first()
        if kept is not None and kept.created_at > now() - KEPT_FOR:
            return _replay(kept, asked, digest)
        if kept is not None:
            kept.delete()
        response = handler()
        if response.status_code < 400:
            _keep(user_id, key, asked, digest, response)
    return response


def digest_of(data: Any) -> str:
    """Of the parsed body: the order of members and blanks make no difference, a file's bytes do."""
    if not hasattr(data, "lists"):
        return hashlib.sha256(canonical(data)).hexdigest()
    total = hashlib.sha256()
    for name, values in sorted(data.lists()):
        for value in values:
            total.update(canonical([name, getattr(value, "name", value)]))
            if hasattr(value, "chunks"):
                for chunk in value.chunks():
                    total.update(chunk)
                value.seek(0)
    return total.hexdigest()


def prune() -> int:
    """Deletes answers older than a day; how many."""
    gone, _rows = IdempotencyRecord.objects.filter(created_at__lt=now() - KEPT_FOR).delete()
    return gone


def _claim(user_id: int, key: str) -> bool:
    seed = hashlib.sha256(f"idempotency:{user_id}:{key}".encode()).digest()[:8]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(seed, "big", signed=True)]
        )
        return bool(cursor.fetchone()[0])


def _replay(kept: IdempotencyRecord, asked: str, digest: str) -> HttpResponse:
    if kept.request != asked or kept.digest != digest:
        raise Conflict(
            "idempotency_key_reused",
            _("This Idempotency-Key was used for another request. Choose a new one."),
        )
    return HttpResponse(
        bytes(kept.body), status=kept.status, headers={**kept.headers, REPLAYED: "true"}
    )


def _keep(user_id: int, key: str, asked: str, digest: str, response: HttpResponse) -> None:
    data = getattr(response, "data", None)
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    # A response of the REST framework gets its type when it is rendered, after this.
    headers["Content-Type"] = (
        "application/json" if data is not None else response.headers["Content-Type"]
    )
    IdempotencyRecord.objects.create(
        user_id=user_id,
        key=key,
        request=asked,
        digest=digest,
        status=response.status_code,
        headers=headers,
        body=dumps(data) if data is not None else bytes(response.content),
        created_at=now(),
    )
