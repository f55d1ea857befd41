"""Sign-in with user name or address and password."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.hashers import check_password, make_password
from django.http import HttpRequest

from spine.people.models import User

# Checked when the name is unknown, so that the answer takes as long as with a wrong password.
_NOBODY = make_password("nobody")


class PeopleBackend:
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **_credentials: Any,
    ) -> User | None:
        if not username or not password or "\x00" in username:
            return None
        user: User | None = User.objects.filter(username=username.strip()).first()
        if user is None and "@" in username:
            matches = list(User.objects.filter(email__iexact=username.strip())[:2])
            user = matches[0] if len(matches) == 1 else None
        if user is None:
            check_password(password, _NOBODY)
            return None
        if user.check_password(password) and user.is_active and not user.is_system:
            return user
        return None

    def get_user(self, user_id: int) -> User | None:
        found: User | None = (
            User.objects.select_related("organization")
            .filter(pk=user_id, is_active=True, is_system=False)
            .first()
        )
        return found
