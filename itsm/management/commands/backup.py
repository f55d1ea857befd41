"""`manage.py backup FILE`: database and attachments in one archive, while the platform runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from itsm.backup import BackupError, Database, write_archive
from spine.audit.sealing import seal_pending


class Command(BaseCommand):
    help = "Write database and attachments into one archive (tar.gz)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = options["file"].resolve()
        if not target.parent.is_dir():
            raise CommandError(f"{target.parent} does not exist.")
        # Transaction ids begin anew in another cluster: only a sealed trail can be lifted there.
        seal_pending()
        applied = sorted(f"{a}.{n}" for a, n in MigrationRecorder(connection).applied_migrations())
        with connection.cursor() as cursor:
            cursor.execute("show server_version")
            (server,) = cursor.fetchone()
        facts = {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "postgres": server,
            "django": django.get_version(),
            "migrations": applied,
        }
        try:
            manifest = write_archive(
                target,
                database=Database.of(connection.settings_dict),
                attachments=Path(settings.MEDIA_ROOT),
                facts=facts,
            )
        except BackupError as error:
            raise CommandError(str(error)) from error
        size = target.stat().st_size / 1048576
        files = len(manifest["sha256"]) - 1
        self.stdout.write(f"{target}: the database and {files} attachments, {size:.1f} MB.")
