"""`manage.py create_token USER --scope read|write`: prints the token as its last word."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from spine.kit.clock import now
from spine.kit.errors import DomainError
from spine.people.actions import create_token
from spine.people.models import ApiToken, User

MAX_DAYS = 3_650


class Command(BaseCommand):
    help = "Makes an API token for a person. It is shown once: only its digest is kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", metavar="USER", help="user name")
        parser.add_argument(
            "--scope", choices=ApiToken.Scope.values, default=ApiToken.Scope.READ.value
        )
        parser.add_argument("--days", type=int, metavar="N", help="it expires after so many days")
        parser.add_argument("--name", default="command line", help="what it is for")

    def handle(self, *_args: Any, **options: Any) -> None:
        days = options["days"]
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--days must be 1 to {MAX_DAYS}.")
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user “{options['user']}”.")
        if not user.is_active or user.is_system:
            raise CommandError(f"“{user.username}” can't sign in, so a token would open nothing.")
        try:
            _token, key = create_token(
                actor=User.objects.system(),
                user=user,
                name=options["name"],
                scope=options["scope"],
                expires_at=now() + timedelta(days=days) if days is not None else None,
            )
        except DomainError as error:
            raise CommandError(str(error)) from error
        until = f" for {days} days" if days is not None else ""
        self.stdout.write(f"Token of {user.username} ({options['scope']}){until}: {key}")
