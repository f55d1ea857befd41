"""One story from many sources: what people said and what happened, in order, quiet things grouped.

Sources give `Item`s; `story` merges them, keeps the newest, joins what one person did in one go
and folds long runs of small changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from spine.ui import times

# What one person does within this span reads as one line.
TOGETHER = timedelta(minutes=2)
# A longer run of events between two messages folds.
RUN_SHOWN = 6
# Rendered items kept per process, about a kilobyte each.
RENDERED = 4096


@dataclass(frozen=True, slots=True)
class Change:
    label: str
    before: str
    after: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """kind: message or event. key: unique in the story, stable ("c12"). rank: order of what
    happened at the same instant (words before the change they caused)."""

    kind: str
    key: str
    at: datetime
    actor: str
    rank: int = 0
    # an event
    texts: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    icon: str = "dot"
    tone: str = ""
    url: str = ""
    link: str = ""
    together: bool = True
    # a message
    html: str = ""
    note: bool = False
    solution: bool = False
    mine: bool = False
    role: str = ""
    files: tuple[dict[str, Any], ...] = ()

    @property
    def order(self) -> tuple[datetime, int, str]:
        return (self.at, self.rank, self.key)

    @property
    def text(self) -> str:
        return " · ".join(self.texts)


@dataclass(frozen=True, slots=True)
class Block:
    """What the page shows as one: a day, a message, an event, or a run of events folded."""

    kind: str
    item: Item | None = None
    items: tuple[Item, ...] = ()
    label: str = ""

    @property
    def html(self) -> SafeString:
        if self.item is not None:
            return rendered(self.item)
        if self.items:
            return render_to_string(
                "ui/pages/fold.html", {"items": [rendered(item) for item in self.items]}
            )
        return format_html('<li class="day">{}</li>', self.label)


def rendered(item: Item) -> SafeString:
    """The item as <li>. What was said and done does not change, and a record is read far more
    often than written: each is rendered once for a language, a zone and a day (which its time's
    words depend on)."""
    place = (get_language() or "", timezone.get_current_timezone_name(), timezone.localdate())
    return _rendered(_Frozen(item), place)


class _Frozen:
    """An item as a key: equal where everything that is shown is equal."""

    __slots__ = ("item", "shown")

    def __init__(self, item: Item) -> None:
        self.item = item
        files = tuple((one["url"], one["name"]) for one in item.files)
        self.shown = (
            item.key, item.at, item.actor, item.texts, item.changes, item.icon, item.tone,
            item.html, item.note, item.solution, item.mine, item.role, files,
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Frozen) and self.shown == other.shown

    def __hash__(self) -> int:
        return hash(self.shown)


@lru_cache(maxsize=RENDERED)
def _rendered(frozen: _Frozen, _place: tuple[str, str, date]) -> SafeString:
    item = frozen.item
    if item.kind == "event":
        return render_to_string("ui/pages/event.html", {"item": item})
    values = {
        "id": item.key,
        "author": item.actor,
        "at": item.at,
        "html": item.html,
        "note": item.note,
        "role": item.role,
        "files": item.files,
        "mine": item.mine,
        "solution": item.solution,
    }
    return render_to_string("ui/comment.html", values)


@dataclass(frozen=True, slots=True)
class Story:
    """items: the newest, oldest first; earlier: whether there are more before them."""

    items: tuple[Item, ...]
    earlier: bool
    blocks: tuple[Block, ...] = field(default=())

    @property
    def seen(self) -> str:
        """What the page has: its first and last item, and a digest of all between."""
        if not self.items:
            return ""
        return f"{self.items[0].key}~{self.items[-1].key}~{_digest(self.items)}"

    def since(self, seen: str) -> tuple[Block, ...] | None:
        """The blocks that a page with `seen` lacks at its end; None if it must be shown anew."""
        keys = [item.key for item in self.items]
        first, _sep, rest = seen.partition("~")
        last, _sep, digest = rest.partition("~")
        if first not in keys or last not in keys:
            return None
        start, end = keys.index(first), keys.index(last) + 1
        if _digest(self.items[start:end]) != digest:
            return None
        return blocks(self.items[end:], after=self.items[end - 1].at)


def _digest(items: Sequence[Item]) -> str:
    return hashlib.sha256(" ".join(item.key for item in items).encode()).hexdigest()[:12]


def story(sources: Iterable[Iterable[Item]], limit: int) -> Story:
    """The newest `limit` items of all sources. Each source may itself be cut at limit + 1."""
    items = sorted((item for source in sources for item in source), key=lambda item: item.order)
    kept = tuple(items[-limit:])
    return Story(kept, len(items) > limit, blocks(kept))


def blocks(items: Sequence[Item], after: datetime | None = None) -> tuple[Block, ...]:
    """after: the moment of what stands before, so that its day is not said again."""
    made: list[Block] = []
    day = _day(after) if after is not None else None
    run: list[Item] = []

    def flush() -> None:
        made.extend(_fold(run))
        run.clear()

    for item in items:
        if _day(item.at) != day:
            flush()
            if day is not None or _day(item.at) != timezone.localdate():
                made.append(Block("day", label=_day_words(item.at)))
            day = _day(item.at)
        if item.kind == "message":
            flush()
            made.append(Block("message", item))
        elif (at := _partner(run, item)) is not None:
            run[at] = _joined(run[at], item)
        else:
            run.append(item)
    flush()
    return tuple(made)


def _day(moment: datetime) -> date:
    return timezone.localtime(moment).date()


def _day_words(moment: datetime) -> str:
    day, today = _day(moment), timezone.localdate()
    if day == today:
        return _("Today")
    if day == today - timedelta(days=1):
        return _("Yesterday")
    return times.day(day, weekday=True, year=day.year != today.year)


def _partner(run: Sequence[Item], item: Item) -> int | None:
    """Where in the run the same person just did something; what came of itself may lie between."""
    for at in range(len(run) - 1, -1, -1):
        if run[at].actor:
            return at if _joins(run[at], item) else None
    return None


def _joins(one: Item, other: Item) -> bool:
    return (
        one.together
        and other.together
        and one.actor == other.actor
        and not one.url
        and other.at - one.at <= TOGETHER
    )


def _joined(one: Item, other: Item) -> Item:
    return replace(
        one,
        texts=one.texts + tuple(text for text in other.texts if text not in one.texts),
        changes=one.changes + other.changes,
        tone=one.tone or other.tone,
        url=other.url,
        link=other.link,
    )


def _fold(run: Sequence[Item]) -> list[Block]:
    if len(run) <= RUN_SHOWN:
        return [Block("event", item) for item in run]
    hidden = tuple(run[1:-2])
    return [
        Block("event", run[0]),
        Block("fold", items=hidden),
        *(Block("event", item) for item in run[-2:]),
    ]
