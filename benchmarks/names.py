"""The rows of the table, in the order in which they are measured: readers before writers."""

ROWS = (
    *("floor", "list", "page", "record", "search", "growth", "visit", "memory"),
    *("create", "bulk", "import", "sweep", "due", "start"),
)
# The same at any size; measured once, at the smallest.
ONCE = frozenset({"visit", "memory", "start"})
