"""From a text to what PostgreSQL compares: English words for its stemmer, Chinese as bigrams.

Chinese has no spaces; a run of n characters is kept as its n - 1 overlapping pairs and its last
character, so that a word of any length is found as the pairs it consists of, and one character as
the beginning of a pair. The same is done with Japanese and Korean.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

# A text beyond this adds nothing that anybody would search for, and a tsvector ends at 1 MB.
MAX_LATIN = 150_000
MAX_HAN = 30_000
_MAX_POSITION = 16_383

CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_HAN_RUN = re.compile(f"[{CJK}]+")
_WORD = re.compile(rf"[^\W_{CJK}]+")
_ACCENT = re.compile("[\u0300-\u036f]")


class Tokens(NamedTuple):
    """latin: words parted by single spaces; han: runs of characters without a break."""

    latin: str
    han: tuple[str, ...]


def tokenize(text: str) -> Tokens:
    """Full-width forms and accents folded, punctuation dropped ("web01.example.com" is three
    words, which a search for it finds side by side)."""
    folded = unicodedata.normalize("NFKC", text)
    words = " ".join(_WORD.findall(folded))[:MAX_LATIN]
    return Tokens(fold_accents(words), tuple(_HAN_RUN.findall(folded)))


def fold_accents(text: str) -> str:
    """Grüße -> Gruße: people type names as their keyboard lets them."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFD", text)))


def grams(run: str) -> list[str]:
    """打印机 -> 打印, 印机, 机."""
    return [run[place : place + 2] for place in range(len(run) - 1)] + [run[-1]]


def query_grams(run: str) -> list[str]:
    """What a document must hold to contain the run: its pairs, or the one character's beginning
    of a pair (marked by PostgreSQL's `:*`)."""
    if len(run) == 1:
        return [f"{run}:*"]
    return [run[place : place + 2] for place in range(len(run) - 1)]


def han_vector(runs: tuple[str, ...], weight: str = "") -> str:
    """The runs as the text of a tsvector, with positions (they rank) and a weight (A to D).

    The characters need no quoting: none of them means anything to PostgreSQL.
    """
    parts: list[str] = []
    position = 1
    left = MAX_HAN
    for run in runs:
        for gram in grams(run[:left]):
            parts.append(f"{gram}:{min(position, _MAX_POSITION)}{weight}")
            position += 1
        left -= len(run)
        if left <= 0:
            break
    return " ".join(parts)
