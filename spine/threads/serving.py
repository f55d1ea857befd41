"""Sends an attachment so that nothing in it can run in this origin."""

from __future__ import annotations

from django.http import FileResponse
from django.utils.translation import gettext as _

from spine.kit.errors import DomainError
from spine.threads import storing
from spine.threads.models import Attachment
from spine.threads.sniffing import TEXT


class FileGone(DomainError):
    """The row is there and its file is not: a restore without the attachments' folder."""

    status = 410

    def __init__(self) -> None:
        super().__init__("file_gone", _("This file is no longer in the storage."))


def serve(attachment: Attachment, *, inline: bool) -> FileResponse:
    """The file's content. The caller has checked that the reader may see it (loading the scoped
    owner), and whether they may see `internal` ones.

    Only a verified image is ever shown in the page (`inline`); everything else is a download of
    the sniffed type, or of no type at all. The headers hold for each: no sniffing, no scripts, no
    use as a resource of another site.
    """
    shown = inline and attachment.is_image and attachment.width is not None
    try:
        file = storing.open_stored(attachment.storage_name)
    except FileNotFoundError as error:
        raise FileGone from error
    content_type = attachment.content_type
    if content_type == TEXT:
        content_type = "text/plain; charset=utf-8"
    response = FileResponse(
        file, as_attachment=not shown, filename=attachment.name, content_type=content_type
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, max-age=600"
    response["ETag"] = f'"{attachment.sha256}"'
    return response
