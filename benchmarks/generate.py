"""Fills an empty, migrated database with incidents: `python -m benchmarks.generate --tickets N`.

What has few rows (people, teams, phrases) is made here and copied; what has millions (tickets,
comments, trail, clocks, search documents) PostgreSQL makes from it by itself, between dropping and
rebuilding the indexes. A million takes some minutes.

    --running-clocks N   so many tickets have a running resolution clock, none of it due for weeks
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import django

YEARS = 3
TEAMS = 40
AGENTS_PER_TEAM = 6
VARIANTS = 30
SEED = 18
STATES = ("new", "in_progress", "on_hold")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--running-clocks", type=int, default=0)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "itsm.settings")
    django.setup()
    from incidents.models import Incident
    from spine.people.models import User
    from spine.sla.defaults import ensure_defaults

    if Incident.objects.exists():
        sys.exit("This database has incidents already: give the benchmarks one of their own.")
    system = User.objects.system()
    ensure_defaults(system)
    maker = Maker(options.tickets)
    with said("people, teams, services"):
        maker.company()
    with said("phrases"):
        maker.phrases()
    with quiet():
        for name, fill in (
            ("draws", maker.draws),
            ("tickets", maker.tickets),
            ("comments", maker.comments),
            ("clocks", maker.clocks),
            ("trail", maker.trail),
            ("search documents", maker.documents),
        ):
            with said(name):
                fill()
        if options.running_clocks:
            with said("running clocks"):
                maker.running_clocks(options.running_clocks)
    with said("statistics"):
        run("analyze")


def run(statement: str, values: Any = None) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall()) if cursor.description else []


@contextmanager
def said(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"  {what:<24}{time.monotonic() - began:7.1f} s", file=sys.stderr, flush=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Work that is known to be right needs no trigger and no second look at foreign keys; where
    the role may not say so, it is only slower."""
    from django.db import Error, transaction

    run("set evenkeel.operation = 'benchmarks'")
    run("set synchronous_commit = off")
    run("set maintenance_work_mem = '256MB'")
    run("set work_mem = '128MB'")
    try:
        with transaction.atomic():
            run("set session_replication_role = replica")
    except Error:
        pass
    yield
    run("reset session_replication_role")


@contextmanager
def without_indexes(*tables: str) -> Iterator[None]:
    """Indexes are built faster over a full table than row by row; those of keys stay."""
    rows = run(
        "select format('%%I', c.relname), pg_get_indexdef(i.indexrelid) from pg_index i "
        "join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid "
        "where t.relname = any(%s) and not i.indisunique",
        [list(tables)],
    )
    for name, _definition in rows:
        run(f"drop index {name}")
    yield
    for _name, definition in rows:
        run(definition)


