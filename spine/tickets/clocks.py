"""Binds SLA policies to tickets: starts, pauses, re-targets and stops the two clocks.

The facts of a clock are rows (start, target, pauses, stop); what follows from them (due time, next
stage, breach) is worked out by `spine.sla.arithmetic` on each change and stored only where a query
needs it: `Ticket.due_at`, the breach flags, `TicketClock.due_at` and `wake_at`.

Every function here runs inside the caller's operation, with the ticket's row locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spine.sla.arithmetic import Clock, Explanation
from spine.sla.querysets import Configuration, PolicyTerms, configuration
from spine.tickets import kinds
from spine.tickets.models import ClockPause, Ticket, TicketClock

RESPONSE = TicketClock.Metric.RESPONSE
RESOLUTION = TicketClock.Metric.RESOLUTION
# A pause for a reason that is no hold reason: the ticket waits for the caller's word.
RESOLVED = "resolved"

# Ticket's own columns whose change can touch a clock; policies may ask for these, too.
WATCHED = frozenset(
    {
        "state",
        "hold_reason",
        "priority",
        "impact",
        "urgency",
        "service",
        "category",
        "subcategory",
        "assignment_group",
        "caller",
    }
)
# What a policy's conditions may ask of a ticket.
SUBJECT_FIELDS = (
    "priority",
    "impact",
    "urgency",
    "channel",
    "service",
    "service__tier",
    "service__criticality",
    "category",
    "subcategory",
    "assignment_group",
    "organization",
    "caller__vip",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A clock as a page or the API shows it at one moment. percent may pass 100."""

    clock: TicketClock
    percent: float
    paused: bool
    met: bool
    breached: bool
    elapsed_seconds: float


def plan(ticket: Ticket) -> list[TicketClock]:
    """The clocks that a policy asks for, not yet stored; sets the ticket's due time."""
    settings = configuration()
    policy = settings.policy_for(ticket.kind, ticket)
    if policy is None:
        return []
    planned = [
        clock
        for metric in (RESPONSE, RESOLUTION)
        if (clock := _new_clock(settings, policy, metric, ticket)) is not None
    ]
    for clock in planned:
        if clock.metric == RESOLUTION:
            ticket.due_at = clock.due_at
    return planned


def store(ticket: Ticket, planned: Sequence[TicketClock]) -> None:
    """Stores what `plan` gave, once the ticket has its row."""
    for clock in planned:
        clock.ticket_id = ticket.pk
    if planned:
        TicketClock.objects.bulk_create(planned)


def _new_clock(
    settings: Configuration, policy: PolicyTerms, metric: str, ticket: Ticket
) -> TicketClock | None:
    terms = policy.target(metric, ticket.priority)
    if terms is None:
        return None
    clock = TicketClock(
        metric=metric,
        policy_id=policy.id,
        target_seconds=terms.seconds,
        stages=list(terms.stages),
        started_at=ticket.opened_at,
    )
    settle(clock, _facts(settings, clock, ()), ())
    return clock


def advance(ticket: Ticket, before: dict[str, Any], moment: datetime) -> None:
    """Follows a change of the ticket; sets its due time and breach flags (the caller saves it)."""
    if not any(before.get(name, _MISSING) != getattr(ticket, name) for name in WATCHED & {*before}):
        return
    settings = configuration()
    clocks = {clock.metric: clock for clock in _load(ticket)}
    if ticket.active and ticket.state not in kinds.kind_of(ticket).resolved_states:
        _retarget(settings, ticket, clocks, moment)
    response, resolution = clocks.get(RESPONSE), clocks.get(RESOLUTION)
    if response is not None:
        _advance_response(settings, ticket, response, moment)
    if resolution is not None:
        _advance_resolution(settings, ticket, resolution, moment)


_MISSING = object()
# What a change of the ticket can set of a clock.
_SETTLED = (
    *("policy", "target_seconds", "stages", "stopped_at"),
    *("due_at", "wake_at", "breached_at"),
)


def replied(ticket: Ticket, moment: datetime) -> set[str]:
    """The first human public reply stops the response clock. Returns Ticket's columns it set."""
    settings = configuration()
    clock = next((each for each in _load(ticket, RESPONSE)), None)
    if clock is None or clock.stopped_at is not None or clock.canceled_at is not None:
        return set()
    _stop(settings, clock, moment)
    ticket.response_breached = clock.breached_at is not None
    return {"response_breached"}


def _load(ticket: Ticket, *metrics: str) -> list[TicketClock]:
    rows = TicketClock.objects.filter(ticket_id=ticket.pk, canceled_at__isnull=True)
    if metrics:
        rows = rows.filter(metric__in=metrics)
    return list(rows.prefetch_related("pauses", "reached"))


def _retarget(
    settings: Configuration, ticket: Ticket, clocks: dict[str, TicketClock], moment: datetime
) -> None:
    """The policy and target that hold now, from the original start; a clock that no policy asks
    for any more is withdrawn, one that is newly asked for starts where the ticket did."""
    policy = settings.policy_for(ticket.kind, ticket)
    for metric in (RESPONSE, RESOLUTION):
        terms = policy.target(metric, ticket.priority) if policy is not None else None
        clock = clocks.get(metric)
        if clock is not None and clock.stopped_at is not None:
            continue
        if terms is None or policy is None:
            if clock is not None:
                _withdraw(clocks.pop(metric), moment)
            continue
        if clock is None:
            clocks[metric] = _begin_late(settings, policy, metric, ticket)
        else:
            clock.policy_id = policy.id
            clock.target_seconds = terms.seconds
            clock.stages = list(terms.stages)


