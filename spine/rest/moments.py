"""Times in addresses."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

_SHAPE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?([Zz]|[+ -][0-9]{2}:[0-9]{2})?)?"
)


EARLIEST, LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def parse(text: str) -> datetime:
    """An ISO 8601 date or time in UTC, and UTC where it has no offset; ValidationError otherwise.

    A "+" that a client forgot to escape arrives as a blank; that much is forgiven.
    """
    text = text.strip()
    if not _SHAPE.fullmatch(text):
        raise _unreadable()
    text = text.upper()
    if len(text) > 16 and text[-6] == " ":
        text = f"{text[:-6]}+{text[-5:]}"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _unreadable() from error
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        # In the first or the last hours that a datetime can name, the offset leads out of range.
        return EARLIEST if moment.year == 1 else LATEST


def _unreadable() -> ValidationError:
    return ValidationError(_("Give a time such as 2026-01-31T09:00:00Z, or a date."), "invalid")
