"""`manage.py restore FILE`: the reverse of `backup`, all or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from itsm.backup import Archive, BackupError, Database
from spine.audit.sealing import seal_pending
from spine.threads import installation
from spine.threads.folder import holds_files


class Command(BaseCommand):
    help = "Replace database and attachments by those of an archive that `backup` made."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--force", action="store_true", help="overwrite what is there")

    def handle(self, *args: Any, **options: Any) -> None:
        source: Path = options["file"].resolve()
        attachments = Path(settings.MEDIA_ROOT)
        connection.ensure_connection()  # starts an embedded server
        connection.close()
        database = Database.of(connection.settings_dict)
        try:
            with Archive(source, attachments=attachments) as archive:
                _refuse_newer(archive)
                if others := database.other_sessions():
                    raise CommandError(
                        f"{others} other sessions use the database: stop the platform first."
                    )
                full = holds_files(attachments)
                if not options["force"] and (full or not database.is_empty()):
                    raise CommandError("There is data here already: --force overwrites it.")
                # The files first: their swap can be undone, the database's commit can't.
                with archive.swapped_attachments():
                    database.replace_with(archive.dump)
        except BackupError as error:
            raise CommandError(str(error)) from error
        _forget_cached()
        # An older backup is brought to the present schema.
        call_command("migrate", interactive=False, verbosity=0)
        installation.take_over(attachments)
        # Lifts the audit trail over the transaction ids of this cluster before anybody writes.
        seal_pending()
        self.stdout.write(f"Restored from {source} (made {archive.manifest['made_at']}).")


def _refuse_newer(archive: Archive) -> None:
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    unknown = sorted(set(archive.manifest.get("migrations", [])) - known)
    if unknown:
        raise CommandError(
            f"The backup was made by another version (it has {unknown[0]}): use that version."
        )


def _forget_cached() -> None:
    # Not cache.clear(): that empties the whole Redis, which others may share.
    client = cache._cache.get_client(None, write=True)  # type: ignore[attr-defined]
    for key in client.scan_iter(f"{settings.REDIS_PREFIX}:*", count=1000):
        client.delete(key)
