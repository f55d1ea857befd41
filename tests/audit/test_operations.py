"""An operation: one id, one transaction, its entries together at the end."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.translation import gettext_lazy

from spine.audit.models import Entry
from spine.audit.operations import current_operation, operation, working_from
from spine.people.models import Organization, User
from tests.audit.contract import assert_audited

pytestmark = pytest.mark.django_db


def test_entry_says_who_what_and_whence(mei: User) -> None:
    with operation(mei, "organization.rename", source="api") as op:
        op.record(
            target=mei.organization,
            verb="organization.renamed",
            changes={"name": ["Old", gettext_lazy("Impact")], "cost": [Decimal("1.50"), None]},
            data={"by": mei, "ref": uuid.UUID(int=7)},
        )
    entry = assert_audited(mei.organization, "organization.renamed", actor=mei, source="api")
    assert (entry.actor_label, entry.target_type) == ("Mei Chen", "people.organization")
    assert entry.target_label == mei.organization.name
    assert entry.changes == {"name": ["Old", "Impact"], "cost": ["1.50", None]}
    assert entry.data == {"by": mei.pk, "ref": str(uuid.UUID(int=7))}
    assert entry.operation == op.id
    assert entry.xid > 0


def test_nested_operations_share_id_and_are_written_in_order(mei: User, jonas: User) -> None:
    with operation(mei, "outer", source="portal") as outer:
        outer.record(target=mei, verb="user.first")
        with operation(jonas, "inner") as inner:
            inner.record(target=mei, verb="user.second")
            assert current_operation() == outer.id
        outer.record(target=mei, verb="user.third")
        assert not Entry.objects.for_target(mei).exists()
    entries = list(Entry.objects.of_operation(outer.id))
    assert [entry.verb for entry in entries] == ["user.first", "user.second", "user.third"]
    assert [entry.pk for entry in entries] == sorted(entry.pk for entry in entries)
    assert [entry.actor for entry in entries] == [mei, jonas, mei]
    assert {entry.source for entry in entries} == {"portal"}
    assert current_operation() is None


def test_a_failed_operation_leaves_neither_row_nor_entry(mei: User) -> None:
    def fail() -> None:
        with operation(mei, "fails") as op:
            Organization.objects.create(code="gone", name="Gone")
            op.record(target=mei, verb="user.never")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not Organization.objects.filter(code="gone").exists()
    assert not Entry.objects.filter(verb="user.never").exists()


def test_entries_of_a_savepoint_that_rolled_back_go_with_it(mei: User) -> None:
    """The per-row mode of a bulk call: each row in its own savepoint, one operation around."""
    with operation(mei, "bulk") as outer:
        outer.record(target=mei, verb="user.before")
        for number in range(4):
            try:
                with transaction.atomic(), operation(mei, "row") as inner:
                    row = Organization.objects.create(code=f"o{number}", name=str(number))
                    inner.record(target=row, verb="organization.created")
                    if number == 1:
                        raise ValueError
                if number == 2:
                    with transaction.atomic():
                        # Recorded by an operation that ended well, undone by the savepoint around.
                        with operation(mei, "row") as inner:
                            inner.record(target=row, verb="organization.undone")
                        raise ValueError
            except ValueError:
                pass
        outer.record(target=mei, verb="user.after")
    entries = list(Entry.objects.of_operation(outer.id))
    assert [(entry.verb, entry.target_label) for entry in entries] == [
        ("user.before", "mei"),
        ("organization.created", "0"),
        ("organization.created", "2"),
        ("organization.created", "3"),
        ("user.after", "mei"),
    ]


def test_an_operation_that_failed_inside_a_transaction_can_be_survived(mei: User) -> None:
    with pytest.raises(ZeroDivisionError), operation(mei, "fails"):
        raise ZeroDivisionError
    with operation(mei, "works") as op:
        op.record(target=mei, verb="user.works")
    assert_audited(mei, "user.works")


@pytest.mark.django_db(transaction=True)
def test_cost_is_one_query_to_open_and_one_to_write(mei: User) -> None:
    with CaptureQueriesContext(connection) as queries, operation(mei, "many") as op:
        for number in range(50):
            op.record(target=mei, verb="user.touched", data={"number": number})
    statements = [query["sql"].split()[0] for query in queries.captured_queries]
    assert statements == ["BEGIN", "SELECT", "INSERT", "COMMIT"]


def test_a_child_goes_by_its_parent(make_incident: Any, mei: User) -> None:
    incident = make_incident()
    with operation(mei, "x") as op:
        op.record(target=incident, verb="incident.touched")
        op.record(target=incident.ticket_ptr, verb="incident.seen")
    entries = list(Entry.objects.for_target(incident).filter(operation=op.id))
    assert [entry.verb for entry in entries] == ["incident.touched", "incident.seen"]
    assert {entry.target_label for entry in entries} == {incident.number}


def test_source_comes_from_the_door_unless_given(mei: User) -> None:
    with working_from("mail"), operation(mei, "x") as op:
        op.record(target=mei, verb="user.mailed")
    assert_audited(mei, "user.mailed", source="mail")
    with pytest.raises(ValueError, match="unknown source"):
        operation(mei, "x", source="nowhere")


def test_misuse_is_told_at_once(mei: User) -> None:
    with pytest.raises(ValueError, match="not saved"):
        operation(User(username="nobody"), "x")
    with operation(mei, "x") as op:
        with pytest.raises(ValueError, match="not saved"):
            op.record(target=Organization(name="new"), verb="organization.created")
        with pytest.raises(TypeError):
            op.record(target="INC001", verb="incident.created")
    with pytest.raises(RuntimeError, match="ended"):
        op.record(target=mei, verb="user.late")
