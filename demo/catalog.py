"""Services and categories, in both languages."""

from __future__ import annotations

import random

from demo.content import company
from demo.people import Staff
from spine.audit.operations import Operation
from spine.people import naming
from spine.services.models import Service
from spine.tickets.models import Category

Categories = dict[tuple[str, str], Category]


def build_services(dice: random.Random, staff: Staff, op: Operation) -> dict[str, Service]:
    found = {}
    for key, given in company()["services"].items():
        team = staff.teams[given["team"]]
        service, _made = Service.objects.update_or_create(
            name=given["name"],
            defaults={
                "translations": {"zh-hans": given["zh"]},
                "team": team,
                "owner": dice.choice(staff.members[given["team"]]),
                "criticality": given["criticality"],
                "tier": min(given["criticality"], 3),
                "sort_key": naming.sort_key(given["name"]),
            },
        )
        op.record(target=service, verb="service.created", data={"name": service.name})
        found[key] = service
    return found


def build_categories(op: Operation) -> Categories:
    """{(category, "" or subcategory): row}"""
    found: Categories = {}
    for name, given in company()["categories"].items():
        top = _category(name, given["zh"], None, op)
        found[name, ""] = top
        for below, chinese in given["below"].items():
            found[name, below] = _category(below, chinese, top, op)
    return found


def _category(name: str, chinese: str, parent: Category | None, op: Operation) -> Category:
    row, _made = Category.objects.update_or_create(
        kind="incident",
        parent=parent,
        name=name,
        defaults={"translations": {"zh-hans": chinese}, "sort_key": naming.sort_key(name)},
    )
    op.record(target=row, verb="category.created", data={"name": name})
    return row
