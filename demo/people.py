"""The company's people: 5,000 in 300 departments, with leavers, namesakes and vacant posts."""

from __future__ import annotations

import random
import re
import unicodedata
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.hashers import make_password

from demo.content import company
from spine.audit.operations import Operation
from spine.people import naming
from spine.people.models import (
    Department,
    Grant,
    Organization,
    Team,
    TeamMember,
    User,
)
from spine.people.roles import Role
from spine.tickets.importing.copying import copy_rows, reserve_ids

PEOPLE = 5_000
DEPARTMENTS = 300
SOURCE = "demo"
PASSWORD = "demo"  # noqa: S105 - the demo accounts' published password
DOMAIN = "kestrel.example"
LEAVERS = 0.06
VACANT = 0.08
_NOT_LETTER = re.compile(r"[^a-z]+")


@dataclass(slots=True)
class Staff:
    """What the tickets need of the company. callers: active people by language."""

    home: Organization
    partner: Organization
    accounts: dict[str, User] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    members: dict[str, list[User]] = field(default_factory=dict)
    callers: dict[str, list[User]] = field(default_factory=dict)
    sites: dict[int, str] = field(default_factory=dict)  # user id -> site
    parts: dict[str, list[Department]] = field(default_factory=dict)  # site -> departments there


def build(dice: random.Random, moment: datetime, actor: User, op: Operation) -> Staff:
    """Everybody, in the open operation. Runs once per database."""
    staff = Staff(*_organizations(op))
    users, leavers = _users(dice, moment, staff)
    _store_users(users)
    _departments(dice, staff, [user for user in users if user.pk not in leavers])
    _teams(dice, staff, users, leavers, actor, op)
    op.record(target=staff.home, verb="organization.demo_loaded", data={"people": len(users)})
    return staff


def _organizations(op: Operation) -> tuple[Organization, Organization]:
    found = []
    for code, given in company()["organizations"].items():
        row, _made = Organization.objects.update_or_create(
            code=code, defaults={"name": given["name"], "is_partner": code != "home"}
        )
        op.record(target=row, verb="organization.created", data={"name": row.name})
        found.append(row)
    return found[0], found[1]


def _users(dice: random.Random, moment: datetime, staff: Staff) -> tuple[list[User], set[int]]:
    """Demo accounts first, then everybody else; the ids of those who left."""
    data = company()
    ids = reserve_ids("people_user", PEOPLE)
    taken = set(User.objects.values_list("username", flat=True))
    digest, users, leavers = make_password(PASSWORD), [], set()
    for username, account in data["accounts"].items():
        organization = staff.partner if account.get("organization") == "partner" else staff.home
        user = _user(next(ids), username, account["name"], account["site"], organization, moment)
        user.title, user.vip = account["title"], account.get("vip", False)
        user.language, user.password = account["language"], digest
        staff.accounts[username] = user
        staff.sites[user.pk] = account["site"]
        users.append(user)
        taken.add(username)
    sites = list(data["sites"])
    shares = [data["sites"][site]["share"] for site in sites]
    for pk in ids:
        site = dice.choices(sites, shares)[0]
        chinese = data["sites"][site]["language"] == "zh-hans"
        name = _name(dice, chinese, len(users))
        username = _username(name, taken)
        outside = dice.random() < 0.02
        organization = staff.partner if outside else staff.home
        user = _user(pk, username, name, site, organization, moment)
        user.title = dice.choice(data["titles_zh" if chinese else "titles_en"])
        user.vip = dice.random() < 0.008
        joined = dice.uniform(0, 12 * 365)
        user.created_at = moment - timedelta(days=joined + 200)
        if dice.random() < LEAVERS:
            user.is_active = False
            user.left_at = moment - timedelta(days=dice.uniform(3, 300))
            leavers.add(pk)
        staff.sites[pk] = site
        users.append(user)
    for user in users:
        if user.is_active and user.organization_id == staff.home.pk:
            staff.callers.setdefault(user.language, []).append(user)
    return users, leavers


