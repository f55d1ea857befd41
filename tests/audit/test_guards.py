"""The trail refuses to be changed, and notes what was changed past the application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import Error, connection, transaction
from django.db.migrations.state import ProjectState

from spine.audit.models import Entry, EntryPersonal
from spine.audit.operations import operation
from spine.audit.personal import reveal
from spine.audit.triggers import AuditTable
from spine.people.models import Organization, User

pytestmark = pytest.mark.django_db


ERASING = "SELECT set_config('evenkeel.erasure', 'on', true);"
REBASING = "SELECT set_config('evenkeel.rebase', 'on', true);"


def record(mei: User, verb: str = "user.touched", **values: Any) -> Entry:
    with operation(mei, "test") as op:
        op.record(target=mei, verb=verb, **values)
    return Entry.objects.of_operation(op.id).get()


def sql(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET verb = 'user.other'",
        "UPDATE audit_entry SET actor_label = 'Somebody else'",
        "UPDATE audit_entry SET xid = xid + 1",
        "DELETE FROM audit_entry",
        "UPDATE {partition} SET data = '{{}}'",
        "DELETE FROM {partition}",
        f"{ERASING} UPDATE audit_entry SET actor_label = '', actor_salt = NULL, verb = 'x.y'",
        f"{ERASING} UPDATE audit_entry SET actor_label = 'Other'",
        f"{REBASING} UPDATE audit_entry SET xid = 1, target_id = 'x'",
    ],
)
def test_entries_refuse_to_change(mei: User, statement: str) -> None:
    entry = record(mei)
    partition = f"audit_entry_y{entry.at:%Ym%m}"
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        sql(statement.format(partition=partition))
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        Entry.objects.all().delete()
    assert Entry.objects.get(pk=entry.pk).verb == "user.touched"


@pytest.mark.parametrize("table", ["audit_entry", "audit_entry_default", "audit_seal"])
def test_truncate_is_refused_but_in_a_test_database(mei: User, table: str) -> None:
    record(mei)
    with transaction.atomic():
        sql(f"TRUNCATE {table}")
        transaction.set_rollback(True)
    name = connection.settings_dict["NAME"]
    assert name.startswith("test_")
    # The same guard under a name that no test database has.
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'audit_refuse'")
        source = cursor.fetchone()[0]
    real = source.replace("current_database()", "'evenkeel'")
    assert real != source
    head = "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS"
    sql(f"{head} $f${real}$f$")
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        sql(f"TRUNCATE {table}")


@pytest.fixture
def watched() -> Callable[..., AuditTable]:
    """Puts the triggers on a table for this test's transaction."""

    def put(table: str, **options: Any) -> AuditTable:
        # Deferred constraint events of the fixtures' rows would refuse the DDL.
        sql("SET CONSTRAINTS ALL IMMEDIATE")
        audit_table = AuditTable(table, **options)
        with connection.schema_editor(atomic=False) as editor:
            audit_table.database_forwards("people", editor, ProjectState(), ProjectState())
        return audit_table

    return put


ORGANIZATION = {"target_type": "people.organization", "label": "code"}


def test_a_row_changed_outside_is_noted_with_old_and_new(mei: User, watched: Any) -> None:
    watched("people_organization", **ORGANIZATION)
    sql("UPDATE people_organization SET name = 'Hacked' WHERE code = 'home'")
    entry = Entry.objects.for_target(mei.organization).get()
    assert (entry.verb, entry.source, entry.outside) == ("outside.updated", "outside", True)
    assert entry.changes == {"name": [mei.organization.name, "Hacked"]}
    assert (entry.actor, entry.operation, entry.target_label) == (None, None, "home")
    assert entry.actor_label == connection.settings_dict["USER"] == entry.data["role"]
    assert entry.data["table"] == "people_organization"


def test_inserted_and_deleted_rows_are_noted(mei: User, watched: Any) -> None:
    watched("people_organization", **ORGANIZATION)
    made = Organization.objects.create(code="ghost", name="Ghost")
    pk = made.pk
    Organization.objects.filter(code="ghost").delete()
    inserted, deleted = Entry.objects.filter(target_id=str(pk)).order_by("id")
    assert inserted.verb == "outside.inserted"
    assert inserted.changes["name"] == [None, "Ghost"]
    assert deleted.verb == "outside.deleted"
    assert deleted.changes["name"] == ["Ghost", None]


