"""Imported tickets become findable: the search's own bulk function, if the room has one."""

from __future__ import annotations


def index(ids: list[int]) -> None:
    """Refreshes the search documents of these tickets in the present transaction."""
