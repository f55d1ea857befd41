"""What the writers share: one lock, versions, and text that the database can hold."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from django.db.models import Max
from django.utils.translation import gettext as _

from spine.kit.clock import now
from spine.kit.errors import Conflict, DomainError, StaleVersion
from spine.sla.errors import OutOfRange
from spine.sla.models import Calendar, Policy, Revision, Target
from spine.sla.querysets import load_work_calendar


def lock_configuration() -> None:
    """Waits for other writers of calendars and policies.

    Every write moves the one revision row anyway; taking it first keeps two writers from waiting
    for each other, and makes checks such as "is this name free" hold until the commit.
    """
    Revision.objects.get_or_create(id=1)
    Revision.objects.select_for_update().get(id=1)


def check_version(row: Calendar | Policy, version: int | None) -> None:
    """Raises `StaleVersion` unless the caller saw the version that is stored (None: any)."""
    if version is not None and row.version != version:
        raise StaleVersion(_("Somebody else has changed it meanwhile."), current=row.version)


def check_name(model: type[Calendar | Policy], name: object, own_id: int | None = None) -> str:
    """The name, trimmed. Raises `DomainError` if it is empty, too long or taken."""
    text = clean_text(name, "name", 200)
    if not text:
        raise DomainError("required", _("Give it a name."), "name")
    others = model._default_manager.filter(name=text)
    if own_id is not None:
        others = others.exclude(pk=own_id)
    if others.exists():
        raise Conflict("name_taken", _("This name is taken."), "name")
    return text


def clean_text(value: object, field: str, longest: int) -> str:
    """Text on one line. Raises `DomainError`."""
    if not isinstance(value, str):
        raise DomainError("wrong_type", _("Give a text."), field)
    text = value.strip()
    if len(text) > longest:
        message = _("At most %(count)d characters.") % {"count": longest}
        raise DomainError("too_long", message, field)
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise DomainError("bad_character", _("The text has characters that can't be kept."), field)
    return text


def clean_translations(value: object) -> dict[str, str]:
    """{language code: name}. Raises `DomainError`."""
    if not isinstance(value, Mapping) or len(value) > 20:
        raise DomainError("wrong_type", _("Give names by language."), "translations")
    return {
        clean_text(language, "translations", 16): clean_text(name, "translations", 200)
        for language, name in value.items()
    }


def check_targets_are_reachable(calendar: Calendar) -> None:
    """Raises `DomainError` if a target of the calendar's policies would never run out, so that
    it is refused here and not when a ticket is opened. Call when all is stored."""
    longest = Target.objects.filter(policy__calendar=calendar).aggregate(most=Max("seconds"))
    if longest["most"] is None:
        return
    try:
        load_work_calendar(calendar.pk).add(now(), longest["most"])
    except OutOfRange:
        message = _("With these hours the longest target would not run out before 2200.")
        raise DomainError("target_too_long", message, "targets") from None


def apply_changes(row: Calendar | Policy, values: Mapping[str, Any]) -> dict[str, Any]:
    """Sets the attributes that differ; returns {field: [old, new]}."""
    changes = {}
    for field, value in values.items():
        old = getattr(row, field)
        if old != value:
            setattr(row, field, value)
            changes[field] = [_plain(old), _plain(value)]
    return changes


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Calendar) else value
