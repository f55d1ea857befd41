"""`manage.py upgrade_check`: each earlier release's data comes up to date and stays provable.

A release leaves a backup of its demo in deploy/releases/. Each is restored into a data folder of
its own, migrated by this version, and its audit trail proved.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

STEPS = (("migrate", "--no-input"), ("audit", "verify"), ("makemigrations", "--check"))


class Command(BaseCommand):
    help = "Restores the backup of each earlier release, migrates it and proves its audit trail."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        releases = sorted((Path(settings.BASE_DIR) / "deploy" / "releases").glob("*.tar.gz"))
        if not releases:
            self.stdout.write("No release has been made yet: there is nothing to upgrade from.")
            return
        for release in releases:
            with tempfile.TemporaryDirectory(prefix="upgrade-") as folder:
                self._check(release, folder)
            self.stdout.write(self.style.SUCCESS(f"{release.name}: upgraded and proved"))

    def _check(self, release: Path, folder: str) -> None:
        environment = {**os.environ, "ITSM_DATA_DIR": folder}
        environment.pop("DATABASE_URL", None)
        environment.pop("REDIS_URL", None)
        for step in (("restore", str(release)), *STEPS):
            done = subprocess.run(
                [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), *step],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                lines = (done.stderr or done.stdout).strip().splitlines()
                reason = lines[-1] if lines else "no word"
                raise CommandError(f"{release.name}: {step[0]} failed: {reason}")
