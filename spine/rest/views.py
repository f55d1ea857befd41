"""The base of every API view: sign-in, limits, one answer per Idempotency-Key, problems."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.views import APIView

from spine.rest import idempotency, ratelimit
from spine.rest.parsers import JSONParser
from spine.rest.rendering import JSONRenderer


def body_of(request: Request) -> Any:
    """The parsed body. Without one the REST framework gives an empty form, which a PATCH would
    take for a change of nothing."""
    if request.META.get("CONTENT_LENGTH") in (None, "", "0") and not request.headers.get(
        "Transfer-Encoding"
    ):
        raise exceptions.ParseError(_("The request has no body."), "required")
    return request.data


class RateLimited(exceptions.APIException):
    status_code = 429
    default_code = "rate_limited"


class ApiView(APIView):
    """Answers in JSON, counts against the caller's rate limit, and keeps POSTs idempotent."""

    renderer_classes = [JSONRenderer]  # noqa: RUF012 - the REST framework's own shape
    parser_classes = [JSONParser]  # noqa: RUF012
    # OPTIONS is left out: what it would tell, OpenAPI tells.
    http_method_names = ["get", "head", "post", "patch", "delete"]  # noqa: RUF012

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.format_kwarg = None
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(
            request
        )
        self.perform_authentication(request)
        # Before permissions, so that a program that is refused cannot ask without end.
        self._count(request)
        self.check_permissions(request)
        self._once(request)

    def _once(self, request: Request) -> None:
        """Puts this request's handler behind its Idempotency-Key, if it came with one."""
        handler = getattr(self, "post", None)
        if request.method != "POST" or handler is None:
            return
        key = idempotency.key_of(request)
        if key is not None:
            self.post = lambda *args, **kwargs: idempotency.answer_once(
                request, key, lambda: handler(*args, **kwargs)
            )

    def _count(self, request: Request) -> None:
        verdict = ratelimit.check(request)
        if verdict is None:
            return
        self.headers.update(verdict.headers())
        if not verdict.allowed:
            raise RateLimited(
                _("At most %(count)s requests a minute. Wait %(seconds)s seconds.")
                % {"count": verdict.limit, "seconds": verdict.reset}
            )
