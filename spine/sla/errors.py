"""What the arithmetic refuses, said so that the person who set the calendar can mend it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from spine.kit.errors import DomainError


class CalendarNeverOpens(DomainError):
    """A target can't be reached: the calendar has no working time for years."""

    def __init__(self, calendar: str) -> None:
        message = _("The calendar “%(name)s” has no working time in the next 10 years.")
        super().__init__("calendar_never_opens", message % {"name": calendar}, "calendar")


class OutOfRange(DomainError):
    """An instant lies outside the years that calendars are computed for (1900 to 2199)."""

    def __init__(self, field: str | None = None) -> None:
        super().__init__(
            "time_out_of_range",
            _("The time lies outside the years 1900 to 2199."),
            field,
        )


class BadHours(DomainError):
    """Working hours that can't be read; `field` says which day."""

    def __init__(self, message: str, field: str | None) -> None:
        super().__init__("bad_hours", message, field)
