"""The contract every ticket kind keeps. A kind's test module subclasses TicketContract."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections, transaction

from spine.audit.models import Entry
from spine.kit.errors import Conflict, DomainError, InvalidInput, NotAllowed, StaleVersion
from spine.outbox.models import Delivery
from spine.people.models import Team, User
from spine.tickets import actions, kinds
from spine.tickets.models import PriorityRule, Ticket
from spine.tickets.priority import forget_matrix


def race(*calls: Callable[[], Any]) -> list[Any]:
    """Runs the calls at the same moment in threads of their own; returns results or errors."""
    gate = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        gate.wait()
        try:
            results[place] = call()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place, call)) for place, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def until_somebody_waits() -> None:
    """Returns once another connection waits for a lock that this one holds."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from pg_locks where not granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


class TicketContract:
    """Subclasses name the kind and how to open one, and a move with values that finishes it."""

    kind: str
    finish: tuple[str, dict[str, Any]]

    def open(self, actor: User, **values: Any) -> Any:
        raise NotImplementedError

    # -- creation -------------------------------------------------------------------------------

    def test_number_carries_the_prefix_and_seven_digits(self, caller: User) -> None:
        first, second = self.open(caller), self.open(caller)
        prefix = kinds.get(self.kind).prefix
        assert first.number.startswith(prefix)
        assert len(first.number) == len(prefix) + 7
        assert int(second.number[len(prefix) :]) > int(first.number[len(prefix) :])

    def test_creation_is_on_the_record(self, caller: User) -> None:
        ticket = self.open(caller, title="A title")
        entry = Entry.objects.for_target(ticket).get()
        assert entry.verb == f"{self.kind}.created"
        assert entry.actor_id == caller.pk
        assert entry.data["title"] == "A title"
        assert Delivery.objects.filter(target_id=str(ticket.pk)).exists()

    def test_defaults_come_from_the_caller(self, caller: User) -> None:
        ticket = self.open(caller)
        assert ticket.caller == caller
        assert ticket.opened_by == caller
        assert ticket.organization == caller.organization
        assert ticket.state == kinds.get(self.kind).lifecycle.initial
        assert ticket.version == 1

    @pytest.mark.parametrize(
        ("values", "field", "code"),
        [
            ({"title": ""}, "title", "required"),
            ({"title": "   "}, "title", "required"),
            ({"title": "x" * 256}, "title", "too_long"),
            ({"title": "x" * 10_000_000}, "title", "too_long"),
            ({"title": "a\x00b"}, "title", "invalid"),
            ({"title": 7}, "title", "invalid"),
            ({"description": "y" * 100_001}, "description", "too_long"),
            ({"impact": 4}, "impact", "invalid_choice"),
            ({"impact": True}, "impact", "invalid_choice"),
            ({"urgency": "high"}, "urgency", "invalid_choice"),
            ({"channel": "pigeon"}, "channel", "invalid_choice"),
            ({"state": "closed"}, "state", "unknown_field"),
            ({"shoe_size": 42}, "shoe_size", "unknown_field"),
            ({"assignee": "agent"}, "assignee", "unknown_reference"),
            ({"custom": []}, "custom", "invalid"),
        ],
    )
    def test_bad_values_are_named(
        self, caller: User, values: dict[str, Any], field: str, code: str
    ) -> None:
        with pytest.raises(InvalidInput) as caught:
            self.open(caller, **values)
        assert (field, code) in [(error.field, error.code) for error in caught.value.errors]
        assert not Ticket.objects.exists()

    # -- priority -------------------------------------------------------------------------------

    @pytest.mark.parametrize("impact", [1, 2, 3])
    @pytest.mark.parametrize("urgency", [1, 2, 3])
    def test_priority_follows_impact_and_urgency(
        self, caller: User, impact: int, urgency: int
    ) -> None:
        ticket = self.open(caller, impact=impact, urgency=urgency)
        assert ticket.priority == impact + urgency - 1

    def test_the_matrix_is_editable(self, caller: User) -> None:
        PriorityRule.objects.create(impact=3, urgency=1, priority=1)
        forget_matrix()
        assert self.open(caller, impact=3, urgency=1).priority == 1

    @pytest.mark.parametrize(
        "values",
        [
            {"priority": 1, "priority_reason": "I am important"},
            {"custom": {"x": 1}},
        ],
    )
    def test_callers_do_not_triage(self, caller: User, values: dict[str, Any]) -> None:
        with pytest.raises(NotAllowed):
            self.open(caller, **values)

    def test_callers_do_not_assign(self, caller: User, agent: User, team: Team) -> None:
        for values in ({"assignee": agent}, {"assignment_group": team}):
            with pytest.raises(NotAllowed):
                self.open(caller, **values)

    def test_a_priority_at_the_start_needs_a_reason_too(self, agent: User) -> None:
        with pytest.raises(DomainError) as caught:
            self.open(agent, priority=1)
        assert caught.value.field == "priority_reason"
        assert self.open(agent, priority=1, priority_reason="The board waits").priority == 1

    def test_an_override_needs_a_reason_and_then_stays(self, agent: User, caller: User) -> None:
        ticket = self.open(caller, impact=3, urgency=3)
        with pytest.raises(DomainError) as caught:
            actions.update(ticket, actor=agent, values={"priority": 1})
        assert caught.value.field == "priority_reason"
        ticket = actions.update(
            ticket, actor=agent, values={"priority": 1, "priority_reason": "The board waits"}
        )
        ticket = actions.update(ticket, actor=agent, values={"urgency": 2})
        assert ticket.priority == 1
        entry = Entry.objects.for_target(ticket).filter(verb=f"{self.kind}.updated").earliest("id")
        assert entry.changes["priority"] == [5, 1]

    # -- changes --------------------------------------------------------------------------------

    def test_a_change_moves_the_version_and_a_comment_does_not(
        self, agent: User, caller: User
    ) -> None:
        ticket = self.open(caller)
        ticket = actions.update(ticket, actor=agent, values={"title": "Another"})
        assert ticket.version == 2
        actions.comment(ticket, actor=agent, body="Hello")
        ticket.refresh_from_db()
        assert ticket.version == 2

    def test_saying_the_same_changes_nothing(self, agent: User, caller: User) -> None:
        ticket = self.open(caller)
        again = actions.update(ticket, actor=agent, values={"title": ticket.title})
        assert again.version == 1
        assert Entry.objects.for_target(ticket).count() == 1

    def test_a_stale_version_is_refused_with_the_present_one(
        self, agent: User, caller: User
    ) -> None:
        ticket = self.open(caller)
        actions.update(ticket, actor=agent, values={"title": "First"})
        with pytest.raises(StaleVersion) as caught:
            actions.update(ticket, actor=agent, values={"title": "Second"}, expected_version=1)
        assert caught.value.current == 2
        ticket.refresh_from_db()
        assert ticket.title == "First"

    @pytest.mark.django_db(transaction=True)
    def test_two_changes_at_once_lose_nothing(self, agent: User, lead: User, caller: User) -> None:
        ticket = self.open(caller)
        outcomes = race(
            lambda: actions.update(ticket, actor=agent, values={"title": "By the agent"}),
            lambda: actions.update(ticket, actor=lead, values={"description": "By the lead"}),
        )
        assert not [each for each in outcomes if isinstance(each, Exception)]
        ticket.refresh_from_db()
        assert (ticket.title, ticket.description) == ("By the agent", "By the lead")
        assert ticket.version == 3

    @pytest.mark.django_db(transaction=True)
    def test_who_waited_for_the_row_sees_what_was_committed(
        self, agent: User, lead: User, caller: User, team: Team
    ) -> None:
        """A row that is locked after a wait is read anew, with all that it refers to."""
        ticket = self.open(caller)
        seen: list[Any] = []

        def wait_and_look() -> None:
            try:
                with transaction.atomic():
                    stored = actions.lock(ticket)
                    seen.append((stored.assignee, stored.assignment_group))
            finally:
                connections.close_all()

        waiter = threading.Thread(target=wait_and_look)
        with transaction.atomic():
            actions.update(ticket, actor=lead, values={"assignment_group": team, "assignee": agent})
            waiter.start()
            until_somebody_waits()
        waiter.join(30)
        assert seen == [(agent, team)]

    @pytest.mark.django_db(transaction=True)
    def test_two_agents_finish_at_once_and_one_is_told(
        self, agent: User, lead: User, caller: User
    ) -> None:
        ticket = self.open(caller)
        move, values = self.finish
        outcomes = race(
            lambda: actions.perform(ticket, move, actor=agent, values=values),
            lambda: actions.perform(ticket, move, actor=lead, values=values),
        )
        refused = [each for each in outcomes if isinstance(each, Exception)]
        assert len(refused) == 1
        assert isinstance(refused[0], Conflict)
        assert refused[0].code == "not_in_state"
        past = kinds.get(self.kind).lifecycle.move(move).past
        assert Entry.objects.for_target(ticket).filter(verb=f"{self.kind}.{past}").count() == 1

    # -- lifecycle ------------------------------------------------------------------------------

    def test_every_move_is_refused_from_every_other_state(self, lead: User, caller: User) -> None:
        kind = kinds.get(self.kind)
        ticket = self.open(caller)
        for state in kind.lifecycle.states:
            for move in kind.lifecycle.moves:
                if state.code in move.sources:
                    continue
                Ticket.objects.filter(pk=ticket.pk).update(state=state.code)
                with pytest.raises((Conflict, NotAllowed)):
                    actions.perform(ticket, move.code, actor=lead, values={})
                ticket.refresh_from_db()
                assert ticket.state == state.code

    def test_unknown_moves_and_values_are_named(self, agent: User, caller: User) -> None:
        ticket = self.open(caller)
        with pytest.raises(DomainError) as caught:
            actions.perform(ticket, "teleport", actor=agent)
        assert caught.value.code == "unknown_move"
        move, values = self.finish
        with pytest.raises(InvalidInput) as bad:
            actions.perform(ticket, move, actor=agent, values={**values, "shoe_size": 42})
        assert bad.value.errors[0].field == "shoe_size"

    def test_a_failing_operation_leaves_nothing(
        self, agent: User, caller: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ticket = self.open(caller)
        before = Entry.objects.count(), Delivery.objects.count()

        def broken(*_args: Any, **_kwargs: Any) -> None:
            raise RuntimeError("the disk is gone")

        monkeypatch.setattr("spine.tickets.clocks.advance", broken)
        move, values = self.finish
        with pytest.raises(RuntimeError):
            actions.perform(ticket, move, actor=agent, values=values)
        ticket.refresh_from_db()
        assert ticket.state == kinds.get(self.kind).lifecycle.initial
        assert (Entry.objects.count(), Delivery.objects.count()) == before

    # -- who ------------------------------------------------------------------------------------

    def test_a_stranger_sees_nothing(self, caller: User, other_caller: User) -> None:
        ticket = self.open(caller)
        assert list(Ticket.objects.visible_to(caller)) == [Ticket.objects.get(pk=ticket.pk)]
        assert not Ticket.objects.visible_to(other_caller).exists()

    def test_watching_opens_it(self, caller: User, other_caller: User, agent: User) -> None:
        ticket = self.open(caller)
        actions.watch(ticket, actor=agent, user=other_caller)
        assert Ticket.objects.visible_to(other_caller).filter(pk=ticket.pk).exists()
        actions.watch(ticket, actor=agent, user=other_caller, on=False)
        assert not Ticket.objects.visible_to(other_caller).exists()

    def test_a_partner_stays_in_its_organization(self, caller: User, partner: User) -> None:
        theirs = self.open(partner)
        self.open(caller)
        assert [t.pk for t in Ticket.objects.visible_to(partner)] == [theirs.pk]

    def test_a_restricted_queue_is_closed_to_others(
        self, caller: User, agent: User, lead: User, auditor: User, admin: User, team: Team
    ) -> None:
        team.members.remove(agent)
        Team.objects.filter(pk=team.pk).update(restricted=True)
        ticket = self.open(caller)
        actions.update(ticket, actor=lead, values={"assignment_group": team})
        seen = {
            user.username: Ticket.objects.visible_to(user).filter(pk=ticket.pk).exists()
            for user in (agent, lead, auditor, admin, caller)
        }
        assert seen == {
            "agent": False,
            "lead": True,
            "auditor": True,
            "admin": False,
            "caller": True,
        }

    def test_the_auditor_changes_nothing(self, caller: User, auditor: User) -> None:
        ticket = self.open(caller)
        move, values = self.finish
        for attempt in (
            lambda: actions.update(ticket, actor=auditor, values={"title": "No"}),
            lambda: actions.perform(ticket, move, actor=auditor, values=values),
            lambda: actions.comment(ticket, actor=auditor, body="No"),
            lambda: actions.comment(ticket, actor=auditor, body="No", visibility="note"),
        ):
            with pytest.raises(NotAllowed) as caught:
                attempt()
            assert caught.value.message
        ticket.refresh_from_db()
        assert ticket.version == 1
