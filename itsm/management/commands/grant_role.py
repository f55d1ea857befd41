"""`manage.py grant_role USER ROLE`: gives a role, on the audit trail, until it has its page."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from spine.kit.clock import now
from spine.kit.errors import DomainError
from spine.people import actions
from spine.people.models import Organization, User
from spine.people.roles import Role


class Command(BaseCommand):
    help = "Gives a role to a person, for one organization or all, for some days or for good."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name")
        parser.add_argument("role", choices=Role.values)
        parser.add_argument("--organization", metavar="CODE", help="only there (default: all)")
        parser.add_argument("--days", type=int, help="how long (default: for good)")
        parser.add_argument("--reason", default="", help="why, for the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.people().filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        organization = None
        if options["organization"]:
            organization = Organization.objects.filter(code=options["organization"]).first()
            if organization is None:
                raise CommandError(f"There is no organization {options['organization']!r}.")
        if options["days"] is not None and options["days"] < 1:
            raise CommandError("--days takes a whole number from 1.")
        ends_at = now() + timedelta(days=options["days"]) if options["days"] else None
        try:
            actions.grant(
                actor=User.objects.system(),
                user=user,
                role=options["role"],
                organization=organization,
                ends_at=ends_at,
                reason=options["reason"],
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{user.username} is now {options['role']}.")
