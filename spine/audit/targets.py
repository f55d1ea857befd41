"""How an entry names the record it is about."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.conf import settings
from django.db import models


class Target(NamedTuple):
    """type: "tickets.ticket"; id: the primary key as text; label: what a person calls it (a
    number, a name), never a personal value, as it is sealed in clear."""

    type: str
    id: str
    label: str


def target_of(obj: Any) -> Target:
    """The target of any saved model instance.

    A model may say for itself with `audit_target() -> (type, id, label)`. Otherwise a child of a
    concrete parent goes by its parent ("tickets.ticket"), so that a record has one trail whatever
    its kind.
    """
    own = getattr(obj, "audit_target", None)
    if callable(own):
        kind, pk, label = own()
        return Target(str(kind), str(pk), str(label))
    if not isinstance(obj, models.Model):
        raise TypeError(f"{obj!r} is not a record: give a model instance.")
    if obj.pk is None:
        raise ValueError(f"{type(obj).__name__} is not saved yet: record after saving.")
    meta = obj._meta.concrete_model._meta  # type: ignore[union-attr]
    parents = meta.get_parent_list()
    if parents:
        meta = parents[-1]._meta
    return Target(meta.label_lower, str(obj.pk), _label(obj))


def _label(obj: models.Model) -> str:
    if obj._meta.label_lower == settings.AUTH_USER_MODEL.lower():
        return ""
    for name in ("number", "name", "uuid"):
        value = getattr(obj, name, None)
        if value:
            return str(value)
    return ""
