"""`manage.py messages sync | check | compile`: both languages complete, with Python alone."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from itsm import messages


class Command(BaseCommand):
    help = "Keeps the message catalogues complete (sync), proves it (check), compiles them."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("step", choices=["sync", "check", "compile"])

    def handle(self, *args: Any, **options: Any) -> None:
        if options["step"] == "sync":
            for language, left in messages.synchronize(settings.BASE_DIR).items():
                self.stdout.write(f"{language}: {left} to translate")
        elif options["step"] == "compile":
            self.stdout.write(f"{messages.compile_catalogues()} messages compiled")
        else:
            lines = messages.problems(settings.BASE_DIR)
            for line in lines[:50]:
                self.stderr.write(line)
            if lines:
                raise CommandError(f"{len(lines)} problems: run `manage.py messages sync`.")
            self.stdout.write("Every string stands in both languages.")
