"""Times in addresses."""

from __future__ import annotations

from datetime import UTC, datetime

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


def parse(text: str) -> datetime:
    """An ISO 8601 date or time, UTC where it has no offset; ValidationError otherwise.

    A "+" that a client forgot to escape arrives as a blank; that much is forgiven.
    """
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
    except ValueError as error:
        raise ValidationError(
            _("Give a time such as 2026-01-31T09:00:00Z, or a date."), "invalid"
        ) from error
    if not 1 < moment.year < 9999:
        raise ValidationError(_("The year is out of range."), "out_of_range")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
