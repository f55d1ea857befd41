"""The columns that the floor's list and the raw SQL read alike: what a list shows of a ticket."""

COLUMNS = (
    *("uuid", "number", "kind", "title", "state", "active", "impact", "urgency", "priority"),
    *("caller_id", "organization_id", "assignment_group_id", "assignee_id", "service_id"),
    *("channel", "opened_at", "updated_at", "due_at", "breached", "version"),
)
