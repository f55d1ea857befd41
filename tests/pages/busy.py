"""A desk on an ordinary day, made through the actions that people use: teams, services, promises,
incidents in every state, with words and files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from typing import Any

import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from incidents import actions
from incidents.models import Incident
from spine.kit.clock import now
from spine.people.models import Department, Membership, Team, User
from spine.people.naming import sort_key
from spine.services.models import Service
from spine.sla.defaults import ensure_defaults
from spine.tickets.models import Category
from tests.triage import triaged

TITLES = [
    ("Payments API returns 502 for card top-ups", "Payments", 1, 1),
    ("财务系统登录后白屏，全部门无法报销", "ERP Finance", 1, 2),
    ("VPN drops every 20 minutes on the Shanghai gateway", "Remote access", 2, 1),
    ("Label printer in Warehouse 3 prints blank pages", "Printing", 2, 2),
    ("Shared mailbox purchasing@ missing for new starters", "E-mail", 3, 2),
    ("Dashboards slow after the weekend release (Chromium only)", "Reporting", 2, 2),
    ("Badge reader at the north entrance rejects contractors", "Facilities IT", 3, 1),
    ("Phone display shows another name after the move to floor 4", "Telephony", 3, 3),
    ("Backup of db-orders-02 failed twice", "Orders database", 1, 2),
    ("Teams room 4.12: camera not found", "Meeting rooms", 3, 2),
    ("Cannot open attachments larger than 5 MB from the tablet", "E-mail", 3, 3),
    ("Time sheet export drops the last column", "ERP Finance", 2, 3),
    ("Wireless in the canteen is gone since the power cut", "Network", 2, 1),
    ("Scanner at goods-in reads every third label only", "Printing", 2, 3),
]


def picture(color: str = "steelblue", size: tuple[int, int] = (320, 120)) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class Desk:
    team: Team
    other_team: Team
    services: dict[str, Service]
    category: Category
    subcategory: Category
    incidents: list[Incident] = field(default_factory=list)


def open_desk(
    *, home: Any, system: User, agent: User, lead: User, caller: User, team: Team,
    make_user: Callable[..., User], count: int = 14,
) -> Desk:  # fmt: skip
    """`count` incidents of the team, opened one after another over the last two days."""
    ensure_defaults(system)
    retail = Department.objects.create(organization=home, name="Retail operations", path="/1/")
    Membership.objects.create(user=caller, department=retail, is_primary=True)
    User.objects.filter(pk=caller.pk).update(vip=True, location="Brno", phone="+420 5 1234 5678")
    other = make_user("jonas.ortiz", "agent", name="Jonas Ortiz-Hernández")
    li = make_user("li.wei", "agent", name="李伟")
    platform = Team.objects.create(name="Platform", organization=home, sort_key="platform")
    platform.members.add(other, li)
    team.members.add(other, li)
    network = Category.objects.create(kind="incident", name="Network", sort_key="network")
    vpn = Category.objects.create(kind="incident", name="VPN", parent=network, sort_key="vpn")
    names = dict.fromkeys(service for _title, service, _impact, _urgency in TITLES)
    services = {name: Service.objects.create(name=name, sort_key=sort_key(name)) for name in names}
    desk = Desk(team, platform, services, network, vpn)
    people = [agent, other, None, li, agent]
    moment = now()
    for index in range(count):
        title, service, impact, urgency = TITLES[index % len(TITLES)]
        suffix = "" if index < len(TITLES) else f" ({index})"
        spread = [0.4, 3, 7, 20, 30, 9, 1, 26, 14, 40, 2, 16, 5, 44][index % 14]
        with time_machine.travel(moment - timedelta(hours=spread, minutes=index), tick=True):
            desk.incidents.append(
                triaged(
                    actions.open_incident(
                        actor=caller,
                        values={
                            "title": title + suffix,
                            "description": "Since this morning. After a restart: the same.",
                            "impact": impact,
                            "urgency": urgency,
                            "service": services[service],
                            "channel": "portal",
                            "category": network,
                        },
                    ),
                    assignment_group=team,
                )
            )
            _work_on(desk.incidents[-1], index, people[index % 5], caller)
    desk.incidents = list(
        Incident.objects.filter(pk__in=[one.pk for one in desk.incidents]).order_by("pk")
    )
    return desk


def _work_on(incident: Incident, index: int, person: User | None, caller: User) -> None:
    if person is None:
        return
    taken = actions.take(incident, actor=person)
    if index % 14 in (3, 7):
        actions.move_incident(
            taken,
            "hold",
            actor=person,
            values={
                "hold_reason": "awaiting_vendor" if index % 2 else "awaiting_caller",
                "follow_up_at": (now() + timedelta(days=3)).isoformat(),
                "comment": "Please send us the serial number.",
            },
        )
    if index % 14 == 9:
        actions.move_incident(
            taken,
            "resolve",
            actor=person,
            values={"close_code": "solution_provided", "close_notes": "Camera cable replaced."},
        )
    if index % 14 == 5:
        actions.comment_on(taken, actor=person, body="Could you tell us which browser it is?")
        actions.comment_on(taken, actor=caller, body="Chromium 140, on the new laptops only.")


def tell_a_story(incident: Incident, agent: User, caller: User) -> Incident:
    """Words, notes, a picture, changes of fields: what a record's page is made for."""
    note = "Pool on `pay-db-02` is at its limit since **09:38**. Rolling back needs the group."
    png = SimpleUploadedFile("topup-502.png", picture(), "image/png")
    log = SimpleUploadedFile("gateway.log", b"502 upstream\n" * 40, "text/plain")
    actions.comment_on(
        incident,
        actor=caller,
        body="Three of our shops can't take top-ups.\n\n![topup-502.png](attachment:topup-502.png)",
        files=[png],
        channel="portal",
    )
    now_high = actions.update_incident(incident, actor=agent, values={"impact": 1, "urgency": 1})
    actions.comment_on(now_high, actor=agent, body=note, visibility="note", files=[log])
    actions.comment_on(
        now_high, actor=agent, body="We see it too and are on it. Next word at 11:00."
    )
    return now_high
