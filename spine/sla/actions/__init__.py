"""The writers of calendars and policies."""

from spine.sla.actions.calendars import (
    ImportedHolidays,
    create_calendar,
    import_holidays,
    remove_days,
    set_days,
    update_calendar,
)
from spine.sla.actions.policies import create_policy, order_policies, update_policy

__all__ = [
    "ImportedHolidays",
    "create_calendar",
    "create_policy",
    "import_holidays",
    "order_policies",
    "remove_days",
    "set_days",
    "update_calendar",
    "update_policy",
]
