"""Finds records that a person may see, best first, in bounded time.

PostgreSQL picks candidates from the documents alone (`selecting`); only candidates are ranked, and
only those that pass the record's own scope (`visible_to`) are counted or shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.safestring import SafeString

from spine.kit.clock import now
from spine.kit.db import statement_timeout
from spine.search import highlighting, selecting, sources
from spine.search.queries import Query, name_condition, parse, text_condition
from spine.search.selecting import Asked, Select, Step
from spine.search.sources import Hit, Source

if TYPE_CHECKING:
    from spine.people.models import User

# The next step is taken only if too few of the step before may be seen.
STEPS = (Step(300, 5_000), Step(3_000, 25_000), Step(30_000, 100_000))
NUMBERS = 20
MAX_LIMIT = 100
_EXACT = 1000.0
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Found:
    """A record among the results. title and excerpt are safe HTML with <mark>."""

    pk: int
    kind: str
    score: float
    hit: Hit
    title: SafeString
    excerpt: SafeString


@dataclass(frozen=True, slots=True)
class Group:
    """The results of one kind, best first. count: how many the person may see, at least that many
    if `more`."""

    kind: str
    label: str | Promise
    icon: str
    found: list[Found]
    count: int
    more: bool


@dataclass(frozen=True, slots=True)
class Results:
    text: str
    groups: list[Group] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(group.count for group in self.groups)

    @property
    def more(self) -> bool:
        return any(group.more for group in self.groups)


@dataclass(slots=True)
class _Candidates:
    """scores by primary key; full: the step's limit was reached, so there may be more."""

    scores: dict[int, float] = field(default_factory=dict)
    full: bool = False


def search(
    user: User, text: str, *, kinds: Iterable[str] | None = None, limit: int = 20
) -> Results:
    """Up to `limit` results per kind. Unknown kinds are left out; any text is a question.

    Raises QueryTooSlow where the database gave up.
    """
    query = parse(text)
    wanted = None if kinds is None else set(kinds)
    chosen = [source for source in sources.every() if wanted is None or source.kind in wanted]
    if not query or not chosen:
        return Results(query.text)
    limit = max(1, min(limit, MAX_LIMIT))
    with statement_timeout(settings.LIST_STATEMENT_TIMEOUT_MS):
        return Results(query.text, _groups(user, query, chosen, limit))


def _groups(user: User, query: Query, chosen: list[Source], limit: int) -> list[Group]:
    pattern = highlighting.pattern(query)
    pending = {source.kind: source for source in chosen}
    visible: dict[str, tuple[dict[int, float], bool]] = {}
    # Made once per kind: finding out what a person may see asks the database, too.
    scoped: dict[str, QuerySet[Any]] = {}
    for step in STEPS:
        candidates = _candidates(user, query, list(pending.values()), step)
        for kind, found in candidates.items():
            seen: dict[int, float] = {}
            if found.scores:
                if kind not in scoped:
                    scoped[kind] = pending[kind].visible(pending[kind].records(), user)
                seen = _seen(scoped[kind], found.scores)
            visible[kind] = (seen, found.full)
            if not found.full or len(seen) >= limit:
                del pending[kind]
        if not pending:
            break
    groups: list[Group] = []
    for source in chosen:
        scores, more = visible.get(source.kind, ({}, False))
        if scores:
            best = sorted(scores, key=lambda pk: (-scores[pk], -pk))[:limit]
            groups.append(
                Group(
                    source.kind,
                    source.label,
                    source.icon,
                    _load(source, user, scoped[source.kind], best, scores, pattern),
                    len(scores),
                    more,
                )
            )
    return groups


def _seen(visible: QuerySet[Any], scores: dict[int, float]) -> dict[int, float]:
    rows = visible.filter(pk__in=list(scores)).order_by().values_list("pk", flat=True)
    return {pk: scores[pk] for pk in rows}


def _load(
    source: Source,
    user: User,
    visible: QuerySet[Any],
    best: list[int],
    scores: dict[int, float],
    pattern: re.Pattern[str] | None,
) -> list[Found]:
    hits = source.hits(visible.filter(pk__in=best), user)
    return [
        Found(
            pk,
            source.kind,
            scores[pk],
            hits[pk],
            highlighting.mark(hits[pk].title, pattern),
            highlighting.excerpt(hits[pk].excerpts, pattern),
        )
        for pk in best
        if pk in hits
    ]


