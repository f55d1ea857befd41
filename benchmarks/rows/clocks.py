"""SLA timers: a sweep with nothing due among all clocks, and 10,000 stages due at once."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.context import Bench, query, sql_ms, timed_ms
from benchmarks.figures import Figure, figure, in_turn

_FILL = """
INSERT INTO tickets_ticketclock
  (uuid, ticket_id, metric, policy_id, target_seconds, started_at, due_at, stages, wake_at)
SELECT gen_random_uuid(), ticket.id, 'resolution', policy.id, 3600000, now(), now() + '60 days',
       '[50, 75, 100]', now() + '30 days' + ticket.id * interval '1 second'
FROM tickets_ticket ticket
CROSS JOIN (SELECT id FROM sla_policy ORDER BY id LIMIT 1) policy
WHERE NOT EXISTS (SELECT 1 FROM tickets_ticketclock clock
                  WHERE clock.ticket_id = ticket.id AND clock.metric = 'resolution')
LIMIT %s
"""
_PROBE = "SELECT id FROM tickets_ticketclock WHERE wake_at <= now() ORDER BY wake_at, id LIMIT 250"
# Half of the hour is over since a minute; three quarters are not.
_DUE = """
UPDATE tickets_ticketclock SET
  policy_id = %s, target_seconds = 3600, stages = '[50, 75, 100]', stopped_at = NULL,
  started_at = now() - interval '31 minutes', due_at = now() + interval '29 minutes',
  wake_at = now() - interval '1 minute', breached_at = NULL
WHERE id IN (
  SELECT clock.id FROM tickets_ticketclock clock JOIN tickets_ticket ticket
    ON ticket.id = clock.ticket_id
  WHERE clock.metric = 'resolution' AND clock.canceled_at IS NULL AND ticket.active
    AND NOT EXISTS (SELECT 1 FROM tickets_clockpause WHERE clock_id = clock.id)
    AND NOT EXISTS (SELECT 1 FROM tickets_clockstage WHERE clock_id = clock.id)
  ORDER BY clock.id LIMIT %s)
"""


def idle(bench: Bench) -> Iterator[Figure]:
    """One sweep over as many running clocks as there are tickets, nothing due."""
    from spine.tickets.sweeping import sweep

    query("UPDATE tickets_ticketclock SET wake_at = now() + '30 days' WHERE wake_at <= now()")
    running = query("SELECT count(*) FROM tickets_ticketclock WHERE wake_at IS NOT NULL")[0][0]
    query(_FILL, [max(0, bench.tickets - running)])
    query("VACUUM (ANALYZE) tickets_ticketclock")
    running = query("SELECT count(*) FROM tickets_ticketclock WHERE wake_at IS NOT NULL")[0][0]

    def ours() -> float:
        return timed_ms(lambda: sweep(actor=bench.system))

    floors, taken = in_turn(bench.repeat, lambda: sql_ms(_PROBE), ours)
    yield figure(
        "sweep", "SLA sweep, nothing due", "ms", taken, floors, must=5, goal=1,
        floor_name="the index probe in raw SQL", note=f"{running:,} running clocks",
    )  # fmt: skip


def due(bench: Bench) -> Iterator[Figure]:
    """10,000 stages due at once: recorded, audited, delivered to every listener, by one worker."""
    from spine.outbox.draining import drain
    from spine.sla.models import Policy
    from spine.tickets.sweeping import sweep

    policy = Policy.objects.filter(calendar__is_24x7=True).order_by("id").first()
    if policy is None:
        raise RuntimeError("no policy with a calendar around the clock")
    query("UPDATE tickets_ticketclock SET wake_at = now() + '30 days' WHERE wake_at <= now()")
    query("UPDATE outbox_delivery SET state = 'done', done_at = now() WHERE state = 'pending'")
    wanted = bench.many(10_000, 100)
    sweeps, totals, note = [], [], ""
    for _turn in range(bench.repeat):
        before = query("SELECT count(*) FROM tickets_clockstage")[0][0]
        query(_DUE, [policy.pk, wanted])
        made = query("SELECT count(*) FROM tickets_ticketclock WHERE wake_at <= now()")[0][0]
        if not made:
            break
        query("ANALYZE tickets_ticketclock")
        began = time.perf_counter()
        told = sweep(actor=bench.system)
        swept = time.perf_counter() - began
        tried, finished = 0, False
        while not finished:
            more, finished = drain(seconds=60)
            tried += more
        totals.append(time.perf_counter() - began)
        sweeps.append(swept)
        after = query("SELECT count(*) FROM tickets_clockstage")[0][0]
        again = sweep(actor=bench.system)
        if (told, after - before, again) != (made, made, 0):
            raise RuntimeError(f"{made} due, {told} told, {after - before} stored, again {again}")
        note = f"{made:,} stages, each once; {tried:,} deliveries"
    if totals:
        yield figure(
            "due", "10,000 stages due at once, all effects", "s", totals, must=60, goal=15,
            note=note,
        )  # fmt: skip
        yield figure("due", "of it the sweep itself", "s", sweeps)
