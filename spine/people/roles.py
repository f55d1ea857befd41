"""Roles and the rights each carries: the table "Who may what" of the domain, as data.

A right is a coarse capability; a rule in an app's `policy.py` combines it with the record's facts.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    CALLER = "caller", _("Caller")
    AGENT = "agent", _("Agent")
    LEAD = "lead", _("Team lead")
    CHANGE_MANAGER = "change_manager", _("Change manager")
    CMDB_MANAGER = "cmdb_manager", _("CMDB manager")
    RISK_MANAGER = "risk_manager", _("Risk manager")
    APPROVER = "approver", _("Approver")
    EXECUTIVE = "executive", _("Executive")
    AUDITOR = "auditor", _("Auditor")
    ADMIN = "admin", _("Administrator")
    PARTNER = "partner", _("Partner")


class Right(StrEnum):
    DESK = "desk"  # the desk's pages
    TICKETS_READ = "tickets.read"  # every ticket in reach, not only one's own
    TICKETS_WORK = "tickets.work"
    TICKETS_BULK = "tickets.bulk"
    TICKETS_FOR_OTHERS = "tickets.for_others"
    NOTES_READ = "notes.read"
    NOTES_WRITE = "notes.write"
    RESTRICTED_READ = "restricted.read"
    MAJORS_READ = "majors.read"
    MAJORS_MANAGE = "majors.manage"
    PEOPLE_READ = "people.read"
    SETTINGS_READ = "settings.read"
    SETTINGS_WRITE = "settings.write"
    TEAM_SETTINGS = "settings.team"
    AUDIT_READ = "audit.read"
    EXPORT = "export"


_AGENT: Final = frozenset(
    {
        Right.DESK,
        Right.TICKETS_READ,
        Right.TICKETS_WORK,
        Right.TICKETS_FOR_OTHERS,
        Right.NOTES_READ,
        Right.NOTES_WRITE,
        Right.PEOPLE_READ,
        Right.EXPORT,
    }
)

RIGHTS: Final[dict[Role, frozenset[Right]]] = {
    Role.CALLER: frozenset(),
    Role.AGENT: _AGENT,
    Role.LEAD: _AGENT | {Right.TICKETS_BULK, Right.MAJORS_MANAGE, Right.TEAM_SETTINGS},
    Role.CHANGE_MANAGER: _AGENT,
    Role.CMDB_MANAGER: _AGENT,
    Role.RISK_MANAGER: _AGENT,
    Role.APPROVER: frozenset(),
    Role.EXECUTIVE: frozenset({Right.MAJORS_READ}),
    Role.AUDITOR: frozenset(
        {
            Right.DESK,
            Right.TICKETS_READ,
            Right.NOTES_READ,
            Right.RESTRICTED_READ,
            Right.MAJORS_READ,
            Right.PEOPLE_READ,
            Right.SETTINGS_READ,
            Right.AUDIT_READ,
            Right.EXPORT,
        }
    ),
    Role.ADMIN: frozenset(
        {
            Right.DESK,
            Right.TICKETS_READ,
            Right.NOTES_READ,
            Right.PEOPLE_READ,
            Right.SETTINGS_READ,
            Right.SETTINGS_WRITE,
            Right.TEAM_SETTINGS,
            Right.EXPORT,
        }
    ),
    # A partner works as an agent does; the grant's organization keeps it inside its own.
    Role.PARTNER: _AGENT,
}
