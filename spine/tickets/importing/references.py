"""Names in the file become rows here: people, teams, services, categories, made on first use.

Nothing is kept between batches, so memory does not grow with the number of different names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import connection
from django.db.models.functions import Lower

from spine.audit.operations import Operation
from spine.people import naming
from spine.people.models import Organization, Team, User
from spine.services.models import Service
from spine.tickets.importing.folding import Record
from spine.tickets.importing.mapping import Mapping
from spine.tickets.models import Category

_NOT_ALNUM = re.compile(r"[^a-z0-9]+")
CategoryKey = tuple[str, str]


@dataclass(slots=True)
class Known:
    """Ids by the names that the file uses. A category's key is (category, subcategory or "")."""

    home: int
    organizations: dict[str, int] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    teams: dict[str, int] = field(default_factory=dict)
    services: dict[str, int] = field(default_factory=dict)
    categories: dict[CategoryKey, int] = field(default_factory=dict)


class Resolver:
    """Finds or makes what records refer to, in the open operation."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._person_fields = [
            item.name for item in mapping.target.every() if item.type == "person"
        ]
        self._home = home()

    def resolve(self, records: Iterable[Record], op: Operation) -> Known:
        people: set[str] = set()
        teams: set[str] = set()
        services: set[str] = set()
        categories: set[CategoryKey] = set()
        for record in records:
            values = record.values
            people |= {values[name] for name in self._person_fields if values.get(name)}
            teams |= record.teams
            if values.get("service"):
                services.add(values["service"])
            if values.get("category"):
                categories.add((values["category"], ""))
                if values.get("subcategory"):
                    categories.add((values["category"], values["subcategory"]))
        return Known(
            home=self._home.pk,
            organizations=dict(Organization.objects.values_list("code", "id")),
            people=self._people(people, op),
            teams=self._teams(teams, op),
            services=self._services(services, op),
            categories=self._categories(categories, op),
        )

    def _people(self, names: set[str], op: Operation) -> dict[str, int]:
        found = self._matched(names)
        source = self._mapping.source
        external = User.objects.filter(
            external_source=source, external_id__in=names - found.keys()
        ).values_list("external_id", "id")
        found |= dict(external)
        missing = sorted(names - found.keys())
        if not missing:
            return found
        made = User.objects.bulk_create([self._leaver(name) for name in missing])
        for user in made:
            op.record(
                target=user,
                verb="user.imported",
                data={"source": source, "external_id": user.external_id},
                personal=("external_id",),
            )
        return found | {user.external_id: user.pk for user in made}

    def _matched(self, names: set[str]) -> dict[str, int]:
        """People of our own directory, where the mapping says how to recognise them."""
        match = self._mapping.people_match
        if match == "external" or not names:
            return {}
        by_lower = {name.lower(): name for name in names}
        own = User.objects.people().filter(external_source="")
        rows = (
            own.annotate(lowered=Lower(match))
            .filter(lowered__in=by_lower)
            .order_by("-is_active", "id")
            .values_list("lowered", "id")
        )
        found: dict[str, int] = {}
        for lowered, pk in rows:
            found.setdefault(by_lower[lowered], pk)
        return found

    def _leaver(self, name: str) -> User:
        """Somebody the other system knew. They can't sign in: nobody vouched for who they are."""
        source = self._mapping.source
        username = external_username(source, name)
        user = User(
            username=username,
            name=name,
            sort_key=naming.sort_key(name),
            search_text=naming.spellings(name, username),
            organization=self._home,
            is_active=False,
            external_source=source,
            external_id=name,
        )
        user.set_unusable_password()
        return user

    def _teams(self, names: set[str], op: Operation) -> dict[str, int]:
        found = dict(Team.objects.filter(name__in=names).values_list("name", "id"))
        missing = sorted(names - found.keys())
        made = Team.objects.bulk_create(
            [
                Team(name=name, organization=self._home, sort_key=naming.sort_key(name))
                for name in missing
            ]
        )
        for team in made:
            op.record(target=team, verb="team.imported", data={"source": self._mapping.source})
        return found | {team.name: team.pk for team in made}

    def _services(self, names: set[str], op: Operation) -> dict[str, int]:
        found = dict(Service.objects.filter(name__in=names).values_list("name", "id"))
        missing = sorted(names - found.keys())
        made = Service.objects.bulk_create(
            [Service(name=name, sort_key=naming.sort_key(name)) for name in missing]
        )
        for service in made:
            op.record(
                target=service, verb="service.imported", data={"source": self._mapping.source}
            )
        return found | {service.name: service.pk for service in made}

    def _categories(self, keys: set[CategoryKey], op: Operation) -> dict[CategoryKey, int]:
        tops = self._level({key[0]: None for key in keys}, op)
        found: dict[CategoryKey, int] = {(name, ""): pk for name, pk in tops.items()}
        by_parent: dict[str, list[str]] = {}
        for top, sub in keys:
            if sub:
                by_parent.setdefault(top, []).append(sub)
        for top, subs in sorted(by_parent.items()):
            below = self._level(dict.fromkeys(subs, tops[top]), op)
            found |= {(top, name): pk for name, pk in below.items()}
        return found

    def _level(self, names: dict[str, int | None], op: Operation) -> dict[str, int]:
        """Categories that share one parent (or none). names: {name: parent id}."""
        if not names:
            return {}
        kind = self._mapping.target.kind
        parent = next(iter(names.values()))
        rows = Category.objects.filter(kind=kind, parent_id=parent, name__in=names)
        found = dict(rows.values_list("name", "id"))
        missing = sorted(names.keys() - found.keys())
        made = Category.objects.bulk_create(
            [
                Category(kind=kind, parent_id=parent, name=name, sort_key=naming.sort_key(name))
                for name in missing
            ]
        )
        for category in made:
            op.record(
                target=category, verb="category.imported", data={"source": self._mapping.source}
            )
        return found | {category.name: category.pk for category in made}


def external_username(source: str, name: str) -> str:
    """Readable, and different for different names: "uci.caller-2403.1f0c9a2b"."""
    spelled = " ".join(naming.syllables(name)) if naming.has_han(name) else name
    slug = _NOT_ALNUM.sub("-", spelled.lower()).strip("-")[:60]
    digest = hashlib.blake2b(f"{source}\n{name}".encode(), digest_size=6).hexdigest()
    return ".".join(part for part in (source[:60], slug, digest) if part)


def home() -> Organization:
    """The company itself: the first organization that is no partner."""
    own = Organization.objects.filter(is_partner=False).order_by("id").first()
    return own or User.objects.system().organization


def organization_codes() -> frozenset[str]:
    return frozenset(Organization.objects.values_list("code", flat=True))


def lock_makers() -> None:
    """Until the transaction ends, no other import makes people, teams or categories: two files
    that name the same new team would otherwise trip over each other."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtext('evenkeel.import.references'))")