def _user(
    pk: int, username: str, name: str, site: str, organization: Organization, moment: datetime
) -> User:
    place = company()["sites"][site]
    local = f"{username}@{DOMAIN}"
    return User(
        pk=pk,
        uuid=uuid.uuid4(),
        username=username,
        email=local,
        name=name,
        sort_key=naming.sort_key(name),
        search_text=naming.spellings(name, username, local),
        phone=f"+{420 if place['language'] == 'en' else 86} 555 {pk % 10_000:04}",
        location=site,
        organization=organization,
        language=place["language"],
        timezone=place["zone"],
        created_at=moment - timedelta(days=900),
        password="!",  # noqa: S106 - nobody but the demo accounts can sign in
        external_source=SOURCE,
        external_id=username,
    )


def _name(dice: random.Random, chinese: bool, place: int) -> str:
    data = company()
    if not chinese:
        return f"{dice.choice(data['given_en'])} {dice.choice(data['family_en'])}"
    if place % 250 == 17:
        # The name that every company has several of.
        return "张伟"
    return str(dice.choice(data["family_zh"])) + str(dice.choice(data["given_zh"]))


def _username(name: str, taken: set[str]) -> str:
    if naming.has_han(name):
        sounds = naming.syllables(name)
        plain = f"{''.join(sounds[1:])}.{sounds[0]}"
    else:
        plain = ".".join(name.lower().split())
    folded = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    base = ".".join(_NOT_LETTER.sub("", part) for part in folded.split("."))
    username, number = base, 2
    while username in taken:
        username, number = f"{base}{number}", number + 1
    taken.add(username)
    return username


def _store_users(users: list[User]) -> None:
    fields = [f for f in User._meta.local_concrete_fields if f.name != "manager"]
    copy_rows(
        "people_user",
        [str(f.column) for f in fields],
        ([getattr(user, f.attname) for f in fields] for user in users),
    )


def _departments(dice: random.Random, staff: Staff, people: list[User]) -> None:
    """Company, divisions, their departments by site, sections below; a manager for most."""
    tree = _tree(staff)
    leaves = [node for nodes in staff.parts.values() for node in nodes]
    inside: dict[int, list[User]] = {}
    memberships = []
    for user in people:
        if user.organization_id != staff.home.pk:
            continue
        home = dice.choice(staff.parts[staff.sites[user.pk]])
        inside.setdefault(home.pk, []).append(user)
        memberships.append((user.pk, home.pk, True))
        if dice.random() < 0.06:
            second = dice.choice(leaves)
            if second.pk != home.pk:
                memberships.append((user.pk, second.pk, False))
    copy_rows("people_membership", ("user_id", "department_id", "is_primary"), memberships)
    _appoint(dice, tree, inside)
    Department.objects.bulk_update(tree, ["manager"])
    _managers(inside, tree)


def _appoint(dice: random.Random, tree: list[Department], inside: dict[int, list[User]]) -> None:
    """A manager for most departments, out of those who work below; a vacant post is normal."""
    below: dict[int, list[User]] = {pk: list(users) for pk, users in inside.items()}
    for node in reversed(tree):
        people = below.get(node.pk, [])
        if node.parent_id is not None:
            below.setdefault(node.parent_id, []).extend(people)
        if people and dice.random() >= VACANT:
            node.manager = dice.choice(people)


