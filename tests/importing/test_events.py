"""Several rows per ticket: what becomes the record, what becomes history, and again."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incidents.models import Incident
from spine.audit.models import Entry
from spine.people.models import Team, User
from spine.search.models import Document
from spine.tickets.importing.mapping import Mapping, parse
from spine.tickets.importing.runs import Summary
from spine.tickets.models import HistoryEvent, ImportRun, TicketClock
from tests.importing.conftest import EVENTS, event, everything, life

pytestmark = pytest.mark.django_db

Load = Callable[..., Summary]
Write = Callable[..., Path]


def test_the_last_event_is_the_record(write: Write, load: Load) -> None:
    summary = load(write(*life("T1", room="4.2", problem="P9")))
    assert (summary.created, summary.rejected) == (1, 0)
    incident = Incident.objects.get(external_source="other-desk", external_id="T1")
    assert incident.number.startswith("INC")
    assert incident.title == "Network / Cable"
    assert (incident.state, incident.active) == ("closed", False)
    assert incident.assignment_group is not None
    assert incident.assignment_group.name == "Group 2"
    assert incident.assignee is not None
    assert incident.assignee.name == "Resolver 1"
    assert incident.resolved_at == datetime(2016, 3, 1, 12, tzinfo=UTC)
    assert incident.close_code == "solved"
    assert incident.breached
    assert incident.custom == {"room": "4.2"}
    assert list(incident.references.values_list("relation", "external_id")) == [("problem", "P9")]
    assert not TicketClock.objects.filter(ticket_id=incident.pk).exists()
    assert Document.objects.filter(object_id=incident.pk, external_id="T1").exists()
    entry = Entry.objects.get(verb="incident.imported", target_id=str(incident.pk))
    assert entry.data == {"source": "other-desk", "external_id": "T1", "events": 5}
    assert entry.source == "import"


def test_history_tells_who_had_it_in_which_state_and_no_outcome_early(
    write: Write, load: Load
) -> None:
    load(write(*life("T1")))
    events = list(HistoryEvent.objects.order_by("position"))
    assert [e.state_label for e in events] == [
        "New", "Active", "Awaiting User Info", "Resolved", "Closed",
    ]  # fmt: skip
    assert events[0].verb == "opened"
    assert events[0].changes["assignment_group"] == [None, "Group 1"]
    assert events[1].changes == {
        "state": ["new", "in_progress"],
        "assignment_group": ["Group 1", "Group 2"],
        "assignee": [None, "Resolver 1"],
    }
    assert events[2].changes == {
        "state": ["in_progress", "on_hold"],
        "hold_reason": [None, "awaiting_caller"],
    }
    assert events[1].actor_label == "Clerk"
    assert events[1].at == datetime(2016, 3, 1, 10, tzinfo=UTC)
    known_then = {name for e in events for name in e.changes}
    assert not known_then & {"resolved_at", "closed_at", "close_code"}


def test_people_are_leavers_who_cannot_sign_in(write: Write, load: Load) -> None:
    load(write(*life("T1")))
    caller = User.objects.get(external_source="other-desk", external_id="Caller 1")
    assert not caller.is_active
    assert not caller.has_usable_password()
    assert caller.username.startswith("other-desk.caller-1.")
    assert Team.objects.filter(name__in=["Group 1", "Group 2"]).count() == 2


def test_junk_state_keeps_the_one_before(write: Write, load: Load) -> None:
    load(write(event(mod=0), event(mod=1, state="Active"), event(mod=2, state="-100")))
    incident = Incident.objects.get()
    assert incident.state == "in_progress"
    last = HistoryEvent.objects.get(position=3)
    assert last.state_label == "-100"
    assert "state" not in last.changes


def test_shuffled_and_spread_rows_give_the_same(write: Write, load: Load) -> None:
    rows = [row for n in range(30) for row in life(f"T{n}", caller=f"Caller {n % 7}")]
    load(write(*rows))
    in_order = everything()
    Incident.objects.all().delete()
    HistoryEvent.objects.all().delete()
    random.Random(7).shuffle(rows)
    again = load(write(*rows, name="shuffled.csv"))
    assert again.created == 30
    assert everything() == in_order


def test_events_of_the_same_number_and_minute_have_one_order(write: Write, load: Load) -> None:
    twins = [event(mod=3, group=f"Group {n}") for n in range(6)]
    load(write(*twins))
    first = everything()
    Incident.objects.all().delete()
    load(write(*reversed(twins), name="back.csv"))
    assert everything() == first


def test_a_repeated_event_is_told_and_changes_nothing(write: Write, load: Load) -> None:
    rows = life("T1")
    summary = load(write(*rows, rows[1], rows[1]))
    assert summary.rejected == 2
    assert HistoryEvent.objects.count() == 5
    assert "Line 3 is the same event." in summary.first_rejects[0][1]


def test_a_second_run_changes_nothing(write: Write, load: Load) -> None:
    path = write(*life("T1"), *life("T2"))
    load(path)
    before = (everything(), Entry.objects.count(), User.objects.count())
    summary = load(path)
    assert (summary.created, summary.updated, summary.unchanged) == (0, 0, 2)
    assert (everything(), Entry.objects.count(), User.objects.count()) == before


def test_an_extended_file_updates_only_what_changed(
    write: Write, load: Load, agent: User, make_user: Callable[..., User]
) -> None:
    from incidents.actions import update_incident

    load(write(*life("T1"), event("T2"), event("T3")))
    untouched = Incident.objects.get(external_id="T3")
    ours = Incident.objects.get(external_id="T2")
    update_incident(ours, actor=agent, values={"title": "Our own words", "impact": 1})
    summary = load(
        write(*life("T1"), event("T2"), event("T2", 1, "Active", group="Group 9"), event("T3"),
              event("T4"), name="later.csv")
    )  # fmt: skip
    assert (summary.created, summary.updated, summary.unchanged) == (1, 1, 2)
    ours.refresh_from_db()
    assert ours.state == "in_progress"
    assert ours.assignment_group is not None
    assert ours.assignment_group.name == "Group 9"
    # What was changed here and not there stays.
    assert (ours.title, ours.impact) == ("Our own words", 1)
    assert HistoryEvent.objects.filter(ticket_id=ours.pk).count() == 2
    entry = Entry.objects.get(verb="incident.import_updated")
    assert entry.changes["state"] == ["new", "in_progress"]
    same = Incident.objects.get(external_id="T3")
    assert (same.pk, same.version, same.updated_at) == (
        untouched.pk, untouched.version, untouched.updated_at,
    )  # fmt: skip


def test_only_open_ones_are_timed(write: Write, load: Load, system: User) -> None:
    from spine.sla.defaults import ensure_defaults

    ensure_defaults(system)
    load(write(*life("T1"), event("T2"), event("T3", state="Resolved")))
    assert set(TicketClock.objects.values_list("ticket__external_id", flat=True)) == {"T2"}
    open_one = Incident.objects.get(external_id="T2")
    clock = TicketClock.objects.get(ticket_id=open_one.pk, metric="resolution")
    assert clock.started_at == open_one.opened_at
    assert open_one.due_at == clock.due_at


def test_dry_run_writes_nothing_and_counts_the_same(write: Write, load: Load) -> None:
    path = write(*life("T1"), event("T2", state="Broken"))
    dry = load(path, dry_run=True)
    assert not Incident.objects.exists()
    assert not ImportRun.objects.exists()
    assert not Team.objects.filter(name="Group 1").exists()
    wet = load(path)
    assert (dry.created, dry.rejected) == (wet.created, wet.rejected) == (1, 1)


def test_a_matrix_of_its_own_stands_as_an_override(write: Write, load: Load) -> None:
    text = EVENTS.replace(
        "  caller:", "  priority: {matrix: [[1, 2, 3], [2, 3, 4], [3, 4, 4]]}\n  caller:"
    )
    own: Mapping = parse(text.encode())
    load(write(event(impact="3 - Low", urgency="3 - Low"), event("T2")), mapping=own)
    low, usual = Incident.objects.order_by("external_id")
    assert (low.priority, low.priority_reason) == (4, "As other-desk had it.")
    assert (usual.priority, usual.priority_reason) == (3, "")


def test_people_of_our_directory_are_recognised(write: Write, load: Load, caller: User) -> None:
    own = parse((EVENTS + "people: {match: email}\n").encode())
    load(write(event(caller="Caller@Example.com")), mapping=own)
    assert Incident.objects.get().caller == caller


def test_another_import_of_the_source_is_refused_while_one_runs(
    write: Write, load: Load, django_db_blocker: object
) -> None:
    import psycopg2
    from django.db import connection

    from spine.kit.errors import Conflict

    other = psycopg2.connect(**connection.get_connection_params())
    try:
        with other.cursor() as cursor:
            cursor.execute(
                "select pg_advisory_lock(hashtextextended('evenkeel.import.other-desk', 0))"
            )
        with pytest.raises(Conflict, match="running"):
            load(write(event()))
        # Let go in words: after a mere close the server may hold it for another moment.
        with other.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock_all()")
    finally:
        other.close()
    assert load(write(event())).created == 1
