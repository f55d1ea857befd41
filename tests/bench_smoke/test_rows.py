"""Each row of `make bench` runs, on a few tickets; the figures mean nothing here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures import Figure, figure
from benchmarks.names import ROWS

ROOT = Path(__file__).parents[2]
# `start` runs all of `make demo`; tests/runtime does that on its own terms.
MEASURED = [row for row in ROWS if row != "start"]


def run(row: str, environment: dict[str, str], out: Path) -> list[dict[str, object]]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.one", row, "--quick", "--repeat", "1"),
            *("--tickets", "40", "--out", str(out)),
        ],
        cwd=ROOT,
        env={
            **environment,
            "DJANGO_SETTINGS_MODULE": "itsm.settings",
            "ITSM_API_RATE_LIMIT": "1000000",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[dict[str, object]] = json.loads(out.read_text()) if row != "prepare" else []
    return found


@pytest.mark.timeout(900)
def test_every_row_runs(child_environment: dict[str, str], tmp_path: Path) -> None:
    """One database for all of them: to fill it for each would take longer than to measure."""
    out = tmp_path / "figures.json"
    subprocess.run(
        [sys.executable, "-m", "benchmarks.generate", "--tickets", "40"],
        cwd=ROOT,
        env={**child_environment, "DJANGO_SETTINGS_MODULE": "itsm.settings"},
        check=True,
        capture_output=True,
    )
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "-v", "0"],
        cwd=ROOT,
        env=child_environment,
        check=True,
        capture_output=True,
    )
    run("prepare", child_environment, out)
    for row in MEASURED:
        found = run(row, child_environment, out)
        assert found, f"{row} gave no figure"
        assert all(one["value"] is not None for one in found)


def test_a_figure_is_marked_by_its_targets() -> None:
    slow = figure("list", "x", "ms", [30, 10, 20], [5, 5, 10], must=25, goal=12)
    assert (slow.value, slow.mark, slow.ratio) == (20, "must", 2)
    fast = figure("create", "x", "1/s", [500.0], [1000.0], better="more", must=150, goal=400)
    assert (fast.mark, fast.ratio) == ("goal", 2)
    assert Figure("x", "x", 1, "ms").mark == ""
    assert figure("x", "x", "ms", [99], must=25, goal=12).mark == "miss"