def _begin_late(
    settings: Configuration, policy: PolicyTerms, metric: str, ticket: Ticket
) -> TicketClock:
    terms = policy.target(metric, ticket.priority)
    assert terms is not None
    clock, _made = TicketClock.objects.update_or_create(
        ticket_id=ticket.pk,
        metric=metric,
        defaults={
            "policy_id": policy.id,
            "target_seconds": terms.seconds,
            "stages": list(terms.stages),
            "started_at": ticket.opened_at,
            "canceled_at": None,
        },
    )
    return clock


def _advance_response(
    settings: Configuration, ticket: Ticket, clock: TicketClock, moment: datetime
) -> None:
    """Stops at the first work; never pauses."""
    kind = kinds.kind_of(ticket)
    if clock.stopped_at is None:
        if ticket.state in kind.responded_states:
            _stop(settings, clock, moment)
        elif not ticket.active:
            _withdraw(clock, moment)
        else:
            _refresh(settings, clock, moment)
    ticket.response_breached = clock.breached_at is not None


def _advance_resolution(
    settings: Configuration, ticket: Ticket, clock: TicketClock, moment: datetime
) -> None:
    kind = kinds.kind_of(ticket)
    if clock.stopped_at is None:
        reason = _pause_reason(settings, ticket, clock)
        if ticket.active:
            _follow_pause(clock, reason, moment)
            _refresh(settings, clock, moment)
        elif ticket.resolved_at is not None and ticket.state in kind.resolved_states:
            _stop(settings, clock, ticket.resolved_at)
        else:
            _withdraw(clock, moment)
    ticket.due_at = clock.due_at if clock.stopped_at is None and ticket.active else None
    ticket.breached = clock.breached_at is not None


def _pause_reason(settings: Configuration, ticket: Ticket, clock: TicketClock) -> str:
    """Why the clock stands still now; "" while it runs."""
    kind = kinds.kind_of(ticket)
    if ticket.state in kind.paused_states:
        return RESOLVED
    if ticket.state != kind.hold_state:
        return ""
    policy = settings.by_id[clock.policy_id]
    return ticket.hold_reason if ticket.hold_reason in policy.pause_reasons else ""


def _follow_pause(clock: TicketClock, reason: str, moment: datetime) -> None:
    """Opens, ends or exchanges the open pause; instants never run backwards."""
    pauses = list(clock.pauses.all())
    open_pause = next((pause for pause in pauses if pause.ended_at is None), None)
    if open_pause is not None:
        if open_pause.reason == reason:
            return
        open_pause.ended_at = max(moment, open_pause.started_at)
        open_pause.save(update_fields=["ended_at"])
    if reason:
        pauses.append(ClockPause.objects.create(clock=clock, started_at=moment, reason=reason))
    clock._prefetched_objects_cache = {  # type: ignore[attr-defined]
        **getattr(clock, "_prefetched_objects_cache", {}),
        "pauses": pauses,
    }


def _stop(settings: Configuration, clock: TicketClock, moment: datetime) -> None:
    clock.stopped_at = max(moment, clock.started_at)
    _refresh(settings, clock, moment)


def _withdraw(clock: TicketClock, moment: datetime) -> None:
    """No promise holds any more: nothing will fall due, nothing is breached by it."""
    clock.canceled_at = moment
    clock.wake_at = clock.due_at = None
    clock.save(update_fields=["canceled_at", "wake_at", "due_at"])


def _refresh(settings: Configuration, clock: TicketClock, moment: datetime) -> None:
    facts = facts_of(settings, clock)
    settle(clock, facts, recorded(clock))
    clock.breached_at = facts.breached_at(moment)
    clock.save(update_fields=_SETTLED)


def settle(clock: TicketClock, facts: Clock, reached: Iterable[int]) -> None:
    """What a query needs: the due time, and when the next stage falls due."""
    clock.due_at = facts.due_at()
    stage = facts.next_stage(clock.stages, list(reached))
    clock.wake_at = stage.at if stage is not None else None


def facts_of(settings: Configuration, clock: TicketClock) -> Clock:
    """The stored clock for arithmetic; prefetch `pauses` where there are many."""
    return _facts(settings, clock, clock.pauses.all())


def recorded(clock: TicketClock) -> set[int]:
    """The percentages of the present target that have been recorded."""
    return {
        stage.percent
        for stage in clock.reached.all()
        if stage.target_seconds == clock.target_seconds
    }


def _facts(settings: Configuration, clock: TicketClock, pauses: Iterable[ClockPause]) -> Clock:
    policy = settings.by_id[clock.policy_id]
    return Clock(
        calendar=settings.calendar(policy.calendar_id),
        started_at=clock.started_at,
        target=clock.target_seconds,
        pauses=[(pause.started_at, pause.ended_at) for pause in pauses],
        stopped_at=clock.stopped_at,
    )


def readings(clocks: Iterable[TicketClock], moment: datetime) -> list[Reading]:
    """Each clock as it stands at a moment; prefetch `pauses`."""
    settings = configuration()
    found = []
    for clock in clocks:
        facts = facts_of(settings, clock)
        late = clock.breached_at is not None or facts.breached_at(moment) is not None
        found.append(
            Reading(
                clock=clock,
                percent=facts.percent_used(moment),
                paused=facts.paused_at(moment),
                met=clock.stopped_at is not None and not late,
                breached=late,
                elapsed_seconds=facts.elapsed(moment).total_seconds(),
            )
        )
    return found


def explain(clock: TicketClock, moment: datetime) -> Explanation:
    """ "Why this time?": the segments that add up to the target, and the calendar's name."""
    return facts_of(configuration(), clock).explain(moment)
