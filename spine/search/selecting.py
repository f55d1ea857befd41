"""The SQL that picks candidates, in a time that the words can't stretch.

A rare word is asked of the inverted index. A common one, which would bring back half the table, is
looked for among the newest documents instead, in order of recency, up to a number that is fixed
beforehand: an order "newest first" over an index may not be trusted to end soon, as the words may
stand in old documents only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from spine.people.reach import reach_of
from spine.people.roles import Right
from spine.search.sources import Source

if TYPE_CHECKING:
    from spine.people.models import User

# Documents that an inverted index may bring back for one search: about 10 ms.
COMMON = 10_000
TITLES = 100
# Whose scope is only what is theirs: their records are read first, then searched.
OWN_LIMIT = 10_000
_WEIGHTS = "{0.1, 0.2, 0.4, 1.0}"  # D, C, B, A: title over body


class Step(NamedTuple):
    """candidates: how many at most; window: among how many of the newest a common word is looked
    for."""

    candidates: int
    window: int


class Common(NamedTuple):
    """Whether the words are common in whole texts and in titles."""

    texts: bool
    titles: bool


class Select(NamedTuple):
    sql: str
    params: list[Any]


def select(user: User, source: Source, asked: str, common: Common, step: Step) -> Select:
    """Rows (kind, object_id, ranked_at, rank, whether there may be more than these); a row without
    a key only says the last. asked: a tsquery as text."""
    base = _base(user, source)
    match, ranked = _match(user, asked)
    own = _only_own(user, source)
    windowed = own or (common.texts and not source.names)
    if own:
        step = Step(OWN_LIMIT, OWN_LIMIT)
    found = _among_newest(base, match, step) if windowed else _of_index(base, match, step)
    parts = [found]
    if not (own or source.names or common.titles):
        parts.append(_titled(base, match, asked))
    rows = " UNION ALL ".join(f"({part.sql})" for part in parts)
    limit = "true" if windowed and not own else "false"
    sql = (
        "SELECT %s::text, object_id, ranked_at, "  # noqa: S608 - built of constants
        f"ts_rank(%s::float4[], {ranked}, %s::tsquery, 1), "
        f"NOT {limit} AND count(*) OVER () >= %s FROM ({rows}) AS found"
    )
    params: list[Any] = [source.kind, _WEIGHTS, asked, step.candidates]
    for part in parts:
        params += part.params
    if windowed and not own:
        behind = _is_full(base, step.window)
        sql += f" UNION ALL {behind.sql}"
        params += [source.kind, *behind.params]
    return Select(sql, params)


def _among_newest(base: Select, match: Select, step: Step) -> Select:
    newest = _newest(base, step.window)
    return Select(
        f"SELECT * FROM ({newest.sql}) AS newest WHERE {match.sql} "  # noqa: S608
        "ORDER BY ranked_at DESC, object_id DESC LIMIT %s",
        [*newest.params, *match.params, step.candidates],
    )


def _newest(base: Select, window: int) -> Select:
    return Select(
        f"{base.sql} ORDER BY ranked_at DESC, object_id DESC LIMIT %s", [*base.params, window]
    )


def _is_full(base: Select, window: int) -> Select:
    """A row that says whether there is more behind the window."""
    newest = _newest(base, window)
    return Select(
        f"SELECT %s::text, NULL, NULL, NULL, count(*) >= %s FROM ({newest.sql}) AS newest",  # noqa: S608
        [window, *newest.params],
    )


def _of_index(base: Select, match: Select, step: Step) -> Select:
    # The sum keeps the planner from walking by recency towards matches that may not come.
    return Select(
        f"{base.sql} AND {match.sql} "
        "ORDER BY ranked_at + interval '0' DESC, object_id DESC LIMIT %s",
        [*base.params, *match.params, step.candidates],
    )


def _titled(base: Select, match: Select, asked: str) -> Select:
    """Those called so. A word that must not be there may stand below the title, so what was found
    is compared as a whole."""
    titled = _of_index(base, Select("words @@ %s::tsquery", [asked]), Step(TITLES, 0))
    return Select(
        f"SELECT * FROM ({titled.sql}) AS titled WHERE {match.sql}",  # noqa: S608
        [*titled.params, *match.params],
    )


def _base(user: User, source: Source) -> Select:
    where, params = scope(user, source)
    return Select(
        'SELECT object_id, ranked_at, words, body, "full", organization_id '  # noqa: S608
        f"FROM search_document WHERE {'names' if source.names else 'NOT names'} "
        f"AND kind = %s{where}",
        [source.kind, *params],
    )


def _only_own(user: User, source: Source) -> bool:
    organizations = source.organizations(user)
    return organizations is not None and not organizations


def scope(user: User, source: Source) -> tuple[str, list[Any]]:
    """(condition that begins with AND, its parameters): where the person reads this kind. It
    narrows; the record's own scope decides."""
    organizations = source.organizations(user)
    if organizations is None:
        return "", []
    if organizations:
        return " AND organization_id = ANY(%s::bigint[])", [sorted(organizations)]
    own = source.visible(source.records(), user).order_by("-pk").values_list("pk", flat=True)
    return " AND object_id = ANY(%s::bigint[])", [list(own[:OWN_LIMIT])]


def _match(user: User, asked: str) -> tuple[Select, str]:
    """(condition, the vector to rank by).

    Work notes are looked into only where the person may read them, so that not even the presence
    of a word in them can be guessed, by a count or by an order.
    """
    organizations = reach_of(user).organizations(Right.NOTES_READ)
    if organizations is None:
        match = '(body @@ %s::tsquery OR "full" @@ %s::tsquery)'
        return Select(match, [asked, asked]), 'coalesce("full", body)'
    if organizations:
        match = (
            '(body @@ %s::tsquery OR ("full" @@ %s::tsquery '
            "AND organization_id = ANY(%s::bigint[])))"
        )
        return Select(match, [asked, asked, sorted(organizations)]), "body"
    return Select("body @@ %s::tsquery", [asked]), "body"
