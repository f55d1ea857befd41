"""One row in a process of its own: `python -m benchmarks.one ROW --tickets N --out FILE`.

So that no row warms another one's caches or adds to its memory. The environment names the database.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import django

django.setup()

from benchmarks.context import Bench  # noqa: E402 - models need the set-up
from benchmarks.names import ROWS  # noqa: E402
from benchmarks.rows import MEASURES  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("row", choices=[*ROWS, "prepare"])
    parser.add_argument("--tickets", type=int, required=True)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    bench = Bench(given.tickets, repeat=given.repeat, quick=given.quick)
    if given.row == "prepare":
        bench.prepare()
        return
    found = []
    for one in MEASURES[given.row](bench):
        one.tickets = given.tickets
        found.append(one.plain())
    given.out.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
