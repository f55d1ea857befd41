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

# Documents that an inverted index may bring back for one search; at a million, walking by recency
# to the first twenty matches costs as much as this.
COMMON = 5_000
TITLES = 100
# Whose scope is only what is theirs: their records are read first, then searched.
OWN_LIMIT = 10_000
_WEIGHTS = "{0.1, 0.2, 0.4, 1.0}"  # D, C, B, A: title over body


class Step(NamedTuple):
    """candidates: how many at most; window: among how many of the newest a common word is looked
    for."""

    candidates: int
    window: int


class Asked(NamedTuple):
    """What is asked of one kind of source, tsqueries as text. lead: the same without its unfinished
    word, or "". common: whether it stands in too many documents to read them all; common_titles:
    in too many titles; common_lead: its lead does."""

    text: str
    lead: str = ""
    common: bool = False
    common_titles: bool = False
    common_lead: bool = False

    @property
    def first(self) -> str:
        """What the inverted index is asked. The beginning of a word may stand for thousands of
        words, whose documents it would gather before it compares the rest."""
        return self.lead if self.lead and not self.common_lead else self.text


class Select(NamedTuple):
    sql: str
    params: list[Any]


def is_windowed(source: Source, asked: Asked) -> bool:
    """Whether only the newest documents are looked at, so that fewer candidates than asked for do
    not mean that there are no more."""
    return asked.common and not source.names


def select(user: User, source: Source, asked: Asked, step: Step) -> Select:
    """Rows (kind, object_id, ranked_at, rank)."""
    base = _base(user, source)
    match, ranked = _match(user, source, asked.text)
    own = _only_own(user, source)
    if own:
        parts = [_among_newest(base, match, Step(OWN_LIMIT, OWN_LIMIT))]
    elif is_windowed(source, asked):
        parts = [_among_newest(base, match, step)]
    else:
        parts = [_of_index(base, _match(user, source, asked.first)[0], match, step.candidates)]
    if not (own or source.names or asked.common_titles):
        # A word that must not be there may stand below the title, so all of it is compared, too.
        titled = Select("words @@ %s::tsquery", [asked.first])
        both = Select(f"words @@ %s::tsquery AND {match.sql}", [asked.text, *match.params])
        parts.append(_of_index(base, titled, both, TITLES))
    rows = " UNION ALL ".join(f"({part.sql})" for part in parts)
    sql = (
        "SELECT %s::text, object_id, ranked_at, "  # noqa: S608 - built of constants
        f"ts_rank(%s::float4[], {ranked}, %s::tsquery, 1) FROM ({rows}) AS found"
    )
    params: list[Any] = [source.kind, _WEIGHTS, asked.text]
    for part in parts:
        params += part.params
    return Select(sql, params)


def count_newest(user: User, source: Source, step: Step) -> Select:
    """How many documents the window holds: fewer than it is wide if it holds all there are."""
    newest = _newest(_base(user, source), step.window)
    return Select(f"SELECT count(*) FROM ({newest.sql}) AS newest", newest.params)  # noqa: S608


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


def _of_index(base: Select, first: Select, match: Select, limit: int) -> Select:
    # The fence keeps the planner from asking the index for all of it at once, or from walking by
    # recency towards matches that may not come.
    return Select(
        f"SELECT * FROM ({base.sql} AND {first.sql} OFFSET 0) AS listed WHERE {match.sql} "  # noqa: S608
        "ORDER BY ranked_at DESC, object_id DESC LIMIT %s",
        [*base.params, *first.params, *match.params, limit],
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


def _match(user: User, source: Source, asked: str) -> tuple[Select, str]:
    """(condition, the vector to rank by).

    Work notes are looked into only where the person may read them, so that not even the presence
    of a word in them can be guessed, by a count or by an order.
    """
    organizations = reach_of(user).organizations(Right.NOTES_READ)
    if organizations is not None and not organizations:
        return Select("body @@ %s::tsquery", [asked]), "body"
    noteless = source.noteless(user)
    if organizations is None and not noteless:
        match = '(body @@ %s::tsquery OR "full" @@ %s::tsquery)'
        return Select(match, [asked, asked]), 'coalesce("full", body)'
    theirs, params = "", list[Any]()
    if organizations is not None:
        theirs += " AND organization_id = ANY(%s::bigint[])"
        params.append(sorted(organizations))
    if noteless:
        theirs += " AND NOT object_id = ANY(%s::bigint[])"
        params.append(noteless)
    match = f'(body @@ %s::tsquery OR ("full" @@ %s::tsquery{theirs}))'
    return Select(match, [asked, asked, *params]), "body"
