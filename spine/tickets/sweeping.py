"""Records the stages that clocks have reached: each exactly once, in order, whoever sweeps.

A batch locks the tickets first (as every action does), skipping those somebody works on, then
records, flags the breaches and sets the next wake-up, all in one transaction: a worker killed in
the middle leaves nothing half-done, and the next sweep finds the same clocks due.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from time import monotonic

from django.db import connection, transaction

from spine.kit.clock import now
from spine.outbox.operations import operation
from spine.people.models import User
from spine.sla.querysets import Configuration, configuration
from spine.tickets.changes import plain
from spine.tickets.clocks import RESOLUTION, facts_of, recorded, settle
from spine.tickets.models import ClockStage, Ticket, TicketClock

BATCH = 250
# A sweep hands over to the next one rather than hold a worker for good.
LONGEST_SECONDS = 50.0
BREACH = 100

_CLAIM = """
    select ticket.id
    from tickets_ticket ticket
    where ticket.id in (
        select clock.ticket_id from tickets_ticketclock clock
        where clock.wake_at is not null and clock.wake_at <= %s
        order by clock.wake_at, clock.id
        limit %s
    )
    order by ticket.id
    for no key update of ticket skip locked
"""


def sweep(*, actor: User, moment: datetime | None = None) -> int:
    """Records everything that is due; returns how many stages. Safe to run many times at once."""
    deadline = monotonic() + LONGEST_SECONDS
    total = 0
    while True:
        found = _sweep_batch(actor, moment or now())
        total += found
        if found == 0 or monotonic() > deadline:
            return total


def _sweep_batch(actor: User, moment: datetime) -> int:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, [moment, BATCH])
            ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return 0
        clocks = list(
            TicketClock.objects.filter(ticket_id__in=ids, wake_at__lte=moment)
            .select_related("ticket")
            .prefetch_related("pauses", "reached")
            .order_by("wake_at", "id")
        )
        return _record(actor, clocks, moment)


def _record(actor: User, clocks: Sequence[TicketClock], moment: datetime) -> int:
    settings = configuration()
    stages: list[ClockStage] = []
    breached: dict[str, list[int]] = {"response": [], "resolution": []}
    for clock in clocks:
        made = _due_stages(settings, clock, moment)
        stages += made
        if any(stage.percent == BREACH for stage in made):
            breached[clock.metric].append(clock.ticket_id)
    with operation(actor, "clocks.sweep", source="task") as op:
        ClockStage.objects.bulk_create(stages, ignore_conflicts=True)
        TicketClock.objects.bulk_update(clocks, ["wake_at", "breached_at"], batch_size=BATCH)
        Ticket.objects.filter(pk__in=breached["response"]).update(response_breached=True)
        Ticket.objects.filter(pk__in=breached["resolution"]).update(breached=True)
        for stage in sorted(stages, key=lambda stage: (stage.due_at, stage.percent)):
            clock = stage.clock
            op.record(
                target=clock.ticket,
                verb=f"{clock.ticket.kind}.{_event(stage)}",
                data={
                    "metric": clock.metric,
                    "percent": stage.percent,
                    "due_at": stage.due_at.isoformat(),
                    "target_seconds": stage.target_seconds,
                },
            )
    return len(stages)


def _event(stage: ClockStage) -> str:
    return "sla_breached" if stage.percent == BREACH else "sla_stage"


def _due_stages(settings: Configuration, clock: TicketClock, moment: datetime) -> list[ClockStage]:
    """The stages reached by now and not recorded; sets the clock's next wake-up and breach."""
    facts = facts_of(settings, clock)
    done = recorded(clock)
    made = []
    clock.wake_at = None
    for stage in facts.stages(sorted(set(clock.stages) - done)):
        if stage.at is None:
            break
        if stage.at > moment:
            clock.wake_at = stage.at
            break
        made.append(
            ClockStage(
                clock=clock,
                percent=stage.percent,
                target_seconds=clock.target_seconds,
                due_at=stage.at,
                recorded_at=moment,
            )
        )
    clock.breached_at = facts.breached_at(moment)
    return made


def recompute(*, actor: User, calendar_id: int) -> int:
    """A calendar changed (a new notice of holidays): every running clock in it is due anew."""
    settings = configuration()
    policies = [row.id for row in settings.by_id.values() if row.calendar_id == calendar_id]
    last, changed = 0, 0
    while True:
        ids = list(
            TicketClock.objects.filter(
                pk__gt=last,
                policy_id__in=policies,
                stopped_at__isnull=True,
                canceled_at__isnull=True,
            )
            .order_by("pk")
            .values_list("pk", flat=True)[:BATCH]
        )
        if not ids:
            return changed
        changed += _recompute_batch(actor, ids)
        last = ids[-1]


def _recompute_batch(actor: User, ids: Sequence[int]) -> int:
    settings, moment = configuration(), now()
    moved = 0
    with operation(actor, "clocks.recompute", source="task") as op:
        tickets = list(
            Ticket.objects.select_for_update()
            .filter(clocks__in=ids)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        clocks = (
            TicketClock.objects.filter(
                pk__in=ids, ticket_id__in=tickets, stopped_at__isnull=True, canceled_at__isnull=True
            )
            .select_related("ticket")
            .prefetch_related("pauses", "reached")
        )
        for clock in clocks:
            old = clock.due_at
            facts = facts_of(settings, clock)
            settle(clock, facts, recorded(clock))
            clock.breached_at = facts.breached_at(moment)
            clock.save(update_fields=["due_at", "wake_at", "breached_at"])
            if clock.due_at == old:
                continue
            moved += 1
            _tell_ticket(clock)
            op.record(
                target=clock.ticket,
                verb=f"{clock.ticket.kind}.sla_recomputed",
                data={"metric": clock.metric},
                changes={"due_at": [plain(old), plain(clock.due_at)]},
            )
    return moved


def _tell_ticket(clock: TicketClock) -> None:
    late = clock.breached_at is not None
    columns = (
        {"due_at": clock.due_at, "breached": late}
        if clock.metric == RESOLUTION
        else {"response_breached": late}
    )
    Ticket.objects.filter(pk=clock.ticket_id).update(**columns)
