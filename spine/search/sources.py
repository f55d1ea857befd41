"""What can be found, kind by kind. Each room registers its own sources when it is ready."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.utils.functional import Promise

if TYPE_CHECKING:
    from spine.people.models import User


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one record. title and body are for everybody who sees the record; notes for
    those who may read work notes in its organization."""

    title: str
    body: str = ""
    notes: str = ""
    number: str = ""
    external_id: str = ""
    organization_id: int | None = None
    ranked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """How a record looks among the results. hint: a short line; state and tone: as the interface
    shows states; excerpts: plain texts that the person may read, of which the first that holds what
    was typed is quoted; value: what a form field stores for it."""

    title: str
    url: str
    number: str = ""
    hint: str = ""
    state: str = ""
    tone: str = ""
    excerpts: tuple[str, ...] = ()
    value: str = ""


def _everywhere(_user: User) -> frozenset[int] | None:
    return None


def _none(_user: User) -> list[int]:
    return []


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of record that can be found.

    kind: stable code; label: plural, for the group; target_type and verbs: which audit entries
    make it stale (the entry's target is the record); records: every record, with what `texts`
    reads; texts(records): their words, in the records' order (for a batch, so that it can read
    comments in one query); visible(queryset, user): the scope in SQL;
    organizations(user): where the person reads all records of this kind (None: everywhere; empty:
    only what is their own); hits(queryset, user): the found records by primary key, as shown.
    noteless(user): primary keys of records that the person sees as their own, without reading the
    work notes as they do elsewhere in that organization.
    names: searched as names (every word a beginning) instead of as texts.
    number_prefixes: so that digits alone find a number.
    """

    kind: str
    label: str | Promise
    icon: str
    target_type: str
    verbs: tuple[str, ...]
    records: Callable[[], QuerySet[Any]]
    texts: Callable[[list[Any]], Iterable[Texts]]
    visible: Callable[[QuerySet[Any], User], QuerySet[Any]]
    hits: Callable[[QuerySet[Any], User], dict[int, Hit]]
    organizations: Callable[[User], frozenset[int] | None] = _everywhere
    noteless: Callable[[User], list[int]] = _none
    names: bool = False
    number_prefixes: tuple[str, ...] = ()
    order: int = 50


_sources: dict[str, Source] = {}


def register(source: Source) -> Source:
    if source.kind in _sources:
        raise RuntimeError(f"two search sources named {source.kind}")
    _sources[source.kind] = source
    return source


def get(kind: str) -> Source:
    return _sources[kind]


def find(kind: str) -> Source | None:
    return _sources.get(kind)


def every() -> list[Source]:
    """In the order in which groups are shown."""
    return sorted(_sources.values(), key=lambda source: (source.order, source.kind))


def stale(verb: str, target_type: str) -> list[Source]:
    """The sources whose record an entry of this verb has changed."""
    return [
        source
        for source in every()
        if source.target_type == target_type
        and any(fnmatchcase(verb, pattern) for pattern in source.verbs)
    ]
