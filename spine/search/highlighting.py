"""Marks what was searched for, in text that is escaped piece by piece."""

from __future__ import annotations

import re

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from spine.search.queries import Query
from spine.search.tokens import CJK

WIDTH = 180
# The longest ending that leaves a stem of its own comes off, roughly as the stemmer does it.
_ENDINGS = (
    "ements", "ement", "ations", "ation", "ments", "ingly", "edly", "ment", "ings", "ing", "ied",
    "ies", "ers", "er", "ed", "es", "ly", "s", "e", "y",
)  # fmt: skip
_SHORTEST_STEM = 4
_LETTER = rf"[^\W_{CJK}]"


def pattern(query: Query) -> re.Pattern[str] | None:
    """Finds what was typed and its English forms; None where there is nothing to mark."""
    parts: list[str] = []
    for term in query.terms:
        if term.negated:
            continue
        parts += [re.escape(run) for run in term.han]
        parts += [_word(word) for word in term.words]
    if query.literal:
        parts.append(re.escape(query.literal))
    if not parts:
        return None
    parts.sort(key=len, reverse=True)
    return re.compile("|".join(parts), re.IGNORECASE)


def _word(word: str) -> str:
    low = word.lower()
    cut = next(
        (
            len(ending)
            for ending in _ENDINGS
            if low.endswith(ending) and len(low) - len(ending) >= _SHORTEST_STEM
        ),
        0,
    )
    return rf"(?<!{_LETTER}){re.escape(word[: len(word) - cut])}{_LETTER}{{0,12}}"


def mark(text: str, wanted: re.Pattern[str] | None) -> SafeString:
    """The text, escaped, with <mark> around what was found."""
    if wanted is None:
        return mark_safe(escape(text))  # noqa: S308 - escaped
    made: list[str] = []
    at = 0
    for match in wanted.finditer(text):
        if match.end() == match.start():
            continue
        made += [escape(text[at : match.start()]), "<mark>", escape(match.group()), "</mark>"]
        at = match.end()
    made.append(escape(text[at:]))
    return mark_safe("".join(made))  # noqa: S308 - every piece is escaped


def excerpt(
    texts: tuple[str, ...], wanted: re.Pattern[str] | None, width: int = WIDTH
) -> SafeString:
    """One line around the first place found in the first text that has one, else the beginning of
    the first text."""
    lines = [" ".join(text.split()) for text in texts]
    for line in lines:
        match = wanted.search(line) if wanted is not None else None
        if match is not None:
            start = max(0, match.start() - width // 3)
            if start:
                space = line.find(" ", start, match.start())
                start = space + 1 if space != -1 else start
            return mark(_cut(line, start, width), wanted)
    return mark(_cut(lines[0], 0, width), None) if lines and lines[0] else mark_safe("")


def _cut(line: str, start: int, width: int) -> str:
    piece = line[start : start + width].strip()
    return ("…" if start else "") + piece + ("…" if start + width < len(line) else "")
