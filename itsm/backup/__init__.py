"""One archive with all that can't be made again: the database and the attachments.

The archive is a gzip-compressed tar: `database.dump` (pg_dump's custom format), `attachments/...`,
and last `manifest.json` with versions, applied migrations and a SHA-256 of each member. The
configuration is rows of the database, so it is in there, too.
"""

from itsm.backup.archive import Archive, write_archive
from itsm.backup.database import BackupError, Database

__all__ = ["Archive", "BackupError", "Database", "write_archive"]
