"""The mailbox page: what would have been sent, as its readers would see it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import nh3
from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from notify.models import MailboxMessage, OutgoingMail
from spine.ui.views import DeskView

PER_PAGE = 50
_MAX_ID = 2**63 - 1
_TAGS = {
    "p", "br", "hr", "h1", "h2", "h3", "ul", "ol", "li", "blockquote", "pre", "code", "em",
    "strong", "b", "i", "s", "a", "table", "thead", "tbody", "tr", "th", "td", "div", "span",
}  # fmt: skip


class Mailbox(DeskView):
    """GET `?q=` part of an address or a subject, `?before=` id: the next page, newest first."""

    verb = "mailbox.read"

    def get(self, request: HttpRequest) -> HttpResponse:
        text = request.GET.get("q", "").strip()[:100]
        rows = MailboxMessage.objects.all()
        if text:
            rows = rows.filter(Q(recipients__icontains=text) | Q(subject__icontains=text))
        before = request.GET.get("before", "")
        if before.isdecimal():
            rows = rows.filter(pk__lt=min(int(before), _MAX_ID))
        found = list(rows[: PER_PAGE + 1])
        shown = found[:PER_PAGE]
        return render(
            request,
            "notify/mailbox.html",
            {
                "rows": shown,
                "text": text,
                "next_url": _page(text, shown[-1].pk) if len(found) > PER_PAGE else "",
                "first_url": _page(text) if before else "",
                "to_server": bool(settings.EMAIL_URL),
                **_queue(),
            },
        )


def _page(text: str, before: int | None = None) -> str:
    query = {name: value for name, value in (("q", text), ("before", before)) if value}
    return f"?{urlencode(query)}" if query else reverse("notify:mailbox")


def _queue() -> dict[str, Any]:
    """What waits and what was given up, with the last reason."""
    failed = OutgoingMail.objects.filter(state=OutgoingMail.State.FAILED)
    return {
        "waiting": OutgoingMail.objects.filter(state=OutgoingMail.State.QUEUED).count(),
        "failed": failed.count(),
        "last_failed": failed.order_by("-id").first(),
    }


class MailboxRecord(DeskView):
    verb = "mailbox.read"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        message = get_object_or_404(MailboxMessage, pk=min(pk, _MAX_ID))
        return render(
            request,
            "notify/message.html",
            {
                "message": message,
                "html": harmless(message.html),
                "crumbs": [{"label": _("Mailbox"), "url": reverse("notify:mailbox")}],
            },
        )


def harmless(html: str) -> SafeString:
    """The mail's HTML without styles, pictures, scripts and forms: its words and links."""
    cleaned = nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        clean_content_tags={"script", "style", "title", "head"},
    )
    return mark_safe(cleaned)  # noqa: S308 - just cleaned
