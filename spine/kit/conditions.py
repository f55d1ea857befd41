"""Structured conditions: one grammar for policies, assignment rules, approvals, automation.

A condition is JSON:

    {"all": [c, ...]}   every one holds (an empty list holds)
    {"any": [c, ...]}   at least one holds (an empty list does not)
    {"not": c}
    {"field": "priority", "op": "in", "value": [1, 2]}
    {}                  always holds

Operators: eq ne in not_in lt lte gt gte contains starts_with empty not_empty.

Empty values (NULL, or "" for text) have these semantics, in SQL and in Python alike: `empty`
holds; `ne` and `not_in` hold (an empty value is not equal to anything); every other comparison
does not hold. `compile_q` and `compile_predicate` are property-tested against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

from django.db.models import F, Q, TextField, Value
from django.db.models.functions import Cast
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _

from spine.kit.errors import DomainError

Condition: TypeAlias = dict[str, Any]
Predicate: TypeAlias = Callable[[Any], bool]

VALUE_OPERATORS = frozenset({"eq", "ne", "lt", "lte", "gt", "gte", "contains", "starts_with"})
LIST_OPERATORS = frozenset({"in", "not_in"})
BARE_OPERATORS = frozenset({"empty", "not_empty"})
OPERATORS = VALUE_OPERATORS | LIST_OPERATORS | BARE_OPERATORS
_TEXT_OPERATORS = frozenset({"contains", "starts_with"})
MAX_DEPTH = 8


def validate(condition: Any, fields: Collection[str]) -> Condition:
    """Returns the condition if it is well formed over these fields; raises DomainError with the
    path to what is wrong otherwise."""
    _validate(condition, fields, "condition", 0)
    return condition  # type: ignore[no-any-return]


def _validate(node: Any, fields: Collection[str], path: str, depth: int) -> None:
    if not isinstance(node, dict):
        raise _bad(path, _("A condition is an object."))
    if depth > MAX_DEPTH:
        raise _bad(path, _("The condition is nested too deeply."))
    if not node:
        return
    for key in ("all", "any"):
        if key in node:
            if len(node) != 1 or not isinstance(node[key], list):
                raise _bad(path, _("“all” and “any” hold a list and stand alone."))
            for place, child in enumerate(node[key]):
                _validate(child, fields, f"{path}.{key}[{place}]", depth + 1)
            return
    if "not" in node:
        if len(node) != 1:
            raise _bad(path, _("“not” holds one condition and stands alone."))
        _validate(node["not"], fields, f"{path}.not", depth + 1)
        return
    _validate_leaf(node, fields, path)


def _validate_leaf(node: dict[str, Any], fields: Collection[str], path: str) -> None:
    operator, field = node.get("op"), node.get("field")
    unknown = set(node) - {"field", "op", "value"}
    if unknown:
        raise _bad(path, _("Unknown part: %(name)s.") % {"name": sorted(unknown)[0]})
    if not isinstance(field, str) or field not in fields:
        raise _bad(path, _("Unknown field: %(name)s.") % {"name": field})
    if not isinstance(operator, str) or operator not in OPERATORS:
        raise _bad(path, _("Unknown operator: %(name)s.") % {"name": operator})
    value = node.get("value")
    if operator in BARE_OPERATORS:
        if "value" in node:
            raise _bad(path, _("This operator takes no value."))
    elif operator in LIST_OPERATORS:
        if not isinstance(value, list) or not all(_is_scalar(item) for item in value):
            raise _bad(path, _("This operator takes a list of values."))
    elif not _is_scalar(value):
        raise _bad(path, _("This operator takes one value."))
    elif operator in _TEXT_OPERATORS and not isinstance(value, str):
        raise _bad(path, _("This operator takes a text."))


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | bool) and value != ""


def _bad(path: str, message: str) -> DomainError:
    return DomainError("bad_condition", message, path)


def compile_q(condition: Condition) -> Q:
    """The condition as a filter. Fields are model lookups ("priority", "service__tier").

    Every leaf is total (never SQL's NULL), so that negation means what it says.
    """
    if not condition:
        return Q()
    if "all" in condition:
        q = Q()
        for child in condition["all"]:
            q &= compile_q(child) or Q(pk__isnull=False)
        return q
    if "any" in condition:
        q = Q(pk__in=[])
        for child in condition["any"]:
            q |= compile_q(child) or Q(pk__isnull=False)
        return q
    if "not" in condition:
        return ~(compile_q(condition["not"]) or Q(pk__isnull=False))
    return _leaf_q(condition)


_LOOKUPS = {
    "eq": "exact", "in": "in", "lt": "lt", "lte": "lte", "gt": "gt", "gte": "gte",
    "contains": "contains", "starts_with": "startswith",
}  # fmt: skip


def _leaf_q(leaf: Condition) -> Q:
    field, operator, value = leaf["field"], leaf["op"], leaf.get("value")
    null = Q(**{f"{field}__isnull": True})
    if operator == "empty":
        return null | _blank(field)
    if operator == "not_empty":
        return ~(null | _blank(field))
    if operator == "ne":
        return null | ~(Q(**{f"{field}__isnull": False}) & Q(**{field: value}))
    if operator == "not_in":
        return null | ~(Q(**{f"{field}__isnull": False}) & Q(**{f"{field}__in": value}))
    found = Q(**{f"{field}__isnull": False}) & Q(**{f"{field}__{_LOOKUPS[operator]}": value})
    if operator in {"lt", "lte"} and isinstance(value, str):
        found &= ~_blank(field)
    return found


def _blank(field: str) -> Q:
    """`""` compared as text, so that the same leaf serves text and number columns."""
    return Q(Exact(Cast(F(field), TextField()), Value("")))


def compile_predicate(condition: Condition) -> Predicate:
    """The condition as a function of a mapping or an object with the fields as attributes.

    "service__tier" follows attributes (or nested mappings); a missing link counts as empty.
    """
    if not condition:
        return lambda _subject: True
    if "all" in condition:
        parts = [compile_predicate(child) for child in condition["all"]]
        return lambda subject: all(part(subject) for part in parts)
    if "any" in condition:
        parts = [compile_predicate(child) for child in condition["any"]]
        return lambda subject: any(part(subject) for part in parts)
    if "not" in condition:
        inner = compile_predicate(condition["not"])
        return lambda subject: not inner(subject)
    return _leaf_predicate(condition)


def _leaf_predicate(leaf: Condition) -> Predicate:
    operator, wanted = leaf["op"], leaf.get("value")
    path = leaf["field"].split("__")
    compare = _COMPARISONS[operator]

    def holds(subject: Any) -> bool:
        return compare(_read(subject, path), wanted)

    return holds


def _read(subject: Any, path: list[str]) -> Any:
    value = subject
    for name in path:
        if value is None:
            return None
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return getattr(value, "pk", value)


def _is_empty(value: Any) -> bool:
    return value is None or value == ""


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, wanted: not _is_empty(value) and compare(value, wanted)


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, wanted: not _is_empty(value) and value == wanted,
    "ne": lambda value, wanted: _is_empty(value) or value != wanted,
    "in": lambda value, wanted: not _is_empty(value) and value in wanted,
    "not_in": lambda value, wanted: _is_empty(value) or value not in wanted,
    "lt": _ordered(lambda value, wanted: value < wanted),
    "lte": _ordered(lambda value, wanted: value <= wanted),
    "gt": _ordered(lambda value, wanted: value > wanted),
    "gte": _ordered(lambda value, wanted: value >= wanted),
    "contains": _ordered(lambda value, wanted: wanted in value),
    "starts_with": _ordered(lambda value, wanted: value.startswith(wanted)),
    "empty": lambda value, _wanted: _is_empty(value),
    "not_empty": lambda value, _wanted: not _is_empty(value),
}
