"""The demo company, all of it in one transaction: there is never half a company."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection

from demo import catalog, people, tickets
from demo.lives import Teller
from spine.audit.operations import operation
from spine.kit.clock import now
from spine.people.models import User
from spine.search import sources
from spine.search.indexing import document_rows, write_rows
from spine.sla.defaults import ensure_defaults
from spine.sla.querysets import configuration
from spine.tickets.priority import forget_matrix

SEED = 20_261_123
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Loaded:
    people: int
    departments: int
    teams: int
    incidents: int
    open: int


def load(
    *,
    progress: Progress,
    incidents: int = tickets.INCIDENTS,
    seed: int = SEED,
) -> Loaded | None:
    """Loads the company; None if it is here already. progress(stage, done, total)."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtext('evenkeel.demo'))")
    try:
        if people.loaded():
            return None
        return _load(progress, incidents, seed)
    finally:
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(hashtext('evenkeel.demo'))")


def _load(progress: Progress, incidents: int, seed: int) -> Loaded:
    dice = random.Random(seed)  # noqa: S311 - the same company every time, not secrets
    system = User.objects.system()
    forget_matrix()
    moment = now().replace(microsecond=0)
    with operation(system, "demo.load", source="shell") as op:
        progress("company", 0, 4)
        ensure_defaults(system)
        progress("company", 1, 4)
        staff = people.build(dice, moment, system, op)
        progress("company", 2, 4)
        services = catalog.build_services(dice, staff, op)
        categories = catalog.build_categories(op)
        _index_people()
        progress("company", 4, 4)
        teller = Teller(dice, moment, staff, services, categories, configuration(), system)
        lives = tickets.past(teller, incidents, lambda d, t: progress("tickets", d, t))
        progress("tickets", incidents, incidents)
        lives += tickets.present(teller)
        count = tickets.store(lives, teller, lambda d, t: progress("store", d, t))
        progress("store", count, count)
    with connection.cursor() as cursor:
        cursor.execute("analyze")
    return Loaded(
        people=people.PEOPLE,
        departments=people.DEPARTMENTS,
        teams=len(staff.teams),
        incidents=count,
        open=sum(life.incident.active for life in lives),
    )


def _index_people() -> None:
    for kind in ("person", "team"):
        source = sources.find(kind)
        if source is not None:
            rows = list(source.records())
            write_rows(document_rows(source, rows))
