"""A busy desk, and the counting of queries per page."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.pages.busy import Desk, open_desk

BASELINE = Path(__file__).parents[1] / "query_counts.json"


# What a transaction of a test adds around the page's own queries.
FRAMING = (
    "SAVEPOINT",
    "RELEASE",
    "BEGIN",
    "COMMIT",
    "SET LOCAL",
    "SELECT current_setting",
    "SELECT set_config",
)


@pytest.fixture
def open_busy_desk(
    home: Any, system: Any, agent: Any, lead: Any, caller: Any, team: Any, make_user: Any
) -> Callable[..., Desk]:
    def make(count: int = 14) -> Desk:
        return open_desk(
            home=home, system=system, agent=agent, lead=lead, caller=caller, team=team,
            make_user=make_user, count=count,
        )  # fmt: skip

    return make


@pytest.fixture
def desk(open_busy_desk: Callable[..., Desk]) -> Desk:
    return open_busy_desk()


@pytest.fixture
def count_queries() -> Callable[[str], Any]:
    """`with count_queries("name"):` fails above the reviewed number in tests/query_counts.json.

    A page that needs more says so in that file, where a reviewer sees it; who made one cheaper
    lowers its number there, so that what was won stays won.
    """
    baseline: dict[str, int] = json.loads(BASELINE.read_text(encoding="utf-8"))

    @contextmanager
    def counting(name: str) -> Any:
        with CaptureQueriesContext(connection) as context:
            yield
        asked = [query["sql"] for query in context.captured_queries]
        counted = [sql for sql in asked if not sql.startswith(FRAMING)]
        shown = "\n".join(f"{number:2} {sql[:180]}" for number, sql in enumerate(counted, 1))
        assert name in baseline, f"no baseline for {name}: it takes {len(counted)}\n{shown}"
        assert len(counted) <= baseline[name], (
            f"{name} takes {len(counted)} queries, reviewed were {baseline[name]}:\n{shown}"
        )

    return counting
