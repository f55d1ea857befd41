"""The two clocks of a ticket: started, paused, re-targeted, stopped, and their stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from incidents import actions
from incidents.models import Incident
from spine.audit.models import Entry
from spine.people.models import User
from spine.sla.actions import create_calendar, create_policy, set_days
from spine.sla.models import Calendar
from spine.tickets import clocks, sweeping
from spine.tickets.models import ClockStage, Ticket, TicketClock
from tests.contracts.tickets import race

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday
HOUR = 3600
Make = Callable[..., Incident]


@pytest.fixture
def calendar(admin: User) -> Calendar:
    hours = ["09:00-12:00", "13:00-18:00"]
    return create_calendar(
        actor=admin,
        name="Office",
        zone="UTC",
        week=dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), hours),
    )


@pytest.fixture
def policy(admin: User, calendar: Calendar) -> Any:
    return create_policy(
        actor=admin,
        name="Incidents",
        ticket_kind="incident",
        calendar=calendar,
        pause_reasons=["awaiting_caller"],
        targets=[
            {"metric": "response", "priority": None, "seconds": 1 * HOUR},
            {"metric": "resolution", "priority": 1, "seconds": 2 * HOUR},
            {"metric": "resolution", "priority": None, "seconds": 8 * HOUR},
        ],
    )


@pytest.fixture
def at() -> Iterator[Callable[[datetime], None]]:
    """Sets the present moment."""
    traveller = time_machine.travel(START, tick=False)
    clock = traveller.start()
    yield clock.move_to
    traveller.stop()


def clock_of(incident: Ticket, metric: str = "resolution") -> TicketClock:
    return TicketClock.objects.get(ticket_id=incident.pk, metric=metric)


def test_both_clocks_start_with_the_ticket(policy: Any, at: Any, make_incident: Make) -> None:
    incident = make_incident()
    assert clock_of(incident, "response").due_at == START + timedelta(hours=1)
    # 8 hours from 09:00 with a lunch break end at 18:00.
    assert clock_of(incident).due_at == incident.due_at == START.replace(hour=18)
    assert clock_of(incident).wake_at == START.replace(hour=14)  # 50% of 8 h, lunch between


def test_without_a_policy_nothing_is_promised(make_incident: Make) -> None:
    incident = make_incident()
    assert incident.due_at is None
    assert not TicketClock.objects.exists()


def test_a_human_reply_of_staff_stops_the_response(
    policy: Any, at: Any, make_incident: Make, agent: User, caller: User
) -> None:
    incident = make_incident()
    at(START + timedelta(minutes=10))
    actions.comment_on(incident, actor=caller, body="Please hurry.")
    actions.comment_on(incident, actor=agent, body="psst", visibility="note")
    assert clock_of(incident, "response").stopped_at is None
    actions.comment_on(incident, actor=agent, body="We are on it.")
    assert clock_of(incident, "response").stopped_at == START + timedelta(minutes=10)


def test_an_automatic_reply_stops_nothing(
    policy: Any, at: Any, make_incident: Make, agent: User
) -> None:
    from spine.tickets.actions import comment

    incident = make_incident()
    comment(incident, actor=agent, body="We have received it.", automatic=True)
    assert clock_of(incident, "response").stopped_at is None


def test_work_stops_the_response_and_late_is_late(
    policy: Any, at: Any, make_incident: Make, agent: User
) -> None:
    incident = make_incident()
    at(START + timedelta(minutes=61))
    incident = actions.move_incident(incident, "start", actor=agent)
    assert incident.response_breached
    assert not incident.breached
    assert clock_of(incident, "response").breached_at == START + timedelta(hours=1)


def test_holding_for_the_caller_pauses_and_resuming_goes_on(
    policy: Any, at: Any, make_incident: Make, agent: User, caller: User
) -> None:
    incident = make_incident()
    at(START + timedelta(hours=1))
    incident = actions.move_incident(
        incident,
        "hold",
        actor=agent,
        values={"hold_reason": "awaiting_caller", "comment": "Which shop?"},
    )
    assert incident.due_at is None
    assert clock_of(incident).due_at is None
    at(START + timedelta(days=1, hours=1))
    # What the response clock had reached before the question stopped it, nothing of the paused one.
    assert sweeping.sweep(actor=agent) == 2
    assert set(ClockStage.objects.values_list("clock__metric", "percent")) == {
        ("response", 50),
        ("response", 75),
    }
    incident.refresh_from_db()
    assert (incident.breached, incident.response_breached) == (False, False)
    actions.comment_on(incident, actor=caller, body="Brno")
    incident.refresh_from_db()
    # One hour was worked before the pause; seven are left from Tuesday 10:00: 10-12, 13-18.
    assert incident.due_at == datetime(2026, 3, 3, 18, 0, tzinfo=UTC)


def test_a_reason_that_the_policy_does_not_name_pauses_nothing(
    policy: Any, at: Any, make_incident: Make, agent: User
) -> None:
    incident = actions.move_incident(
        make_incident(), "hold", actor=agent, values={"hold_reason": "awaiting_vendor"}
    )
    assert incident.due_at == START.replace(hour=18)


def test_a_new_priority_targets_from_the_original_start(
    policy: Any, at: Any, make_incident: Make, agent: User
) -> None:
    incident = make_incident()
    at(START + timedelta(minutes=30))
    incident = actions.update_incident(incident, actor=agent, values={"impact": 1, "urgency": 1})
    assert incident.priority == 1
    assert incident.due_at == START + timedelta(hours=2)


def test_a_priority_changed_while_paused_keeps_the_pause(
    policy: Any, at: Any, make_incident: Make, agent: User, caller: User
) -> None:
    incident = make_incident()
    at(START + timedelta(minutes=30))
    hold = {"hold_reason": "awaiting_caller", "comment": "Which shop?"}
    incident = actions.move_incident(incident, "hold", actor=agent, values=hold)
    at(START + timedelta(hours=2))
    incident = actions.update_incident(incident, actor=agent, values={"impact": 1, "urgency": 1})
    assert incident.due_at is None
    at(START + timedelta(hours=4))  # 13:00
    incident = actions.move_incident(incident, "resume", actor=agent)
    # 2 h target, half an hour worked: an hour and a half from 13:00.
    assert incident.due_at == START.replace(hour=14, minute=30)


def test_time_spent_resolved_counts_as_paused(
    policy: Any, at: Any, make_incident: Make, agent: User, caller: User
) -> None:
    incident = make_incident()
    at(START + timedelta(hours=2))
    solved = {"close_code": "solution_provided", "close_notes": "Done"}
    incident = actions.move_incident(incident, "resolve", actor=agent, values=solved)
    at(START + timedelta(days=2))  # Wednesday 09:00
    sweeping.sweep(actor=agent)
    assert not ClockStage.objects.filter(clock__metric="resolution").exists()
    incident = actions.move_incident(
        incident, "reopen", actor=caller, values={"comment": "Still broken"}
    )
    # Two hours were worked; six are left from Wednesday 09:00: 9-12, 13-16.
    assert incident.due_at == datetime(2026, 3, 4, 16, 0, tzinfo=UTC)
    assert not incident.breached


def test_closing_stops_where_it_was_resolved(
    policy: Any, at: Any, make_incident: Make, agent: User, caller: User
) -> None:
    incident = make_incident()
    at(START + timedelta(hours=2))
    solved = {"close_code": "solution_provided", "close_notes": "Done"}
    incident = actions.move_incident(incident, "resolve", actor=agent, values=solved)
    at(START + timedelta(days=4))
    incident = actions.move_incident(incident, "confirm", actor=caller)
    clock = clock_of(incident)
    assert clock.stopped_at == START + timedelta(hours=2)
    assert clock.wake_at is None
    assert not incident.breached


def test_canceling_withdraws_the_promise(
    policy: Any, at: Any, make_incident: Make, caller: User, agent: User
) -> None:
    incident = make_incident()
    actions.move_incident(incident, "cancel", actor=caller, values={"reason": "Mine"})
    at(START + timedelta(days=10))
    assert sweeping.sweep(actor=agent) == 0
    incident.refresh_from_db()
    assert (incident.breached, incident.response_breached) == (False, False)


def test_stages_are_recorded_in_order_with_the_instant_they_fell_due(
    policy: Any, at: Any, make_incident: Make, system: User
) -> None:
    incident = make_incident()
    at(START + timedelta(days=1))
    assert sweeping.sweep(actor=system) == 6
    assert sweeping.sweep(actor=system) == 0
    rows = ClockStage.objects.filter(clock__metric="resolution").values_list("percent", "due_at")
    assert list(rows) == [
        (50, START.replace(hour=14)),
        (75, START.replace(hour=16)),
        (100, START.replace(hour=18)),
    ]
    incident.refresh_from_db()
    assert incident.breached
    assert incident.response_breached
    entries = Entry.objects.for_target(incident).filter(verb__startswith="incident.sla_")
    assert entries.count() == 6
    assert incident.version == 1


def test_a_new_notice_of_holidays_moves_running_clocks(
    policy: Any, at: Any, make_incident: Make, admin: User, system: User, calendar: Calendar
) -> None:
    at(START.replace(hour=17))
    incident = make_incident()
    assert incident.due_at == datetime(2026, 3, 3, 17, 0, tzinfo=UTC)
    tuesday = {"date": date(2026, 3, 3), "kind": "closed", "name": "A holiday"}
    set_days(actor=admin, calendar=calendar, days=[tuesday])
    assert sweeping.recompute(actor=system, calendar_id=calendar.pk) == 1
    incident.refresh_from_db()
    assert incident.due_at == datetime(2026, 3, 4, 17, 0, tzinfo=UTC)


def test_why_this_time_adds_up(
    policy: Any, at: Any, make_incident: Make, agent: User, caller: User
) -> None:
    incident = make_incident()
    at(START + timedelta(hours=1))
    hold = {"hold_reason": "awaiting_caller", "comment": "Which shop?"}
    actions.move_incident(incident, "hold", actor=agent, values=hold)
    at(START + timedelta(hours=5))
    actions.comment_on(incident, actor=caller, body="Brno")
    at(START + timedelta(hours=6))
    why = clocks.explain(clock_of(incident), START + timedelta(hours=6))
    assert why.calendar_name == "Office"
    counted = [s.duration for s in why.segments if s.kind in {"worked", "remaining"}]
    assert sum(counted, timedelta()) == why.target == timedelta(hours=8)


@pytest.mark.django_db(transaction=True)
def test_racing_sweeps_record_each_stage_once(
    policy: Any, make_incident: Make, system: User
) -> None:
    with time_machine.travel(START, tick=False):
        incidents = [make_incident() for _number in range(40)]
    later = START + timedelta(days=1)
    outcomes = race(*[lambda: sweeping.sweep(actor=system, moment=later) for _worker in range(4)])
    assert not [each for each in outcomes if isinstance(each, Exception)]
    # A sweep that found every ticket locked leaves the rest to the next one.
    rest = sweeping.sweep(actor=system, moment=later)
    assert sum(outcomes) + rest == 40 * 6
    assert ClockStage.objects.count() == 40 * 6
    for incident in incidents:
        verbs = Entry.objects.for_target(incident).filter(verb__startswith="incident.sla_")
        assert verbs.count() == 6
