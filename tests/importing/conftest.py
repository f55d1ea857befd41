from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from incidents.models import Incident
from spine.people.models import User
from spine.tickets.importing.mapping import Mapping, parse
from spine.tickets.importing.runs import Summary, run_import

EVENTS = """
kind: incident
source: other-desk
nulls: ["?"]
dates: "%d/%m/%Y %H:%M"
key: number
events: {order: mod, at: at, actor: by}
fields:
  title: {join: [category, sub], with: " / ", default: No category}
  state:
    column: state
    values:
      New: new
      Active: in_progress
      Awaiting User Info: {state: on_hold, hold_reason: awaiting_caller}
      Resolved: resolved
      Closed: closed
    keep: ["-100"]
  impact: {column: impact, convert: prefix_number}
  urgency: {column: urgency, convert: prefix_number}
  caller: {column: caller, default: Nobody known}
  assignment_group: group
  assignee: assignee
  category: category
  subcategory: sub
  channel: {column: channel, values: {Phone: phone, Mail: email}, default: phone}
  opened_at: opened
  resolved_at: resolved
  closed_at: closed
  breached: {column: kept, invert: true}
  reassignment_count: moves
  close_code: code
custom:
  room: room
references:
  problem: problem
"""
HEADER = (
    "number,mod,at,by,state,impact,urgency,caller,group,assignee,category,sub,channel,"
    "opened,resolved,closed,kept,moves,code,room,problem"
)


def event(number: str = "T1", mod: int | str = 0, state: str = "New", **values: Any) -> str:
    """A row of the file; every column may be given by name."""
    hour = 9 + mod % 12 if isinstance(mod, int) else 9
    row = {
        "number": number, "mod": mod, "at": f"1/3/2016 {hour:02}:00", "by": "Clerk",
        "state": state, "impact": "2 - Medium", "urgency": "2 - Medium", "caller": "Caller 1",
        "group": "Group 1", "assignee": "?", "category": "Network", "sub": "Cable",
        "channel": "Phone", "opened": "1/3/2016 08:30", "resolved": "?", "closed": "?",
        "kept": "true", "moves": "0", "code": "?", "room": "?", "problem": "?",
        **values,
    }  # fmt: skip
    return ",".join(str(row[name]) for name in HEADER.split(","))


def life(number: str, **values: Any) -> list[str]:
    """Five events of one ticket, from new to closed."""
    outcome = {"resolved": "1/3/2016 12:00", "closed": "6/3/2016 12:00", "code": "solved"}
    steps = [
        ("New", {}),
        ("Active", {"group": "Group 2", "assignee": "Resolver 1", "moves": 1}),
        ("Awaiting User Info", {"group": "Group 2", "assignee": "Resolver 1", "moves": 1}),
        ("Resolved", {"group": "Group 2", "assignee": "Resolver 1", "moves": 1}),
        ("Closed", {"group": "Group 2", "assignee": "Resolver 1", "moves": 1, "kept": "false"}),
    ]
    return [
        event(number, mod, state, **{**outcome, **extra, **values})
        for mod, (state, extra) in enumerate(steps)
    ]


@pytest.fixture
def mapping() -> Mapping:
    return parse(EVENTS.encode())


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def make(*rows: str, name: str = "events.csv", encoding: str = "utf-8", mark: str = "") -> Path:
        path = tmp_path / name
        path.write_bytes((mark + "\n".join([HEADER, *rows]) + "\n").encode(encoding))
        return path

    return make


@pytest.fixture
def load(system: User, mapping: Mapping, tmp_path: Path) -> Callable[..., Summary]:
    def run(path: Path, **options: Any) -> Summary:
        options.setdefault("mapping", mapping)
        return run_import(actor=system, path=path, **options)

    return run


def everything() -> list[Any]:
    """All that an import wrote, without what is drawn or counted anew each time."""
    found = []
    incidents = Incident.objects.order_by("external_id").select_related(
        "caller", "assignee", "assignment_group", "category", "subcategory"
    )
    for incident in incidents.prefetch_related("history", "references"):
        found.append(
            (
                incident.external_id, incident.title, incident.state, incident.hold_reason,
                incident.priority, incident.caller.external_id,
                incident.assignee and incident.assignee.external_id,
                incident.assignment_group and incident.assignment_group.name,
                incident.opened_at, incident.resolved_at, incident.closed_at,
                incident.updated_at, incident.breached, incident.close_code, incident.custom,
                incident.category and incident.category.name,
                incident.subcategory and incident.subcategory.name,
                [
                    (e.position, e.at, e.actor_label, e.verb, e.state_label, e.changes)
                    for e in incident.history.all()
                ],
                sorted((r.relation, r.external_id) for r in incident.references.all()),
            )
        )  # fmt: skip
    return found
