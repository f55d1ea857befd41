"""Filters for people: a filterset's parameters in words (chips) and as a form (the panel)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from spine.people.models import User
from spine.rest import moments
from spine.rest.fields import find
from spine.rest.filters import ME, Choice, Column, FilterSet, Flag, Moment, Number, Reference
from spine.ui import times
from spine.ui.columns import Label
from spine.ui.forms import DeskForm, ReferenceField

_SIGNS = {"gt": "> ", "gte": "≥ ", "lt": "< ", "lte": "≤ ", "icontains": "… "}
YES_NO = (("true", gettext_lazy("Yes")), ("false", gettext_lazy("No")))


@dataclass(frozen=True, slots=True)
class Filterable:
    """A column of a filterset for people. choices: of a number that stands for words; source: URL
    name of the combobox; options: list them all where there are no scripts."""

    label: Label
    choices: Sequence[tuple[Any, Label]] = ()
    source: str = ""
    options: bool = False


Filterables = Mapping[str, Filterable]


def words(
    filterset: type[FilterSet], known: Filterables, parameter: str, value: str, user: User
) -> tuple[str, str]:
    """(label, value) of a chip: ("Priority", "P1, P2"), ("Opened", "≥ 23 Nov")."""
    name, _sep, lookup = parameter.partition("__")
    shown = known.get(name)
    column = filterset.columns.get(name)
    if shown is None or column is None:
        return parameter, value
    label = str(shown.label)
    if lookup == "isnull":
        return label, str(_("none") if value == "true" else _("any"))
    texts = value.split(",") if lookup == "in" else [value]
    return label, _SIGNS.get(lookup, "") + ", ".join(
        _word(column, shown, text, user) for text in texts
    )


def _word(column: Column, shown: Filterable, text: str, user: User) -> str:
    choices = shown.choices or (column.choices if isinstance(column, Choice) else ())
    if isinstance(column, Flag):
        choices = YES_NO
    for code, label in choices:
        if str(code) == text:
            return str(label)
    if isinstance(column, Reference) and column.rows is not None:
        if text == ME:
            return str(_("me"))
        row = find(column.rows(user), text, column.keys)
        return str(row) if row is not None else text
    if isinstance(column, Moment):
        return _moment(text)
    return text


def _moment(text: str) -> str:
    try:
        moment = moments.parse(text)
    except forms.ValidationError:
        return text
    local = timezone.localtime(moment)
    if local.hour == local.minute == 0 or "T" not in text:
        return times.day(local.date(), year=local.year != timezone.localtime().year)
    return times.when(moment)


def panel_form(
    filterset: type[FilterSet],
    known: Filterables,
    panel: Sequence[str],
    user: User,
    data: Mapping[str, str],
) -> DeskForm:
    """A GET form of these parameters, filled from the address. Without one's own `required`."""
    form = DeskForm(user=user, initial={}, auto_id="filter_%s")
    for parameter in panel:
        name, _sep, lookup = parameter.partition("__")
        field = _field(filterset.columns[name], known[name], lookup)
        if isinstance(field, ReferenceField):
            field.bind(user)
        form.fields[parameter] = field
        given = data.get(parameter, "")
        many = isinstance(field, forms.MultipleChoiceField)
        form.initial[parameter] = given.split(",") if many and given else _initial(field, given)
    return form


def _initial(field: forms.Field, given: str) -> Any:
    if isinstance(field, forms.DateField) and given:
        try:
            return timezone.localtime(moments.parse(given)).date()
        except forms.ValidationError:
            return given
    return given


def _field(column: Column, shown: Filterable, lookup: str) -> forms.Field:
    label = str(shown.label)
    if lookup == "isnull":
        return forms.ChoiceField(label=label, choices=[("", "–"), *YES_NO], required=False)
    if isinstance(column, Reference):
        assert column.rows is not None
        return ReferenceField(
            column.rows,
            shown.source,
            keys=column.keys,
            options=shown.options,
            label=label,
            required=False,
        )
    if isinstance(column, Moment):
        widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
        ends = {"gte": _("%(name)s from"), "lt": _("%(name)s before")}
        return forms.DateField(
            label=ends.get(lookup, "%(name)s") % {"name": label}, widget=widget, required=False
        )
    choices: list[tuple[Any, Any]] = list(
        shown.choices or (column.choices if isinstance(column, Choice) else ())
    )
    if isinstance(column, Flag):
        choices = list(YES_NO)
    if choices and lookup == "in":
        return forms.MultipleChoiceField(
            label=label, choices=choices, required=False, widget=forms.CheckboxSelectMultiple
        )
    if choices:
        return forms.ChoiceField(label=label, choices=[("", "–"), *choices], required=False)
    if isinstance(column, Number):
        return forms.IntegerField(label=label, required=False)
    return forms.CharField(label=label, required=False)


def end_of_today() -> str:
    """The coming midnight of the reader's zone, as a filter's value."""
    local = timezone.localtime()
    midnight = datetime(local.year, local.month, local.day, tzinfo=local.tzinfo)
    return (midnight + timedelta(days=1)).isoformat()
