"""Finds records that a person may see, best first, in bounded time.

PostgreSQL picks candidates from the documents alone: the newest that match, and the newest that
match in the title. For a word in every third record the planner walks the index of recency and is
done after some hundred rows; for a rare word it asks the inverted index. Only candidates are
ranked, and only those that pass the record's own scope (`visible_to`) are counted or shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection
from django.utils.functional import Promise
from django.utils.safestring import SafeString

from spine.kit.clock import now
from spine.kit.db import statement_timeout
from spine.people.reach import reach_of
from spine.people.roles import Right
from spine.search import highlighting, sources
from spine.search.queries import Condition, Query, name_condition, parse, text_condition
from spine.search.sources import Hit, Source

if TYPE_CHECKING:
    from spine.people.models import User

# Candidates per kind; the next step only if too few of the step before may be seen.
STEPS = (300, 3_000, 30_000)
TITLES = 100
NUMBERS = 20
# Whose scope is only what is theirs: their records are read first, then searched.
OWN_LIMIT = 10_000
MAX_LIMIT = 100
_WEIGHTS = "{0.1, 0.2, 0.4, 1.0}"  # D, C, B, A: title over body
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
    for step in STEPS:
        candidates = _candidates(user, query, list(pending.values()), step)
        for kind, found in candidates.items():
            seen = _seen(pending[kind], user, found.scores)
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
                    _load(source, user, best, scores, pattern),
                    len(scores),
                    more,
                )
            )
    return groups


def _seen(source: Source, user: User, scores: dict[int, float]) -> dict[int, float]:
    if not scores:
        return {}
    rows = source.visible(source.records(), user).filter(pk__in=list(scores))
    return {pk: scores[pk] for pk in rows.order_by().values_list("pk", flat=True)}


def _load(
    source: Source, user: User, best: list[int], scores: dict[int, float], pattern: Any
) -> list[Found]:
    hits = source.hits(source.visible(source.records(), user).filter(pk__in=best), user)
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
    user: User, query: Query, chosen: list[Source], step: int
) -> dict[str, _Candidates]:
    """One statement for all kinds; another one where numbers or identifiers are asked for."""
    found = {source.kind: _Candidates() for source in chosen}
    selects: list[str] = []
    params: list[Any] = []
    if query.asks_words:
        asked = _compiled(query, chosen)
        for source in chosen:
            if asked[source.names]:
                sql, values = _select(user, source, asked[source.names], step)
                selects.append(sql)
                params += values
    if selects:
        moment = now()
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(selects), params)
            for kind, pk, ranked_at, rank, of_all in cursor.fetchall():
                found[kind].scores[pk] = rank + _freshness(ranked_at, moment)
                found[kind].full |= of_all >= step
    for kind, pk, exact in _numbers(user, query, chosen):
        found[kind].scores[pk] = _EXACT if exact else found[kind].scores.get(pk, 0) + 10
    return found


def _freshness(ranked_at: datetime, moment: datetime) -> float:
    """0.5 today, 0.25 after a month: recent first where the words say the same."""
    days = max(0.0, (moment - ranked_at).total_seconds() / _DAY)
    return 0.5 / (1.0 + days / 30.0)


def _compiled(query: Query, chosen: list[Source]) -> dict[bool, str]:
    """The tsqueries as text (for texts, for names), "" where only stop words were typed.

    Compiled first and passed on as constants, so that the planner knows how common the words are.
    """
    conditions: dict[bool, Condition] = {
        names: name_condition(query) if names else text_condition(query)
        for names in {source.names for source in chosen}
    }
    columns = ", ".join(f"({condition.sql})::text" for condition in conditions.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns}",
            [value for condition in conditions.values() for value in condition.params],
        )
        row: tuple[str, ...] = cursor.fetchone()
    return dict(zip(conditions, row, strict=True))


def _select(user: User, source: Source, asked: str, step: int) -> tuple[str, list[Any]]:
    """The newest documents that match, and the newest whose title does."""
    scope, scope_params = _scope(user, source)
    match, match_params, ranked = _match(user, asked)
    part = (
        f"(SELECT object_id, ranked_at, {ranked} AS ranked FROM search_document "  # noqa: S608
        "WHERE kind = %s{scope} AND {match} ORDER BY ranked_at DESC, object_id DESC LIMIT %s)"
    )
    # A word that must not be there may stand below the title.
    by_title = part.format(scope=scope, match=f"words @@ %s::tsquery AND {match}")
    by_all = part.format(scope=scope, match=match)
    sql = (
        "SELECT %s::text, object_id, ranked_at, ts_rank(%s::float4[], "  # noqa: S608
        "ranked, %s::tsquery, 1), "
        "count(*) FILTER (WHERE NOT titled) OVER ()::int FROM ("
        f"SELECT *, true AS titled FROM {by_title} AS t UNION ALL "
        f"SELECT *, false FROM {by_all} AS b) AS c"
    )
    return sql, [
        source.kind, _WEIGHTS, asked,
        source.kind, *scope_params, asked, *match_params, TITLES,
        source.kind, *scope_params, *match_params, step,
    ]  # fmt: skip


def _scope(user: User, source: Source) -> tuple[str, list[Any]]:
    organizations = source.organizations(user)
    if organizations is None:
        return "", []
    if organizations:
        return " AND organization_id = ANY(%s)", [sorted(organizations)]
    own = source.visible(source.records(), user).order_by("-pk").values_list("pk", flat=True)
    return " AND object_id = ANY(%s)", [list(own[:OWN_LIMIT])]


def _match(user: User, asked: str) -> tuple[str, list[Any], str]:
    """(condition, its parameters, the vector to rank by).

    Work notes are looked into only where the person may read them, so that not even the presence
    of a word in them can be guessed, by a count or by an order.
    """
    organizations = reach_of(user).organizations(Right.NOTES_READ)
    if organizations is None:
        match = '(body @@ %s::tsquery OR "full" @@ %s::tsquery)'
        return match, [asked, asked], 'coalesce("full", body)'
    if organizations:
        match = '(body @@ %s::tsquery OR ("full" @@ %s::tsquery AND organization_id = ANY(%s)))'
        return match, [asked, asked, sorted(organizations)], "body"
    return "body @@ %s::tsquery", [asked], "body"


def _numbers(user: User, query: Query, chosen: Sequence[Source]) -> Iterable[tuple[str, int, bool]]:
    """(kind, key, whether it is the whole of it) of records whose number or identifier elsewhere
    is, or begins with, what was typed."""
    parts: list[str] = []
    params: list[Any] = []
    for source in chosen:
        asked = [("number", number) for number in _spelled(query.number, source)]
        if query.literal:
            asked.append(("external_id", query.literal))
        if not asked:
            continue
        scope, scope_params = _scope(user, source)
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


def _spelled(number: str, source: Source) -> list[str]:
    """Digits alone are a number of each prefix: 10001 -> INC0010001."""
    if not number.isdigit():
        return [number] if number else []
    return [f"{prefix}{number:0>7}" for prefix in source.number_prefixes]


def _like(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"{escaped}%"
