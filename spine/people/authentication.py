"""Who calls the API: a token or the browser's session; and whether the token's scope allows it."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request

from spine.kit.clock import now
from spine.kit.db import columns_of, instance_of
from spine.people.models import ApiToken, Organization, User

KEYWORDS = ("token", "bearer")
# Written at most this often, so that a busy script does not update its row on each call.
LAST_USED_STEP = timedelta(minutes=5)


def digest(key: str) -> str:
    """Keys are 256 random bits, so a plain SHA-256 is enough: there is nothing to guess."""
    return hashlib.sha256(key.encode()).hexdigest()


def _find(wanted: str) -> ApiToken | None:
    """The token with its user and their organization, in one query."""
    models = (ApiToken, User, Organization)
    columns = [columns_of(model, alias) for model, alias in zip(models, "tuo", strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(columns)} FROM people_apitoken t "  # noqa: S608 - columns of models
            "JOIN people_user u ON u.id = t.user_id "
            "JOIN people_organization o ON o.id = u.organization_id WHERE t.digest = %s",
            [wanted],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    widths = [len(model._meta.concrete_fields) for model in models]
    token = instance_of(ApiToken, row[: widths[0]])
    token.user = instance_of(User, row[widths[0] : -widths[2]])
    token.user.organization = instance_of(Organization, row[-widths[2] :])
    return token


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Token ...` (or Bearer)."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        header = authentication.get_authorization_header(request)
        words = header.decode("latin-1").split()
        if not words or words[0].lower() not in KEYWORDS:
            return None
        if len(words) != 2:
            raise exceptions.AuthenticationFailed(_("The Authorization header is not well formed."))
        moment = now()
        token = _find(digest(words[1]))
        if token is None or token.revoked_at is not None or not token.user.is_active:
            raise exceptions.AuthenticationFailed(_("This token is not valid."))
        if token.expires_at is not None and token.expires_at <= moment:
            raise exceptions.AuthenticationFailed(_("This token has expired."), "token_expired")
        if token.last_used_at is None or moment - token.last_used_at > LAST_USED_STEP:
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=moment)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Token realm="api"'


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's own session, with the CSRF check that goes with it."""


class ScopePermission(permissions.BasePermission):
    """Signed in; and a token with scope `read` reads only."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            return False
        token = request.auth
        if (
            isinstance(token, ApiToken)
            and token.scope == ApiToken.Scope.READ
            and request.method not in permissions.SAFE_METHODS
        ):
            raise exceptions.PermissionDenied(_("This token may only read."), "token_read_only")
        return True
