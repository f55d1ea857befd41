"""Download of attachments: whoever may read the owner may read its files."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from spine.kit.errors import NotAllowed
from spine.people.models import User
from spine.people.policy import may
from spine.threads.models import Attachment
from spine.threads.serving import serve
from spine.tickets.models import Ticket


@login_required
@require_safe
def download(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """404 outside the owner's scope; 403 for a work note's file without the right to read notes."""
    user = cast(User, request.user)
    attachment = Attachment.objects.filter(uuid=uuid).first()
    if attachment is None:
        raise Http404
    owner = Ticket.objects.visible_to(user).filter(thread_id=attachment.thread_id).first()
    if owner is None:
        raise Http404
    if attachment.internal and not may(user, f"{owner.kind}.read_notes", owner):
        raise NotAllowed("role_required", _("Work notes are for staff."))
    return serve(attachment, inline="download" not in request.GET)