class Maker:
    def __init__(self, tickets: int) -> None:
        self.count = tickets
        self.dice = random.Random(SEED)
        self.now = datetime.now(UTC).replace(microsecond=0)
        # A desk's backlog does not grow with its archive.
        self.open = max(tickets * 3 // 100, min(tickets // 5, 12_000))
        self.people = max(300, min(20_000, tickets // 50))

    # --- small tables -----------------------------------------------------------------------------

    def company(self) -> None:
        from demo.content import company
        from spine.people import naming
        from spine.people.models import Team, TeamMember, User
        from spine.services.models import Service
        from spine.tickets.importing.copying import copy_rows, reserve_ids
        from spine.tickets.importing.references import home
        from spine.tickets.models import Category

        run("set evenkeel.operation = 'benchmarks'")
        data, dice, organization = company(), self.dice, home()
        ids = list(reserve_ids("people_user", self.people))
        users = []
        for pk in ids:
            chinese = dice.random() < 0.4
            name = (
                dice.choice(data["family_zh"]) + dice.choice(data["given_zh"])
                if chinese
                else f"{dice.choice(data['given_en'])} {dice.choice(data['family_en'])}"
            )
            users.append(
                User(
                    pk=pk,
                    uuid=uuid.uuid4(),
                    username=f"u{pk}",
                    email=f"u{pk}@bench.example",
                    name=name,
                    sort_key=naming.sort_key(name),
                    search_text=naming.spellings(name, f"u{pk}"),
                    organization=organization,
                    created_at=self.now,
                    password="!",
                )
            )
        fields = User._meta.local_concrete_fields
        copy_rows("people_user", [f.column for f in fields],
                  ([getattr(user, f.attname) for f in fields] for user in users))  # fmt: skip
        teams = Team.objects.bulk_create(
            Team(name=f"Group {n}", sort_key=f"group {n:02}", organization=organization)
            for n in range(1, TEAMS + 1)
        )
        TeamMember.objects.bulk_create(
            TeamMember(team=team, user_id=ids[place * AGENTS_PER_TEAM + n])
            for place, team in enumerate(teams)
            for n in range(AGENTS_PER_TEAM)
        )
        self.services = {
            key: Service.objects.create(
                name=given["name"], translations={"zh-hans": given["zh"]},
                criticality=given["criticality"], sort_key=given["name"].lower(),
            ).pk
            for key, given in data["services"].items()
        }  # fmt: skip
        self.categories: dict[tuple[str, str], int] = {}
        for name, given in data["categories"].items():
            top = Category.objects.create(kind="incident", name=name, sort_key=name.lower())
            self.categories[name, ""] = top.pk
            for below in given["below"]:
                row = Category.objects.create(kind="incident", name=below, parent=top)
                self.categories[name, below] = row.pk
        self.organization = organization.pk
        self.teams = [team.pk for team in teams]
        self.agents = [ids[n] for n in range(TEAMS * AGENTS_PER_TEAM)]
        self.callers = ids

    def phrases(self) -> None:
        """What tickets say, some thousand times differently, with its words for the search."""
        from demo.content import company, stories
        from demo.words import fill
        from spine.search.tokens import han_vector, tokenize
        from spine.tickets.importing.copying import copy_rows

        sites = company()["sites"]
        run(
            "create temp table phrase (id int primary key, title text, description text, "
            "reply text, answer text, solution text, close_code text, service_id bigint, "
            "category_id bigint, subcategory_id bigint, impact int, urgency int, "
            "title_latin text, title_han text, body_latin text, body_han text, "
            "words tsvector, body tsvector)"
        )
        rows = []
        for variant in range(VARIANTS):
            for story in stories():
                site = self.dice.choice(list(sites))
                at = self.now - timedelta(minutes=self.dice.randrange(2_000_000) + variant)
                words = fill(story, sites[site], site, at)
                said = {kind: words(text) for kind, text in story.steps}
                title, text = words(story.title), words(story.description)
                body = tokenize("\n".join([text, *said.values(), words(story.solution)]))
                head = tokenize(title)
                rows.append(
                    (
                        len(rows) + 1, title, text, said.get("c", ""), said.get("a", ""),
                        words(story.solution), story.close_code, self.services[story.service],
                        self.categories[story.category, ""],
                        self.categories[story.category, story.subcategory],
                        story.impact, story.urgency, head.latin, han_vector(head.han, "A"),
                        body.latin, han_vector(body.han),
                    )
                )  # fmt: skip
        columns = (
            "id", "title", "description", "reply", "answer", "solution", "close_code",
            "service_id", "category_id", "subcategory_id", "impact", "urgency", "title_latin",
            "title_han", "body_latin", "body_han",
        )  # fmt: skip
        copy_rows("phrase", columns, rows)
        run(
            "update phrase set words = setweight(to_tsvector('english', title_latin), 'A') "
            "|| title_han::tsvector"
        )
        run(
            "update phrase set body = words || to_tsvector('english', body_latin) "
            "|| body_han::tsvector"
        )
        self.phrase_count = len(rows)

    # --- large tables -----------------------------------------------------------------------------

    def draws(self) -> None:
        """Chance, once for all tables. Ids follow the opening times; busy teams are busier."""
        run("select setseed(0.18)")
        first = run("select nextval(pg_get_serial_sequence('tickets_ticket', 'id'))")[0][0]
        self.first = int(first)
        run(
            "create temp table draw as select g - 1 + %(first)s as id, g as place, "
            "1 + floor(power(random(), 1.6) * %(phrases)s)::int as phrase, "
            "1 + floor(power(random(), 1.8) * %(teams)s)::int as team, "
            "floor(random() * %(agents)s)::int as agent, "
            "1 + floor(power(random(), 1.5) * %(callers)s)::int as caller, "
            "least(%(now)s - random() * interval '1 hour', "
            " date_trunc('day', %(now)s - %(span)s * (1 - g::float / %(n)s)) "
            " + interval '7 hours' + random() * interval '11 hours') as opened_at, "
            "random() as r1, random() as r2, random() as r3, "
            "(g > %(n)s - %(open)s * 1.25 and random() < 0.8) as open "
            "from generate_series(1, %(n)s) g",
            {
                "first": self.first, "phrases": self.phrase_count, "teams": TEAMS,
                "agents": AGENTS_PER_TEAM, "callers": len(self.callers), "now": self.now,
                "span": timedelta(days=365 * YEARS), "n": self.count, "open": self.open,
            },
        )  # fmt: skip
        run("create unique index on draw (id)")
        run("analyze draw")

    def tickets(self) -> None:
        from incidents.models import Incident
        from spine.tickets.models import Ticket
        from spine.tickets.numbering import FIRST, sequence_name

        state = (
            "case when open then (array['new','in_progress','on_hold'])"
            "[case when r1 < 0.35 then 1 when r1 < 0.78 then 2 else 3 end] "
            "when r1 < 0.02 then 'canceled' "
            f"when place > {self.count - self.open * 2} and r2 < 0.4 then 'resolved' "
            "else 'closed' end"
        )
        solved = "opened_at + (0.4 + 30 * r2 * r2 * r2) * interval '1 hour' * 4"
        expressions = {
            "id": "d.id",
            "uuid": "gen_random_uuid()",
            "number": f"'INC' || lpad((place - 1 + {FIRST})::text, 7, '0')",
            "kind": "'incident'",
            "title": "left(p.title, 255)",
            "description": "p.description",
            "state": "s.state",
            "active": "s.state not in ('closed', 'canceled')",
            "impact": "p.impact",
            "urgency": "p.urgency",
            "priority": "p.impact + p.urgency - 1",
            "caller_id": "(%(callers)s)[d.caller]",
            "opened_by_id": "(%(callers)s)[d.caller]",
            "organization_id": str(self.organization),
            "assignment_group_id": "(%(teams)s)[d.team]",
            "assignee_id": "case when s.state = 'new' and r3 < 0.8 then null else "
            f"(%(agents)s)[(d.team - 1) * {AGENTS_PER_TEAM} + d.agent + 1] end",
            "service_id": "p.service_id",
            "category_id": "p.category_id",
            "subcategory_id": "p.subcategory_id",
            "channel": "(array['portal','portal','email','phone','chat'])[1 + floor(r3 * 5)::int]",
            "hold_reason": "case when s.state = 'on_hold' then (array['awaiting_caller',"
            "'awaiting_vendor','awaiting_change','awaiting_evidence'])[1 + floor(r2 * 4)::int] "
            "else '' end",
            "opened_at": "opened_at",
            "resolved_at": f"case when s.state in ('resolved', 'closed') then {solved} end",
            "closed_at": f"case when s.state in ('closed', 'canceled') then {solved} "
            "+ interval '5 days' end",
            "updated_at": f"least(%(now)s, case when open then opened_at else {solved} end)",
            "due_at": "case when open and s.state <> 'on_hold' "
            "then %(now)s + interval '2 days' + r3 * interval '40 days' end",
            "breached": "not open and r3 < 0.07",
            "response_breached": "r2 < 0.05",
            "reassignment_count": "floor(power(r1, 4) * 4)::int",
            "reopen_count": "case when r3 > 0.96 then 1 else 0 end",
            "thread_id": "case when r2 < 0.6 then d.id end",
        }
        bind = {
            "callers": self.callers, "teams": self.teams, "agents": self.agents, "now": self.now,
        }  # fmt: skip
        source = (
            "draw d join phrase p on p.id = d.phrase "
            f"cross join lateral (select {state} as state) s"
        )
        run("insert into threads_thread (id, created_at) overriding system value "
            "select id, opened_at from draw where r2 < 0.6")  # fmt: skip
        run("select setval(pg_get_serial_sequence('threads_thread', 'id'), %s)",
            [self.first + self.count])  # fmt: skip
        with without_indexes("tickets_ticket"):
            insert(Ticket, expressions, source, bind)
        insert(
            Incident,
            {
                "ticket_ptr_id": "d.id",
                "close_code": "case when t.state in ('resolved', 'closed') then p.close_code "
                "else '' end",
                "close_notes": "case when t.state in ('resolved', 'closed') then p.solution "
                "else '' end",
                "resolved_by_id": "case when t.state in ('resolved', 'closed') "
                "then t.assignee_id end",
            },
            "draw d join tickets_ticket t on t.id = d.id join phrase p on p.id = d.phrase",
            {},
        )
        run("select setval(pg_get_serial_sequence('tickets_ticket', 'id'), %s)",
            [self.first + self.count])  # fmt: skip
        run("select setval(%s, %s)", [sequence_name("INC"), FIRST + self.count])

    def comments(self) -> None:
        """A question and an answer in six of ten, a work note in some."""
        with without_indexes("threads_comment"):
            for text, author, visibility, after, where in (
                ("p.answer", "coalesce(t.assignee_id, t.caller_id)", "public", 20, "true"),
                ("p.reply", "t.caller_id", "public", 90, "true"),
                ("p.solution", "coalesce(t.assignee_id, t.caller_id)", "note", 70, "d.r3 < 0.4"),
            ):
                run(
                    "insert into threads_comment (uuid, thread_id, visibility, author_id, body, "
                    "automatic, channel, created_at) "
                    f"select gen_random_uuid(), t.thread_id, '{visibility}', {author}, {text}, "
                    f"false, 'web', t.opened_at + {after} * d.r1 * interval '1 minute' "
                    "from draw d join tickets_ticket t on t.id = d.id "
                    f"join phrase p on p.id = d.phrase "
                    f"where t.thread_id is not null and {where} and {text} <> ''"
                )

    def clocks(self) -> None:
        """Both clocks of what is open, consistent enough for every page; nothing due for a day."""
        policy = "(select id from sla_policy where active order by position limit 1)"
        columns = (
            "(uuid, ticket_id, metric, policy_id, target_seconds, started_at, stopped_at, due_at, "
            "stages, wake_at)"
        )
        run(
            f"insert into tickets_ticketclock {columns} "
            f"select gen_random_uuid(), t.id, 'resolution', {policy}, 288000, t.opened_at, null, "
            "t.due_at, '[50, 75, 100]', "
            "case when t.due_at is not null then t.due_at - interval '1 day' end "
            "from draw d join tickets_ticket t on t.id = d.id where d.open"
        )
        run(
            f"insert into tickets_ticketclock {columns} "
            f"select gen_random_uuid(), t.id, 'response', {policy}, 28800, t.opened_at, "
            "case when t.state <> 'new' then t.opened_at + interval '1 hour' end, "
            "t.opened_at + interval '50 days', '[50, 75, 100]', "
            "case when t.state = 'new' then %s + interval '3 days' end "
            "from draw d join tickets_ticket t on t.id = d.id where d.open",
            [self.now],
        )
        run(
            "insert into tickets_clockpause (clock_id, started_at, reason) "
            "select c.id, t.opened_at + interval '2 hours', t.hold_reason "
            "from tickets_ticketclock c join tickets_ticket t on t.id = c.ticket_id "
            "where c.metric = 'resolution' and t.state = 'on_hold'"
        )

    def running_clocks(self, wanted: int) -> None:
        run(
            "insert into tickets_ticketclock (uuid, ticket_id, metric, policy_id, target_seconds, "
            "started_at, due_at, stages, wake_at) "
            "select gen_random_uuid(), t.id, 'resolution', "
            "(select id from sla_policy where active order by position limit 1), 7776000, %s, "
            "%s + interval '90 days', '[50, 75, 100]', "
            "%s + interval '30 days' + (t.id %% 1000000) * interval '1 second' "
            "from tickets_ticket t where not exists (select 1 from tickets_ticketclock c "
            "where c.ticket_id = t.id and c.metric = 'resolution') limit %s",
            [self.now, self.now, self.now, max(0, wanted - self.open)],
        )

    def trail(self) -> None:
        """One entry per ticket, each in its month."""
        month = (self.now - timedelta(days=365 * YEARS + 40)).date().replace(day=1)
        while month <= self.now.date():
            run("select audit_make_partition(%s)", [month])
            month = (month + timedelta(days=32)).replace(day=1)
        run(
            "insert into audit_entry (at, actor_id, actor_label, actor_salt, actor_digest, verb, "
            "target_type, target_id, target_label, changes, data, operation, source) "
            "select t.opened_at, t.caller_id, u.name, s.salt, "
            "sha256(convert_to(s.salt::text || u.name, 'UTF8')), 'incident.created', "
            "'tickets.ticket', t.id::text, t.number, '{}', "
            "jsonb_build_object('title', t.title, 'channel', t.channel, 'files', 0), "
            "gen_random_uuid(), 'portal' "
            "from tickets_ticket t join people_user u on u.id = t.caller_id "
            "cross join lateral (select gen_random_uuid() as salt, t.id) s"
        )

    def documents(self) -> None:
        """The words of a ticket are its phrase's, which are worked out already."""
        from spine.search.models import Document

        expressions = {
            "id": "nextval(pg_get_serial_sequence('search_document', 'id'))",
            "kind": "'incident'",
            "object_id": "t.id",
            "organization_id": "t.organization_id",
            "number": "t.number",
            "ranked_at": "t.opened_at",
            "words": "p.words",
            "body": "p.body",
        }
        source = "draw d join tickets_ticket t on t.id = d.id join phrase p on p.id = d.phrase"
        with without_indexes("search_document"):
            insert(Document, expressions, source, {})
        from spine.search import sources
        from spine.search.indexing import document_rows, write_rows

        for kind in ("person", "team"):
            source = sources.find(kind)
            if source is not None:
                write_rows(document_rows(source, list(source.records())))


def insert(model: Any, expressions: dict[str, str], source: str, bind: dict[str, Any]) -> None:
    """All columns of the model's own table: by expression, else the field's default."""
    from django.db import connection

    columns, selected, values = [], [], dict(bind)
    for field in model._meta.local_concrete_fields:
        columns.append(f'"{field.column}"')
        if field.column in expressions:
            selected.append(expressions[field.column])
            continue
        key = f"default_{field.column}"
        values[key] = field.get_db_prep_save(field.get_default(), connection)
        selected.append(f"%({key})s::{field.cast_db_type(connection)}")
    run(
        f"insert into {model._meta.db_table} ({', '.join(columns)}) "
        f"select {', '.join(selected)} from {source}",
        values or None,
    )


if __name__ == "__main__":
    main()
