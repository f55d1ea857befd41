"""The table on the terminal and the file beside it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure

_MARKS = {"goal": "✔✔", "must": "✔", "miss": "✘", "": ""}


def show(figures: Sequence[Figure], facts: dict[str, Any]) -> None:
    """Figures of a growth pair stay in the file: the table shows the worst."""
    console = Console(width=None if os.isatty(1) else 170, highlight=False)
    for size in sorted({one.tickets for one in figures}):
        table = Table(title=f"{size:,} tickets", title_justify="left", pad_edge=False)
        for name in ("", "measured", "must", "goal", "floor", "x floor", "", "note"):
            table.add_column(name, justify="left" if name in ("", "note") else "right")
        for one in figures:
            if one.tickets != size or one.growth:
                continue
            floor = f"{spelled(one.floor, one.unit)}" if one.floor is not None else ""
            table.add_row(
                one.name,
                spelled(one.value, one.unit),
                spelled(one.must, one.unit),
                spelled(one.goal, one.unit),
                floor,
                f"{one.ratio:.1f}" if one.ratio is not None else "",
                _MARKS[one.mark],
                "; ".join(part for part in (one.floor_name, one.note) if part),
            )
        console.print(table)
    console.print(
        f"✔✔ goal, ✔ must, ✘ missed. PostgreSQL {facts['server_version']}, "
        f"{'embedded' if facts['embedded'] else 'given by DATABASE_URL'}, "
        f"fsync {facts['fsync']}, synchronous_commit {facts['synchronous_commit']}; "
        f"{facts['cores']} cores, load before {facts['load_before']:.1f}, after "
        f"{facts['load_after']:.1f}. Clients, server and database share the cores."
    )


def spelled(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    text = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def machine() -> dict[str, Any]:
    """What it was measured on, and how busy that was before."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    ).stdout.strip()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
    }


def save(folder: Path, figures: Sequence[Figure], facts: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    stamp = facts["at"].replace(":", "").replace("-", "")[:15]
    path = folder / f"bench-{stamp}.json"
    content = {"facts": facts, "figures": [one.plain() for one in figures]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