def test_inside_an_operation_nothing_is_noted_and_after_it_again(mei: User, watched: Any) -> None:
    watched("people_organization", **ORGANIZATION)
    with operation(mei, "x"):
        Organization.objects.filter(code="home").update(name="Proper")
    assert not Entry.objects.outside().exists()
    # Still the same transaction: the operation's mark must not outlive it.
    Organization.objects.filter(code="home").update(name="Improper")
    assert Entry.objects.outside().count() == 1


def test_an_operation_without_entries_or_failed_closes_its_mark(mei: User, watched: Any) -> None:
    watched("people_organization", **ORGANIZATION)
    with pytest.raises(ZeroDivisionError), operation(mei, "x"):
        raise ZeroDivisionError
    Organization.objects.filter(code="home").update(name="Improper")
    assert Entry.objects.outside().count() == 1


def test_unchanged_rows_and_excluded_columns_do_not_count(mei: User, watched: Any) -> None:
    watched("people_user", target_type="people.user", exclude=("last_login", "password"))
    sql("UPDATE people_user SET name = name")
    sql("UPDATE people_user SET last_login = now(), password = 'x'")
    assert not Entry.objects.outside().exists()
    sql("UPDATE people_user SET password = 'y', title = 'CEO' WHERE username = 'mei'")
    assert Entry.objects.outside().get().changes == {"title": ["", "CEO"]}


def test_a_mass_change_is_capped_and_summed_up(mei: User, watched: Any) -> None:
    with operation(mei, "x"):
        Organization.objects.bulk_create(
            Organization(code=f"o{number}", name="Many") for number in range(1200)
        )
    watched("people_organization", **ORGANIZATION)
    sql("UPDATE people_organization SET name = 'All' WHERE code LIKE 'o%%' AND name = 'Many'")
    outside = Entry.objects.outside()
    assert outside.filter(verb="outside.updated").count() == 1000
    summary = outside.get(verb="outside.many")
    assert (summary.data["rows"], summary.data["noted"]) == (1200, 1000)


def test_a_changed_key_shows_as_one_gone_and_one_new(mei: User, watched: Any) -> None:
    with operation(mei, "x"):
        made = Organization.objects.create(code="moved", name="Moved")
    watched("people_organization", **ORGANIZATION)
    sql("UPDATE people_organization SET id = 999999 WHERE code = 'moved'")
    verbs = dict(Entry.objects.outside().values_list("target_id", "verb"))
    assert verbs == {str(made.pk): "outside.deleted", "999999": "outside.inserted"}


def test_personal_columns_are_digested_and_kept_beside(mei: User, watched: Any) -> None:
    watched("people_user", target_type="people.user", label="username", personal=("email",))
    sql("UPDATE people_user SET email = 'evil@x.example' WHERE username = 'mei'")
    entry = Entry.objects.outside().get()
    assert "evil@x.example" not in str(entry.changes)
    assert EntryPersonal.objects.filter(entry_id=entry.pk, subject=str(mei.pk)).count() == 2
    reveal([entry])
    assert entry.changes["email"] == ["mei@x.example", "evil@x.example"]


def test_a_child_tables_row_is_labelled_by_its_parent(make_incident: Any, watched: Any) -> None:
    incident = make_incident()
    watched(
        "incidents_incident",
        target_type="tickets.ticket",
        pk="ticket_ptr_id",
        label="tickets_ticket.number",
    )
    sql("UPDATE incidents_incident SET close_notes = 'by hand'")
    entry = Entry.objects.for_target(incident).outside().get()
    assert entry.target_label == incident.number
    assert entry.changes == {"close_notes": ["", "by hand"]}


def test_a_truncated_table_is_noted(mei: User, watched: Any) -> None:
    watched("people_skill", target_type="people.skill")
    sql("TRUNCATE people_skill CASCADE")
    assert not Entry.objects.outside().exists(), "test databases are emptied all the time"
    sql("SELECT set_config('evenkeel.note_truncate', 'on', true)")
    sql("TRUNCATE people_skill CASCADE")
    assert Entry.objects.outside().get().verb == "outside.truncated"


def test_the_triggers_can_be_taken_off_again(mei: User, watched: Any) -> None:
    put = watched("people_organization", **ORGANIZATION)
    with connection.schema_editor(atomic=False) as editor:
        put.database_backwards("people", editor, ProjectState(), ProjectState())
    sql("UPDATE people_organization SET name = 'Quiet'")
    assert not Entry.objects.outside().exists()


def test_a_hostile_column_name_is_refused() -> None:
    with pytest.raises(ValueError, match="not a table or column"):
        AuditTable("people_user; DROP TABLE x", target_type="x")
