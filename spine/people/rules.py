"""Rules over people themselves. Loaded when the app is ready."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from spine.people.models import User
from spine.people.policy import YES, Decision, no, rule
from spine.people.reach import reach_of
from spine.people.roles import Right


@rule("people.manage", "settings.write")
def manage(user: User, _obj: Any) -> Decision:
    if reach_of(user).has(Right.SETTINGS_WRITE):
        return YES
    return no("role_required", _("Only an administrator may do this."))


@rule("people.grant")
def grant(user: User, obj: Any) -> Decision:
    if not reach_of(user).has(Right.SETTINGS_WRITE):
        return no("role_required", _("Only an administrator may do this."))
    if isinstance(obj, User) and obj.pk == user.pk:
        return no("own_request", _("Nobody may give a role to themselves."))
    return YES


@rule("settings.read")
def read_settings(user: User, _obj: Any) -> Decision:
    if reach_of(user).has(Right.SETTINGS_READ):
        return YES
    return no("role_required", _("Settings are open to administrators and auditors."))


@rule("desk.open")
def desk(user: User, _obj: Any) -> Decision:
    if reach_of(user).is_staff:
        return YES
    return no("role_required", _("The desk is for staff. Your own tickets are in the portal."))


@rule("audit.read")
def audit(user: User, _obj: Any) -> Decision:
    if reach_of(user).has(Right.AUDIT_READ):
        return YES
    return no("role_required", _("The audit trail is open to auditors."))