def _candidates(
    user: User, query: Query, chosen: list[Source], step: Step
) -> dict[str, _Candidates]:
    """One statement for all kinds; another one where numbers or identifiers are asked for."""
    found = {source.kind: _Candidates() for source in chosen}
    if query.asks_words:
        compiled = _compiled(query)
        asked = {source.kind: compiled[source.names] for source in chosen}
        searched = [source for source in chosen if asked[source.kind].text]
        parts = [selecting.select(user, source, asked[source.kind], step) for source in searched]
        if parts:
            _read(parts, found)
        for source in searched:
            candidates = found[source.kind]
            candidates.full = len(candidates.scores) >= step.candidates or (
                selecting.is_windowed(source, asked[source.kind]) and _is_full(user, source, step)
            )
    for kind, pk, exact in _numbers(user, query, chosen):
        found[kind].scores[pk] = _EXACT if exact else found[kind].scores.get(pk, 0) + 10
    return found


def _read(parts: list[Select], found: dict[str, _Candidates]) -> None:
    moment = now()
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(part.sql for part in parts),
            [value for part in parts for value in part.params],
        )
        for kind, pk, ranked_at, rank in cursor.fetchall():
            found[kind].scores[pk] = rank + _freshness(ranked_at, moment)


def _is_full(user: User, source: Source, step: Step) -> bool:
    counted = selecting.count_newest(user, source, step)
    with connection.cursor() as cursor:
        cursor.execute(counted.sql, counted.params)
        return bool(cursor.fetchone()[0] >= step.window)


def _freshness(ranked_at: datetime, moment: datetime) -> float:
    """0.5 today, 0.25 after a month: recent first where the words say the same."""
    days = max(0.0, (moment - ranked_at).total_seconds() / _DAY)
    return 0.5 / (1.0 + days / 30.0)


def _compiled(query: Query) -> dict[bool, Asked]:
    """What to ask of texts (False) and of names (True); "" where only stop words were typed.

    Compiled first and passed on as constants, so that the planner knows how common the words are.
    """
    lead = text_condition(query, finished=True)
    wanted = [text_condition(query), name_condition(query), *([lead] if lead.sql else [])]
    columns = ", ".join(f"({condition.sql})::text" for condition in wanted)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns}", [value for condition in wanted for value in condition.params]
        )
        text, names, *led = cursor.fetchone()
    first = led[0] if led and led[0] != text else ""
    return {False: _weighed(text, first), True: Asked(names)}


def _weighed(text: str, lead: str) -> Asked:
    """Whether the words stand in more documents than may be read for one search: by the planner's
    estimate, as it keeps the frequency of 10,000 words."""
    if not text:
        return Asked("")
    parts = [("body", text), ("words", text), *([("body", lead)] if lead else [])]
    sql = " UNION ALL ".join(
        f"SELECT 1 FROM search_document WHERE NOT names AND {column} @@ %s::tsquery"  # noqa: S608
        for column, _asked in parts
    )
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", [asked for _column, asked in parts])
        (answer,) = cursor.fetchone()
    plan = json.loads(answer) if isinstance(answer, str) else answer
    rows = [child["Plan Rows"] for child in plan[0]["Plan"]["Plans"]]
    return Asked(text, lead, *(count >= selecting.COMMON for count in rows))


def _numbers(user: User, query: Query, chosen: Sequence[Source]) -> Iterable[tuple[str, int, bool]]:
    """(kind, key, whether it is the whole of it) of records whose number or identifier elsewhere
    is, or begins with, what was typed."""
    parts: list[str] = []
    params: list[Any] = []
    for source in chosen:
        asked = [("number", number) for number in spelled(query.number, source)]
        if query.literal:
            asked.append(("external_id", query.literal))
        if not asked:
            continue
        scope, scope_params = selecting.scope(user, source)
        for column, value in asked:
            parts.append(
                f"(SELECT kind, object_id, {column} = %s AS exact FROM search_document "  # noqa: S608
                f"WHERE kind = %s{scope} AND {column} LIKE %s AND {column} <> '' "
                f"ORDER BY {column} LIMIT %s)"
            )
            params += [value, source.kind, *scope_params, _like(value), NUMBERS]
    if not parts:
        return []
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), params)
        rows: list[tuple[str, int, bool]] = cursor.fetchall()
    return sorted(rows, key=lambda row: row[2])


def spelled(number: str, source: Source) -> list[str]:
    """Digits alone are a number of each prefix: 10001 -> INC0010001."""
    if not number.isdigit():
        return [number] if number else []
    return [f"{prefix}{number:0>7}" for prefix in source.number_prefixes]


def _like(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"{escaped}%"
