"""The fields that an import may fill, by name: Ticket's own here, each kind's in its app.

An app that wants its tickets imported has a module `importing` that registers a `Target`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from django.apps import apps
from django.utils.module_loading import autodiscover_modules

from spine.tickets import kinds
from spine.tickets.fields import DESCRIPTION_MAX, TITLE_MAX
from spine.tickets.models import Channel, HoldReason, Ticket

# Types of fields; what each makes of a column is in `mapping`.
TEXT = "text"
NAME = "name"
NUMBER = "number"
MOMENT = "moment"
FLAG = "flag"
CHOICE = "choice"
STATE = "state"
PERSON = "person"
TEAM = "team"
ORGANIZATION = "organization"
SERVICE = "service"
CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Field:
    """low, high: for numbers; limit: characters; choices: codes that are allowed.

    outcome: what became of the ticket in the end; never told as known at an earlier event.
    """

    name: str
    type: str
    low: int = 0
    high: int = 2_147_483_647
    limit: int = 200
    choices: frozenset[str] = frozenset()
    required: bool = False
    outcome: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """What an import needs to know of a kind. fields: the child table's own columns."""

    kind: str
    fields: tuple[Field, ...]
    _by_name: dict[str, Field] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for item in (*TICKET_FIELDS, *self.fields):
            self._by_name[item.name] = item

    def every(self) -> list[Field]:
        return list(self._by_name.values())

    def get(self, name: str) -> Field | None:
        return self._by_name.get(name)

    @property
    def own_names(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.fields)

    def model(self) -> type[Ticket]:
        model: type[Ticket] = kinds.get(self.kind).model_class()
        return model

    def states(self) -> frozenset[str]:
        return frozenset(state.code for state in kinds.get(self.kind).lifecycle.states)


TICKET_FIELDS = (
    Field("title", NAME, limit=TITLE_MAX, required=True),
    Field("description", TEXT, limit=DESCRIPTION_MAX),
    Field("state", STATE),
    Field("hold_reason", CHOICE, choices=frozenset(HoldReason.values)),
    Field("impact", NUMBER, low=1, high=3),
    Field("urgency", NUMBER, low=1, high=3),
    Field("priority", NUMBER, low=1, high=5),
    Field("caller", PERSON, required=True),
    Field("opened_by", PERSON),
    Field("assignee", PERSON),
    Field("assignment_group", TEAM),
    Field("organization", ORGANIZATION),
    Field("service", SERVICE),
    Field("category", CATEGORY),
    Field("subcategory", CATEGORY),
    Field("channel", CHOICE, choices=frozenset(Channel.values)),
    Field("follow_up_at", MOMENT),
    Field("opened_at", MOMENT, required=True),
    Field("resolved_at", MOMENT, outcome=True),
    Field("closed_at", MOMENT, outcome=True),
    Field("updated_at", MOMENT),
    Field("response_breached", FLAG),
    Field("breached", FLAG),
    Field("reassignment_count", NUMBER, high=1_000_000),
    Field("reopen_count", NUMBER, high=1_000_000),
)

# What the timeline tells, in this order: who had it, in which state, and how it was judged.
TOLD = (
    "state",
    "hold_reason",
    "assignment_group",
    "assignee",
    "impact",
    "urgency",
    "priority",
    "service",
    "category",
    "subcategory",
    "caller",
    "breached",
    "reopen_count",
)

_targets: dict[str, Target] = {}


def register(target: Target) -> Target:
    if target.kind in _targets:
        raise RuntimeError(f"two importers for {target.kind}")
    _targets[target.kind] = target
    return target


@cache
def _discover() -> None:
    apps.check_models_ready()
    autodiscover_modules("importing")


def every() -> dict[str, Target]:
    _discover()
    return dict(_targets)
