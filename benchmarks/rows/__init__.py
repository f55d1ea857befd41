"""How each row is measured, by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.context import Bench
from benchmarks.figures import Figure
from benchmarks.rows import clocks, growth, installation, reading, writing

MEASURES: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "floor": writing.floors,
    "list": reading.listed,
    "page": reading.page,
    "record": reading.record,
    "search": reading.search,
    "growth": growth.pairs,
    "visit": installation.visit,
    "memory": installation.memory,
    "create": writing.create,
    "bulk": writing.bulk,
    "import": writing.events,
    "sweep": clocks.idle,
    "due": clocks.due,
    "start": installation.start,
}
