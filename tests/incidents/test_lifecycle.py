"""An incident's life: what each move needs, does and refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from incidents import actions
from incidents.closing import business_days_before, close_silent
from incidents.models import Incident
from spine.audit.models import Entry
from spine.kit.errors import Conflict, DomainError, InvalidInput, NotAllowed
from spine.people.models import Team, User
from spine.sla.calendar import SpecialDay, WorkCalendar
from spine.sla.hours import CLOSED, WHOLE_DAY
from spine.tickets import actions as tickets
from spine.tickets.tasks import sweep_wake_ups

pytestmark = pytest.mark.django_db

SOLVED = {"close_code": "solution_provided", "close_notes": "Restarted the pool."}
Make = Callable[..., Incident]


def test_starting_takes_it(make_incident: Make, agent: User) -> None:
    incident = actions.move_incident(make_incident(), "start", actor=agent)
    assert (incident.state, incident.assignee) == ("in_progress", agent)


def test_starting_leaves_it_with_who_has_it(make_incident: Make, agent: User, lead: User) -> None:
    incident = actions.update_incident(make_incident(), actor=lead, values={"assignee": lead})
    assert actions.move_incident(incident, "start", actor=agent).assignee == lead


def test_awaiting_the_caller_needs_words_to_them(make_incident: Make, agent: User) -> None:
    incident = make_incident()
    with pytest.raises(DomainError) as caught:
        actions.move_incident(
            incident, "hold", actor=agent, values={"hold_reason": "awaiting_caller"}
        )
    assert caught.value.field == "comment"
    held = actions.move_incident(
        incident,
        "hold",
        actor=agent,
        values={"hold_reason": "awaiting_caller", "comment": "Which shop is it?"},
    )
    assert (held.state, held.hold_reason) == ("on_hold", "awaiting_caller")
    assert held.thread is not None
    assert held.thread.comments.get().visibility == "public"


def test_the_callers_reply_resumes_what_awaits_them(
    make_incident: Make, agent: User, caller: User
) -> None:
    incident = actions.move_incident(
        make_incident(),
        "hold",
        actor=agent,
        values={"hold_reason": "awaiting_caller", "comment": "Which shop is it?"},
    )
    actions.comment_on(incident, actor=caller, body="The one in Brno.", channel="portal")
    incident.refresh_from_db()
    assert (incident.state, incident.hold_reason) == ("in_progress", "")
    assert incident.assignee is None
    assert Entry.objects.for_target(incident).filter(verb="incident.resumed").count() == 1


def test_a_reply_does_not_resume_what_awaits_a_vendor(
    make_incident: Make, agent: User, caller: User
) -> None:
    incident = actions.move_incident(
        make_incident(), "hold", actor=agent, values={"hold_reason": "awaiting_vendor"}
    )
    actions.comment_on(incident, actor=caller, body="Any news?")
    incident.refresh_from_db()
    assert incident.state == "on_hold"


@pytest.mark.parametrize("follow_up", ["yesterday", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_a_follow_up_lies_ahead(make_incident: Make, agent: User, follow_up: str) -> None:
    with pytest.raises(DomainError) as caught:
        actions.move_incident(
            make_incident(),
            "hold",
            actor=agent,
            values={"hold_reason": "awaiting_vendor", "follow_up_at": follow_up},
        )
    assert caught.value.field == "follow_up_at"


def test_the_follow_up_time_wakes_it(make_incident: Make, agent: User, system: User) -> None:
    later = datetime.now(UTC) + timedelta(hours=2)
    incident = actions.move_incident(
        make_incident(),
        "hold",
        actor=agent,
        values={"hold_reason": "awaiting_vendor", "follow_up_at": later.isoformat()},
    )
    assert sweep_wake_ups() == 0
    with time_machine.travel(later + timedelta(minutes=1), tick=False):
        assert sweep_wake_ups() == 1
        assert sweep_wake_ups() == 0
    incident.refresh_from_db()
    assert (incident.state, incident.follow_up_at) == ("in_progress", None)
    entry = Entry.objects.for_target(incident).get(verb="incident.resumed")
    assert entry.actor_id == system.pk


@pytest.mark.parametrize("missing", ["close_code", "close_notes"])
def test_resolving_needs_code_and_notes(make_incident: Make, agent: User, missing: str) -> None:
    values = {name: value for name, value in SOLVED.items() if name != missing}
    with pytest.raises(InvalidInput) as caught:
        actions.move_incident(make_incident(), "resolve", actor=agent, values=values)
    assert [error.field for error in caught.value.errors] == [missing]


def test_resolving_says_who_and_when(make_incident: Make, agent: User) -> None:
    incident = actions.move_incident(make_incident(), "resolve", actor=agent, values=SOLVED)
    assert incident.state == "resolved"
    assert incident.active
    assert incident.resolved_by == agent
    assert incident.resolved_at is not None
    assert incident.close_notes == "Restarted the pool."


def test_the_caller_confirms_and_it_is_closed(
    make_incident: Make, agent: User, caller: User
) -> None:
    incident = actions.move_incident(make_incident(), "resolve", actor=agent, values=SOLVED)
    with pytest.raises(NotAllowed):
        actions.move_incident(incident, "confirm", actor=agent)
    closed = actions.move_incident(incident, "confirm", actor=caller)
    assert (closed.state, closed.active) == ("closed", False)
    assert closed.confirmed_at == closed.closed_at


def test_reopening_needs_words_and_counts(make_incident: Make, agent: User, caller: User) -> None:
    incident = actions.move_incident(make_incident(), "resolve", actor=agent, values=SOLVED)
    with pytest.raises(InvalidInput):
        actions.move_incident(incident, "reopen", actor=caller)
    again = actions.move_incident(
        incident, "reopen", actor=caller, values={"comment": "Still 502."}
    )
    assert (again.state, again.reopen_count, again.resolved_at) == ("in_progress", 1, None)


def test_what_is_closed_stays_closed(make_incident: Make, agent: User, caller: User) -> None:
    incident = actions.move_incident(make_incident(), "resolve", actor=agent, values=SOLVED)
    incident = actions.move_incident(incident, "confirm", actor=caller)
    for attempt in (
        lambda: actions.update_incident(incident, actor=agent, values={"title": "x"}),
        lambda: actions.comment_on(incident, actor=caller, body="x"),
        lambda: actions.move_incident(
            incident, "reopen", actor=caller, values={"comment": "again"}
        ),
    ):
        with pytest.raises((NotAllowed, Conflict)):
            attempt()


def test_a_caller_cancels_only_before_work_began(
    make_incident: Make, agent: User, caller: User
) -> None:
    incident = make_incident()
    canceled = actions.move_incident(
        incident, "cancel", actor=caller, values={"reason": "Found it myself"}
    )
    assert (canceled.state, canceled.active) == ("canceled", False)
    started = actions.move_incident(make_incident(), "start", actor=agent)
    with pytest.raises(NotAllowed) as caught:
        actions.move_incident(started, "cancel", actor=caller, values={"reason": "x"})
    assert caught.value.code == "work_started"


def test_an_assignee_works_in_the_group(
    make_incident: Make, agent: User, lead: User, team: Team, make_user: Any
) -> None:
    outsider = make_user("outsider", "agent")
    incident = make_incident()
    with pytest.raises(DomainError) as caught:
        actions.update_incident(
            incident, actor=lead, values={"assignment_group": team, "assignee": outsider}
        )
    assert caught.value.code == "not_in_group"
    incident = actions.update_incident(
        incident, actor=lead, values={"assignment_group": team, "assignee": agent}
    )
    assert incident.reassignment_count == 0
    other = Team.objects.create(name="Network", organization=team.organization)
    incident = actions.update_incident(incident, actor=lead, values={"assignment_group": other})
    assert (incident.assignee, incident.reassignment_count) == (None, 1)


def test_a_note_is_not_for_callers(make_incident: Make, caller: User, agent: User) -> None:
    incident = make_incident()
    with pytest.raises(NotAllowed):
        actions.comment_on(incident, actor=caller, body="psst", visibility="note")
    made = actions.comment_on(incident, actor=agent, body="psst", visibility="note")
    assert made.visibility == "note"


def test_reporting_for_others_is_for_staff(
    caller: User, other_caller: User, agent: User, auditor: User
) -> None:
    values = {"title": "Broken", "caller": other_caller}
    with pytest.raises(NotAllowed):
        actions.open_incident(actor=caller, values=values)
    with pytest.raises(NotAllowed):
        actions.open_incident(actor=auditor, values=values)
    made = actions.open_incident(actor=agent, values=values)
    assert (made.caller, made.opened_by) == (other_caller, agent)


# -- closing by itself --------------------------------------------------------------------------

SHANGHAI = ZoneInfo("Asia/Shanghai")
WEEKDAYS = (WHOLE_DAY,) * 5 + (CLOSED,) * 2


@pytest.mark.parametrize(
    ("moment", "days", "expected"),
    [
        # Friday back five business days is the Friday before.
        ("2025-09-19T10:00", 5, "2025-09-12T10:00"),
        # Monday back one is Friday.
        ("2025-09-22T10:00", 1, "2025-09-19T10:00"),
        # On Sunday it is still Friday evening.
        ("2025-09-21T10:00", 1, "2025-09-18T23:59:59.999999"),
        # Sunday 28 September 2025 is a make-up workday, 1 October a holiday.
        ("2025-09-29T10:00", 1, "2025-09-28T10:00"),
    ],
)
def test_business_days_back(moment: str, days: int, expected: str) -> None:
    from datetime import date

    calendar = WorkCalendar(
        "cn", SHANGHAI, WEEKDAYS, {date(2025, 9, 28): SpecialDay(WHOLE_DAY, "make-up workday")}
    )
    at = datetime.fromisoformat(moment).replace(tzinfo=SHANGHAI)
    found = business_days_before(calendar, at.astimezone(UTC), days)
    assert found.astimezone(SHANGHAI) == datetime.fromisoformat(expected).replace(tzinfo=SHANGHAI)


def test_it_closes_by_itself_after_five_business_days(
    make_incident: Make, agent: User, system: User
) -> None:
    with time_machine.travel(datetime(2025, 9, 12, 10, tzinfo=UTC), tick=False):
        silent = actions.move_incident(make_incident(), "resolve", actor=agent, values=SOLVED)
        young = make_incident()
    with time_machine.travel(datetime(2025, 9, 15, 10, tzinfo=UTC), tick=False):
        actions.move_incident(young, "resolve", actor=agent, values=SOLVED)
    assert close_silent(actor=system, moment=datetime(2025, 9, 19, 9, 59, tzinfo=UTC)) == 0
    assert close_silent(actor=system, moment=datetime(2025, 9, 19, 10, 1, tzinfo=UTC)) == 1
    silent.refresh_from_db()
    young.refresh_from_db()
    assert (silent.state, silent.confirmed_at) == ("closed", None)
    assert young.state == "resolved"


def test_waking_what_has_moved_on_does_nothing(
    make_incident: Make, agent: User, system: User
) -> None:
    incident = actions.move_incident(make_incident(), "start", actor=agent)
    assert tickets.wake(incident, actor=system) is False


def test_a_word_of_the_caller_keeps_it_open(
    make_incident: Make, agent: User, caller: User, system: User
) -> None:
    with time_machine.travel(datetime(2025, 9, 12, 10, tzinfo=UTC), tick=False):
        incident = actions.move_incident(make_incident(), "resolve", actor=agent, values=SOLVED)
    with time_machine.travel(datetime(2025, 9, 18, 10, tzinfo=UTC), tick=False):
        actions.comment_on(incident, actor=caller, body="No! It is still broken.")
    assert close_silent(actor=system, moment=datetime(2025, 9, 22, 10, tzinfo=UTC)) == 0
    assert close_silent(actor=system, moment=datetime(2025, 9, 25, 10, 1, tzinfo=UTC)) == 1


def test_taking_what_somebody_else_has_just_taken_is_refused(
    make_incident: Make, agent: User, lead: User
) -> None:
    incident = make_incident()
    seen_by_lead = Incident.objects.get(pk=incident.pk)
    actions.take(incident, actor=agent)
    with pytest.raises(Conflict) as caught:
        actions.take(seen_by_lead, actor=lead)
    assert caught.value.code == "taken"
    taken_over = actions.take(Incident.objects.get(pk=incident.pk), actor=lead)
    assert (taken_over.assignee, taken_over.reassignment_count) == (lead, 1)
