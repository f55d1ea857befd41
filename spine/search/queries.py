"""What somebody typed, as a question to PostgreSQL. Any input is a question; none is an error.

    payment "card reader" -vpn 打印机 number:INC001

Every word must be there, a phrase in its order, a word behind a minus must not; the last word may
be unfinished.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from spine.search.tokens import query_grams, tokenize

MAX_TEXT = 200
MAX_TERMS = 12
_MIN_PREFIX = 2
_TERM = re.compile(r'(?P<minus>-)?(?:"(?P<phrase>[^"]*)"?|(?P<word>\S+))')
_NUMBER = re.compile(r"^[A-Za-z]{2,8}\d{1,10}$")
_DIGITS = re.compile(r"^\d{3,10}$")
_FIELD = "number:"


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that was typed. words: Latin words in order; han: runs of Chinese."""

    words: tuple[str, ...]
    han: tuple[str, ...]
    negated: bool = False
    unfinished: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """number: a record's number or its beginning, upper case, where the text is or names one;
    literal: the text as it was typed, where it may be an identifier of another system."""

    text: str
    terms: tuple[Term, ...] = ()
    number: str = ""
    literal: str = ""
    only_number: bool = field(default=False)

    def __bool__(self) -> bool:
        return bool(self.number or self.literal or any(not term.negated for term in self.terms))

    @property
    def asks_words(self) -> bool:
        return not self.only_number and any(not term.negated for term in self.terms)


def parse(text: str) -> Query:
    """Total: whatever the input, a Query."""
    cleaned = "".join(
        character if character.isprintable() else " " for character in text[: MAX_TEXT * 2]
    )
    open_end = bool(cleaned) and not cleaned[-1].isspace()
    cleaned = cleaned[:MAX_TEXT].strip()
    terms: list[Term] = []
    number = ""
    only_number = False
    matches = list(_TERM.finditer(cleaned))[: MAX_TERMS * 2]
    for place, match in enumerate(matches):
        word = match["word"]
        if word is not None and word.lower().startswith(_FIELD):
            number = word[len(_FIELD) :].upper()
            only_number = True
            continue
        last = place == len(matches) - 1
        term = _term(match, unfinished=last and open_end and word is not None)
        if term is not None and len(terms) < MAX_TERMS:
            terms.append(term)
    alone = matches[0]["word"] if len(matches) == 1 else None
    literal = ""
    if alone is not None and not only_number and any(part.isdigit() for part in alone):
        literal = alone if len(alone) >= 3 else ""
        if _NUMBER.match(alone) or _DIGITS.match(alone):
            number = alone.upper()
    return Query(cleaned, tuple(terms), number, literal, only_number)


def _term(match: re.Match[str], *, unfinished: bool) -> Term | None:
    tokens = tokenize(match["phrase"] if match["word"] is None else match["word"])
    words = tuple(tokens.latin.split())
    if not words and not tokens.han:
        return None
    return Term(
        words,
        tokens.han,
        negated=match["minus"] is not None,
        unfinished=unfinished and bool(words) and len(words[-1]) >= _MIN_PREFIX,
    )


@dataclass(frozen=True, slots=True)
class Condition:
    """An SQL expression of type tsquery and its parameters."""

    sql: str
    params: tuple[str, ...]


def text_condition(query: Query, *, finished: bool = False) -> Condition:
    """For texts: English stems, phrases in order, the last word's beginning. finished: without a
    last word that is not; empty where nothing else is asked for."""
    parts: list[str] = []
    params: list[str] = []
    terms = [term for term in query.terms if not (finished and term.unfinished)]
    if finished and all(term.negated for term in terms):
        return Condition("", ())
    for term in terms:
        sql, values = _term_sql(term, "english")
        parts.append(f"!!({sql})" if term.negated else f"({sql})")
        params += values
    return Condition(" && ".join(parts), tuple(params))


def name_condition(query: Query) -> Condition:
    """For names: every word is a beginning, in any order."""
    parts: list[str] = []
    params: list[str] = []
    for term in query.terms:
        pieces = [f"'{word.lower()}':*" for word in term.words]
        pieces += [gram for run in term.han for gram in query_grams(run)]
        parts.append("!!%s::tsquery" if term.negated else "%s::tsquery")
        params.append(" & ".join(pieces))
    return Condition(" && ".join(parts), tuple(params))


def _term_sql(term: Term, config: str) -> tuple[str, list[str]]:
    parts: list[str] = []
    params: list[str] = []
    if term.words:
        quoted = [f"'{word}'" for word in term.words]
        if term.unfinished:
            quoted[-1] += ":*"
        parts.append(f"to_tsquery('{config}', %s)")
        params.append(" <-> ".join(quoted))
    if term.han:
        parts.append("%s::tsquery")
        params.append(" & ".join(gram for run in term.han for gram in query_grams(run)))
    return " && ".join(parts), params
