"""The demo accounts, as the sign-in page and the start-up lines show them."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

PASSWORD = "demo"  # noqa: S105 - printed on the page; these accounts exist in the demo alone


@dataclass(frozen=True, slots=True)
class DemoAccount:
    username: str
    role: str
    does: Promise


DEMO_ACCOUNTS = (
    DemoAccount("agent", "agent", _("works tickets")),
    DemoAccount("lead", "lead", _("leads the service desk")),
    DemoAccount("caller", "caller", _("reports in the portal")),
    DemoAccount("auditor", "auditor", _("reads everything, changes nothing")),
    DemoAccount("admin", "admin", _("people, settings, tokens")),
    DemoAccount("change.manager", "change_manager", _("changes")),
    DemoAccount("cmdb.manager", "cmdb_manager", _("configuration items")),
    DemoAccount("risk.manager", "risk_manager", _("risks")),
    DemoAccount("approver", "approver", _("decides what is asked")),
    DemoAccount("partner", "partner", _("works in another organization")),
    DemoAccount("exec", "executive", _("looks once a month")),
)
