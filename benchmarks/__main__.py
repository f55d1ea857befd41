"""`python -m benchmarks [--tickets 10000,1000000] [--rows create,list] [--quick] [--fresh]`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import database, report
from benchmarks.comparing import ratios
from benchmarks.figures import Figure
from benchmarks.names import ONCE, ROWS

SIZES = "10000,1000000"


def main() -> int:
    given = _arguments()
    facts = report.machine()
    sizes = sorted({int(size) for size in given.tickets.split(",")})
    figures: list[Figure] = []
    failed: list[str] = []
    wanted = [row for row in ROWS if row in given.rows] if given.rows else list(ROWS)
    unknown = set(given.rows or ()) - set(ROWS)
    if unknown:
        print(f"no such row: {', '.join(sorted(unknown))}; there are: {', '.join(ROWS)}")
        return 2
    _assets()
    for size in sizes:
        base = database.base(size, fresh=given.fresh)
        work = database.clone(base)
        try:
            _one("prepare", size, work, given)
            for row in wanted:
                if row in ONCE and size != sizes[0]:
                    continue
                began = time.monotonic()
                try:
                    figures += _one(row, size, work, given)
                except RuntimeError as error:
                    failed.append(f"{row} at {size:,}: {error}")
                print(
                    f"{size:,} tickets: {row} {time.monotonic() - began:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
        finally:
            database.drop(work)
    figures += _growth(figures, sizes)
    facts |= {**database.facts(), "load_after": os.getloadavg()[0], "quick": given.quick}
    facts |= {"repetitions": given.repeat, "failed": failed}
    report.show(figures, facts)
    print(f"in full: {report.save(given.out, figures, facts)}")
    for line in failed:
        print(f"not measured: {line}", file=sys.stderr)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--tickets", default=SIZES, help=f"sizes, by default {SIZES}")
    parser.add_argument("--rows", type=lambda text: text.split(","), help="only these rows")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions of each (median)")
    parser.add_argument("--quick", action="store_true", help="prove that it runs; no figures")
    parser.add_argument("--fresh", action="store_true", help="generate the data anew")
    parser.add_argument("--out", type=Path, default=database.ROOT / "bench-results")
    return parser.parse_args()


def _assets() -> None:
    """Collected as for production: hashed names, compressed."""
    static = Path(database.environment()["ITSM_DATA_DIR"]) / "static" / "staticfiles.json"
    built = database.ROOT / "static" / "dist" / "app.css"
    if not static.exists() or static.stat().st_mtime < built.stat().st_mtime:
        database.child("manage.py", "collectstatic", "--noinput", "-v", "0", database="postgres")


def _one(row: str, size: int, name: str, given: argparse.Namespace) -> list[Figure]:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        arguments = [row, "--tickets", str(size), "--repeat", str(given.repeat)]
        if given.quick:
            arguments.append("--quick")
        database.child("-m", "benchmarks.one", *arguments, "--out", file.name, database=name)
        text = Path(file.name).read_text(encoding="utf-8")
    return [_figure(one) for one in json.loads(text)] if text else []


def _figure(plain: dict[str, object]) -> Figure:
    plain.pop("mark")
    return Figure(**plain)  # type: ignore[arg-type]


def _growth(figures: list[Figure], sizes: list[int]) -> list[Figure]:
    pairs = [one for one in figures if one.growth]
    return list(
        ratios(
            [one for one in pairs if one.tickets == sizes[0]],
            [one for one in pairs if one.tickets == sizes[-1] != sizes[0]],
        )
    )


if __name__ == "__main__":
    sys.exit(main())
