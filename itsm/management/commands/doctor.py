"""`manage.py doctor`: what is wrong and how to mend it; exit code 1 when anything failed."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from itsm.doctor import CHECKS, State, examine


class Command(BaseCommand):
    help = "Check database, broker, workers, beat, queue, mail, storage, clock and migrations."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="machine-readable answer")
        parser.add_argument(
            "--only", action="append", choices=[name for name, _ in CHECKS], help="this check"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = examine(options["only"] or ())
        healthy = all(finding.state != State.FAILED for _, finding in found)
        if options["json"]:
            checks = [finding.as_dict(name) for name, finding in found]
            self.stdout.write(json.dumps({"ok": healthy, "checks": checks}, indent=2))
        else:
            paint = {
                State.OK: self.style.SUCCESS,
                State.WARNING: self.style.WARNING,
                State.FAILED: self.style.ERROR,
            }
            for name, finding in found:
                self.stdout.write(
                    f"{paint[finding.state](f'{finding.state:<8}')}{name:<11}{finding.detail}"
                )
                if finding.fix:
                    self.stdout.write(f"{'':<8}{'':<11}-> {finding.fix}")
        if not healthy:
            sys.exit(1)
