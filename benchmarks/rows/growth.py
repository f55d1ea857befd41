"""Whether a list stays as fast when there are a hundred times more tickets."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from benchmarks import serving
from benchmarks.context import Bench, query
from benchmarks.figures import Figure, figure


def pairs(bench: Bench) -> Iterator[Figure]:
    """Every shipped view in every order offered there as a page; every declared filter that leaves
    a list long, in every order that an index serves, over REST. The main program divides the
    figures of the largest size by those of the smallest."""
    cookie = {"Cookie": bench.cookie()}
    token = {"Authorization": f"Token {bench.token()}"}
    asked = [*((path, cookie) for path in _views(bench)), *((p, token) for p in _filters(bench))]
    asked = asked[:: bench.many(1, 25)]
    with serving.platform() as platform:
        taken: dict[str, list[float]] = {path: [] for path, _header in asked}
        for _turn in range(bench.repeat):
            for path, header in asked:
                load = platform.load(
                    [serving.get(path, **header)], seconds=3, warm_up=0.08, most=bench.many(25, 2)
                )
                taken[path].append(load.p50)
    for path, runs in taken.items():
        yield figure("growth", path, "ms", runs, growth=True)


def _views(bench: Bench) -> Iterator[str]:
    from incidents.listing import SPEC

    for view in SPEC.views:
        offered = SPEC.offered(view.filters(bench.agent))
        for ordering in SPEC.orderings.names:
            if ordering in offered:
                yield f"/incidents/?{urlencode({'view': view.code, 'ordering': ordering})}"


def _filters(bench: Bench) -> Iterator[str]:
    from incidents.listing import SPEC

    for filters in _declared():
        for ordering in SPEC.orderings.names:
            if ordering in SPEC.offered(filters):
                asked = urlencode({**filters, "ordering": ordering}, safe=",")
                yield f"/api/v1/incidents/?{asked}"


def _declared() -> Iterator[dict[str, str]]:
    """One value for each filter, from the middle of those that occur."""
    yield {}
    for state in ("new", "in_progress", "on_hold", "resolved", "closed"):
        yield {"state": state}
    yield {"active": "true"}
    for priority in ("1", "3"):
        yield {"priority": priority}
        yield {"priority": priority, "active": "true"}
    yield {"breached": "true", "active": "true"}
    yield {"channel": "phone"}
    for name, table, column in (
        ("assignment_group", "people_team", "uuid"),
        ("assignee", "people_user", "uuid"),
        ("caller", "people_user", "uuid"),
        ("service", "services_service", "uuid"),
        ("category", "tickets_category", "uuid"),
    ):
        if value := _usual(name, table, column):
            yield {name: value}
            yield {name: value, "active": "true"}
    yield {"opened_at__gte": "2026-01-01"}


def _usual(name: str, table: str, column: str) -> str:
    rows = query(
        f"SELECT other.{column} FROM (SELECT {name}_id AS id, count(*) AS n FROM "
        f"(SELECT {name}_id FROM tickets_ticket WHERE {name}_id IS NOT NULL LIMIT 200000) s "
        f"GROUP BY 1) counted JOIN {table} other USING (id) ORDER BY n, 1"
    )
    return str(rows[len(rows) // 2][0]) if rows else ""
