"""The demo's content from its files: the company, and the stories of its incidents.

A story file is lines; the first character tells what a line is:

    @ service | category | subcategory | impact urgency | close code
    a title, then: "> " description, "c " the caller says, "a " the agent says, "n " a work note,
    "h " put on hold (reason without "awaiting_"), "= " the solution.

Words in braces are filled in anew for each incident.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parent
CALLER, AGENT, NOTE, HOLD = "c", "a", "n", "h"


@dataclass(slots=True)
class Story:
    """steps: (c, a, n or h, text) in order."""

    language: str
    service: str
    category: str
    subcategory: str
    impact: int
    urgency: int
    close_code: str
    title: str = ""
    description: str = ""
    steps: list[tuple[str, str]] = field(default_factory=list)
    solution: str = ""


@cache
def company() -> dict[str, Any]:
    with (FOLDER / "company.yaml").open(encoding="utf-8") as stream:
        loaded: dict[str, Any] = yaml.safe_load(stream)
    return loaded


@cache
def stories() -> tuple[Story, ...]:
    found: list[Story] = []
    for path in sorted((FOLDER / "stories").glob("*.txt")):
        found += _read(path)
    return tuple(found)


def _read(path: Path) -> list[Story]:
    language = "zh-hans" if path.name.startswith("zh") else "en"
    found: list[Story] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        mark, _space, text = line.partition(" ")
        if not line.strip() or mark == "#":
            continue
        if mark == "@":
            found.append(_head(language, text, f"{path.name}:{number}"))
        elif not found[-1].title:
            found[-1].title = line
        elif mark == ">":
            found[-1].description = text
        elif mark in {CALLER, AGENT, NOTE, HOLD}:
            found[-1].steps.append((mark, text))
        elif mark == "=":
            found[-1].solution = text
        else:
            raise ValueError(f"{path.name}:{number}: what is {mark!r}?")
    return found


def _head(language: str, text: str, place: str) -> Story:
    parts = [part.strip() for part in text.split("|")]
    if len(parts) != 5:
        raise ValueError(f"{place}: five parts are needed")
    impact, urgency = (int(value) for value in parts[3].split())
    return Story(language, parts[0], parts[1], parts[2], impact, urgency, parts[4])
