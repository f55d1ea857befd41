"""Who may look into the mailbox."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from spine.people.models import User
from spine.people.policy import YES, Decision, no, rule
from spine.people.reach import reach_of
from spine.people.roles import Right


@rule("mailbox.read")
def read(user: User, _obj: Any) -> Decision:
    """It holds mail to other people: administrators and auditors read it, in the demo all staff
    but partners."""
    reach = reach_of(user)
    everywhere = reach.organizations(Right.DESK) is None
    if reach.has(Right.SETTINGS_READ) or (settings.DEMO and everywhere):
        return YES
    return no("role_required", _("The mailbox is open to administrators and auditors."))
