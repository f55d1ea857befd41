"""What a row of a list shows. Cells are made in Python: a template tag for each of the cells of
fifty rows costs more than the query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise

Label = str | Promise
Cell = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Column:
    """css: of the cell ("c-title"); sorts: names of the list's whitelist, the first is what a
    first click on the header gives."""

    name: str
    label: Label
    cell: Cell
    css: str = "c-text"
    sorts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Header:
    label: str
    css: str
    url: str
    sorted: str  # "", "ascending" or "descending": for aria-sort


@dataclass(frozen=True, slots=True)
class Row:
    """A rendered row: `key` is its id in the page, `version` what its refresh compares."""

    key: str
    version: str
    cells: tuple[tuple[str, str], ...]  # (css, html)


def headers(
    columns: Sequence[Column], ordering: str, offered: frozenset[str], link: Callable[[str], str]
) -> list[Header]:
    """The heads of the columns; link: an ordering's name -> the address of that list."""
    made = []
    for column in columns:
        sorts = [name for name in column.sorts if name in offered]
        url = ""
        state = ""
        if sorts:
            at = sorts.index(ordering) if ordering in sorts else -1
            url = link(sorts[(at + 1) % len(sorts)])
            if at >= 0:
                state = "descending" if ordering.startswith("-") else "ascending"
        made.append(Header(str(column.label), column.css, url, state))
    return made


def rows(
    columns: Sequence[Column],
    records: Sequence[Any],
    key: Callable[[Any], str],
    version: Callable[[Any], str],
) -> list[Row]:
    cells = [(column.css, column.cell) for column in columns]
    return [
        Row(key(record), version(record), tuple((css, cell(record)) for css, cell in cells))
        for record in records
    ]
