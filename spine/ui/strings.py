"""What the scripts say, in the reader's language: one JSON object in a <meta> of the page."""

from __future__ import annotations

import json

from django.utils.translation import gettext as _

from spine.ui import times


def for_scripts() -> str:
    """JSON for `<meta name="ui-strings">`; static/src/js/strings.js reads it by key."""
    return json.dumps(times.phrases() | _messages(), ensure_ascii=False, separators=(",", ":"))


def _messages() -> dict[str, str]:
    return {
        "undo": _("Undo"),
        "close": _("Close"),
        "retry": _("Try again"),
        "undone": _("Undone"),
        "draft": _("Draft kept"),
        "draft_restored": _("Draft restored"),
        "discard": _("Discard"),
        "remove": _("Remove %(name)s"),
        "too_big": _("Larger than %(size)s, not added"),
        "uploading": _("Sending %(percent)s%%"),
        "fresh": _("%(n)s new"),
        "selected": _("%(n)s selected"),
        "updated": _("Updated %(ago)s"),
        "paused": _("Paused: no connection"),
        "no_match": _("Nothing found"),
        "searching": _("Searching…"),
        "type_more": _("Type to search"),
        "create": _("Add “%(text)s”"),
        "err_network": _("No connection to the server."),
        "err_network_hint": _("What you typed is kept. Try again when you are back online."),
        "err_403": _("You may not do that."),
        "err_404": _("This is no longer here."),
        "err_409": _("Someone else changed this meanwhile."),
        "err_409_hint": _("What you typed is kept. Reload to see their change."),
        "err_413": _("The file is too large."),
        "err_429": _("Too many requests at once."),
        "err_429_hint": _("Wait a moment and try again."),
        "err_500": _("Something broke on our side."),
        "err_500_hint": _("Nothing was saved, and what you typed is kept. It has been reported."),
        "err_session": _("You have been signed out."),
        "err_session_hint": _("Sign in again in another tab, then repeat this."),
        "leave": _("You have unsaved changes."),
    }