def _tree(staff: Staff) -> list[Department]:
    data = company()
    chinese = [name for name, site in data["sites"].items() if site["language"] == "zh-hans"]
    # (name, place of the one above, site or "")
    specs: list[tuple[str, int | None, str]] = [(data["organizations"]["home"]["name"], None, "")]
    middles: list[int] = []
    for division, departments in data["divisions"].items():
        specs.append((division, 0, ""))
        top = len(specs) - 1
        for department in departments:
            specs.append((department, top, ""))
            middles.append(len(specs) - 1)
    # The rest of the 300 are the departments' parts at the sites, turn by turn.
    sites = list(data["sites"])
    turn = 0
    while len(specs) < DEPARTMENTS:
        middle = middles[turn % len(middles)]
        name = specs[middle][0]
        round_ = turn // len(middles)
        own = chinese if naming.has_han(name) else sites
        turn += 1
        if round_ < len(own):
            site = own[(round_ + middle) % len(own)]
            shown = data["sites"][site]["zh"] if naming.has_han(name) else site
            specs.append((f"{name} · {shown}", middle, site))
    ids = list(reserve_ids("people_department", len(specs)))
    nodes: list[Department] = []
    for pk, (name, parent, site) in zip(ids, specs, strict=True):
        above = nodes[parent] if parent is not None else None
        node = Department(
            pk=pk,
            organization=staff.home,
            name=name,
            parent=above,
            path=f"{above.path if above else '/'}{pk}/",
        )
        nodes.append(node)
        if site:
            staff.parts.setdefault(site, []).append(node)
    Department.objects.bulk_create(nodes)
    return nodes


def _managers(inside: dict[int, list[User]], tree: list[Department]) -> None:
    """Everybody reports to their department's manager, or to the next one up."""
    by_id = {node.pk: node for node in tree}
    for node in tree:
        boss, above = node.manager_id, node
        while boss is None and above.parent_id is not None:
            above = by_id[above.parent_id]
            boss = above.manager_id
        ids = [user.pk for user in inside.get(node.pk, ()) if user.pk != boss]
        if boss is not None and ids:
            User.objects.filter(pk__in=ids).update(manager_id=boss)
        if node.manager_id is not None and node.parent_id is not None:
            upper = by_id[node.parent_id].manager_id
            if upper is not None and upper != node.manager_id:
                User.objects.filter(pk=node.manager_id).update(manager_id=upper)


def _teams(
    dice: random.Random,
    staff: Staff,
    users: list[User],
    leavers: set[int],
    actor: User,
    op: Operation,
) -> None:
    data = company()
    able = [u for u in users if u.pk not in leavers and u.username not in staff.accounts]
    dice.shuffle(able)
    for name, given in data["teams"].items():
        organization = staff.partner if given.get("organization") == "partner" else staff.home
        team, _made = Team.objects.update_or_create(
            name=name,
            defaults={
                "organization": organization,
                "description": str(given["text"]),
                "restricted": given.get("restricted", False),
                "sort_key": naming.sort_key(name),
                "email": "",
            },
        )
        wanted = "zh-hans" if naming.has_han(name) else None
        pool = [
            u for u in able
            if u.organization_id == organization.pk and wanted in (None, u.language)
        ]  # fmt: skip
        members = pool[: given["size"]]
        able = [u for u in able if u not in members]
        members += [
            staff.accounts[username]
            for username, account in data["accounts"].items()
            if name in account.get("teams", ())
        ]
        staff.teams[name], staff.members[name] = team, members
        TeamMember.objects.bulk_create([TeamMember(team=team, user=user) for user in members])
        lead = next((staff.accounts[u] for u, a in data["accounts"].items()
                     if name in a.get("leads", ())), members[0])  # fmt: skip
        Team.objects.filter(pk=team.pk).update(lead=lead)
        role = Role.PARTNER if organization == staff.partner else Role.AGENT
        _grant(op, actor, role, team=team, organization=_scope(role, organization))
        op.record(target=team, verb="team.created", data={"name": name})
    for username, account in data["accounts"].items():
        if "role" in account:
            user = staff.accounts[username]
            role = Role(account["role"])
            _grant(op, actor, role, user=user, organization=_scope(role, user.organization))


def _scope(role: Role, organization: Organization) -> Organization | None:
    return organization if role == Role.PARTNER else None


def _grant(op: Operation, actor: User, role: Role, **who: Any) -> None:
    row = Grant.objects.create(role=role, granted_by=actor, reason="demo", **who)
    op.record(target=row.user or row.team, verb="grant.created", data={"role": str(role)})


def loaded() -> bool:
    """Whether the demo company is here already."""
    found: bool = User.objects.filter(external_source=SOURCE).exists()
    return found
