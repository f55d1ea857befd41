"""Tables whose rows may change through an operation only; anything else is noted as evidence.

In a migration of the app that owns the table (it depends on ("audit", "0001_initial")):

    operations = [
        AuditTable("tickets_ticket", target_type="tickets.ticket", label="number"),
        AuditTable("incidents_incident", target_type="tickets.ticket", pk="ticket_ptr_id",
                   label="tickets_ticket.number"),
        AuditTable("people_user", target_type="people.user", label="username",
                   exclude=("password", "last_login"), personal=("name", "email", "phone")),
    ]
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState

_NAME = re.compile(r"^[a-z_][a-z0-9_]*$")
# One trigger per event: PostgreSQL allows transition tables on single-event triggers only.
_EVENTS = {
    "insert": "REFERENCING NEW TABLE AS new_rows",
    "update": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "REFERENCING OLD TABLE AS old_rows",
    "truncate": "",
}


class AuditTable(Operation):
    """Statement-level triggers on one table that write "outside.inserted / updated / deleted /
    truncated" entries for rows changed with no operation open.

    table: its name in the database. target_type: as `target_of` gives it ("tickets.ticket").
    pk: the primary key column. label: the column that names the row, "" for none, or
    "table.column" to look it up by the same id in the parent's table. exclude: columns whose
    changes do not count (secrets, derived text, what the application writes with no operation).
    personal: columns noted as digests, with the value erasable beside the entry.
    """

    reversible = True
    reduces_to_sql = True
    category = OperationCategory.SQL

    def __init__(
        self,
        table: str,
        *,
        target_type: str,
        pk: str = "id",
        label: str = "",
        exclude: Sequence[str] = (),
        personal: Sequence[str] = (),
    ) -> None:
        for name in (table, pk, *filter(None, label.split(".")), *exclude, *personal):
            if not _NAME.match(name):
                raise ValueError(f"AuditTable: {name!r} is not a table or column name.")
        self.table, self.target_type, self.pk, self.label = table, target_type, pk, label
        self.exclude, self.personal = tuple(exclude), tuple(personal)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (
            type(self).__name__,
            [self.table],
            {
                "target_type": self.target_type,
                "pk": self.pk,
                "label": self.label,
                "exclude": self.exclude,
                "personal": self.personal,
            },
        )

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Triggers are no part of the model state."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        arguments = ", ".join(
            f"'{text}'"
            for text in (
                self.target_type.replace("'", "''"),
                self.pk,
                self.label,
                ",".join(self.exclude),
                ",".join(self.personal),
            )
        )
        for event, tables in _EVENTS.items():
            schema_editor.execute(
                f"CREATE OR REPLACE TRIGGER audit_outside_{event} AFTER {event.upper()} "
                f'ON "{self.table}" {tables} FOR EACH STATEMENT '
                f"EXECUTE FUNCTION audit_note_outside({arguments})"
            )

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        for event in _EVENTS:
            schema_editor.execute(f'DROP TRIGGER IF EXISTS audit_outside_{event} ON "{self.table}"')

    def describe(self) -> str:
        return f"Note changes of {self.table} made outside the application"

    @property
    def migration_name_fragment(self) -> str:
        return f"audit_{self.table}"
