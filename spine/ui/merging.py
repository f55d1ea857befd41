"""Two people on one record: what changed meanwhile beside what was typed, nothing overwritten.

An edit form carries the version it was opened with and each field's value at that time, so that a
save sends only what this person changed, and a stale one can show all three: then, now, yours.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from spine.people.models import User
from spine.ui.forms import DeskForm, ReferenceField, choices_of, key_of

_LONG = 80
_WORDS = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True, slots=True)
class Merge:
    """One field that two people changed. Values are as the form sends them."""

    name: str
    label: str
    stored: str
    typed: str
    stored_value: str
    typed_value: str
    difference: SafeString
    by: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A field of the form, or the choice between two values of it."""

    field: forms.BoundField
    merge: Merge | None = None


class EditForm(DeskForm):
    """Fields of a record. `current`: {field: value as stored}, `version`: of that record."""

    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, user: User, current: Mapping[str, Any], version: int,
        **keywords: Any,
    ) -> None:  # fmt: skip
        initial = {**current, "version": version}
        super().__init__(data, user=user, initial=initial, **keywords)
        self.merges: dict[str, Merge] = {}
        # Whether it was put on top of somebody else's save.
        self.stale = False
        for name, field in self.fields.items():
            field.show_hidden_initial = name != "version"

    def changes(self) -> dict[str, Any]:
        """What this person changed, checked."""
        return {
            name: self.cleaned_data[name]
            for name in self.changed_data
            if name != "version" and name in self.cleaned_data
        }

    def lines(self) -> list[Line]:
        return [Line(field, self.merges.get(field.name)) for field in self.visible_fields()]

    def words_of(self, name: str, value: Any) -> str:
        """A sent value as the reader knows it."""
        field = self.fields[name]
        if isinstance(field, ReferenceField):
            row = field.found(value)
            return field.shown(row) if row is not None else ""
        if isinstance(field, forms.ChoiceField):
            labels = {str(code): str(label) for code, label in choices_of(field)}
            return labels.get(str(value), str(value))
        return str(value or "")


def merged(
    form: EditForm, current: Mapping[str, Any], version: int, authors: Mapping[str, tuple[str, Any]]
) -> EditForm:
    """The form on top of what is stored now: fields that only others changed follow them, fields
    that both changed offer the choice. authors: {field: (name, moment)} of the latest changes."""
    mine = set(form.changed_data)
    data = QueryDict(mutable=True)
    merges: dict[str, Merge] = {}
    data["version"] = str(version)
    for name in form.fields:
        if name == "version":
            continue
        stored = _sent(form.fields[name], current.get(name))
        typed = str(form[name].data or "")
        before = str(form.data.get(f"initial-{name}", ""))
        data[form[name].html_initial_name] = stored
        data[name] = typed if name in mine else stored
        if name in mine and stored not in (before, typed):
            by, at = authors.get(name, ("", None))
            was, yours = form.words_of(name, stored), form.words_of(name, typed)
            merges[name] = Merge(
                name, str(form[name].label), was, yours, stored, typed, difference(was, yours),
                by, at,
            )  # fmt: skip
    again = type(form)(data, user=form.user, current=current, version=version)
    again.merges = merges
    again.stale = True
    return again


def _sent(field: forms.Field, value: Any) -> str:
    prepared = key_of(field.prepare_value(value))
    return "" if prepared is None else str(prepared)


def difference(stored: str, typed: str) -> SafeString:
    """What separates two long texts, word by word, with <del> and <ins>; nothing for short ones,
    which are easier to read side by side."""
    if max(len(stored), len(typed)) < _LONG:
        return SafeString("")
    left, right = _WORDS.findall(stored), _WORDS.findall(typed)
    parts: list[tuple[str, str, str]] = []
    for code, a, b, c, d in difflib.SequenceMatcher(
        None, left, right, autojunk=False
    ).get_opcodes():
        if code == "equal":
            parts.append(("span", "".join(left[a:b]), "span"))
            continue
        if a != b:
            parts.append(("del", "".join(left[a:b]), "del"))
        if c != d:
            parts.append(("ins", "".join(right[c:d]), "ins"))
    return format_html_join("", "<{}>{}</{}>", parts)
