"""The writers of comments, attachments and watchers.

Called inside the owner's open operation, with the owner's row locked and the right checked: the
entry in the audit trail is the owner's ("incident.commented"), so none is written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from spine.kit.clock import now
from spine.kit.errors import Conflict, DomainError
from spine.people.models import User
from spine.threads import installation, storing
from spine.threads.models import Attachment, Comment, Thread
from spine.threads.naming import clean_name

MAX_BODY = 100_000
MAX_FILES = 200  # of one thread


def add_comment(
    *,
    actor: User,
    thread: Thread,
    body: str,
    visibility: str,
    files: Sequence[UploadedFile[bytes]] = (),
    channel: str = "web",
    automatic: bool = False,
    at: datetime | None = None,
) -> Comment:
    """A reply or a work note in Markdown. The body may be empty only where there are files; files
    of a work note are for those who read work notes. at: the moment it was said elsewhere."""
    if visibility not in Comment.Visibility.values:
        raise DomainError("invalid_choice", _("There is no such choice."), "visibility")
    text = clean_body(body, required=not files)
    # Refused before the first of several files is copied.
    for file in files:
        storing.check_size(file)
    made = Comment.objects.create(
        thread=thread,
        visibility=visibility,
        author=actor,
        body=text,
        automatic=automatic,
        channel=channel,
        created_at=at or now(),
    )
    internal = visibility == Comment.Visibility.NOTE
    for file in files:
        store_attachment(actor=actor, thread=thread, file=file, comment=made, internal=internal)
    return made


def clean_body(body: str, *, required: bool = True) -> str:
    """The text with Unix line ends and without outer blank lines."""
    if not isinstance(body, str):
        raise DomainError("invalid", _("This is a text."), "body")
    text = body.replace("\r\n", "\n").replace("\r", "\n").strip("\n").rstrip()
    if required and not text.strip():
        raise DomainError("required", _("Write something first."), "body")
    if len(text) > MAX_BODY:
        raise DomainError(
            "too_long", _("At most %(count)d characters.") % {"count": MAX_BODY}, "body"
        )
    if "\x00" in text:
        raise DomainError("invalid", _("The text holds a NUL character."), "body")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        # Half of a surrogate pair, which JSON can spell and no text column can hold.
        raise DomainError("invalid", _("The text holds a broken character."), "body") from error
    return text


def store_attachment(
    *,
    actor: User,
    thread: Thread,
    file: UploadedFile[bytes],
    comment: Comment | None = None,
    internal: bool = False,
) -> Attachment:
    """Keeps the file octet by octet as it was sent (it may be evidence, and its hash is compared
    with the sender's), under a name of our own; what it is is told from its content."""
    storing.check_size(file)
    # The lock makes the count of files exact whoever else attaches to this thread now.
    Thread.objects.select_for_update().get(pk=thread.pk)
    if Attachment.objects.filter(thread=thread).count() >= MAX_FILES:
        raise Conflict(
            "too_many_files",
            _("There are %(count)d files here already, which is the most.") % {"count": MAX_FILES},
            "files",
        )
    name = clean_name(file.name or "")
    stored = storing.store(file, name)
    # Not before: the id made in a transaction that is rolled back is nobody's.
    transaction.on_commit(_claim_folder, robust=True)
    return Attachment.objects.create(
        thread=thread,
        comment=comment,
        internal=internal,
        uploaded_by=actor,
        name=name,
        content_type=stored.kind.content_type,
        size=stored.size,
        sha256=stored.sha256,
        storage_name=stored.storage_name,
        width=stored.kind.width,
        height=stored.kind.height,
        created_at=now(),
    )


def _claim_folder() -> None:
    installation.claim(storing.root())


def remove_attachment(*, actor: User, attachment: Attachment) -> None:
    """The row goes now, the file when that has committed. The owner checks the right and records
    who removed what."""
    del actor  # an argument of every writer; the owner's entry names it
    storage_name = attachment.storage_name
    Attachment.objects.filter(pk=attachment.pk).delete()
    transaction.on_commit(lambda: storing.discard(storage_name), robust=True)
