"""Input for people: references typed into a combobox, several files, and the words of a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from spine.kit.errors import DomainError, InvalidInput
from spine.people.models import Team, User
from spine.rest.fields import find

Rows = Callable[[Any], QuerySet[Any]]
DATETIME_LOCAL = "%Y-%m-%dT%H:%M"


def key_of(value: Any) -> Any:
    """A record's id as text; anything else as it is."""
    return str(value.uuid) if isinstance(value, Model) else value  # type: ignore[attr-defined]


class ReferenceSelect(forms.Select):
    """A combobox that asks `source` (a URL name) as one types, with the present choice only.

    Without scripts it is a list of all `options`, or a text field for the exact name where there
    are too many.
    """

    def __init__(self, source: str, *, options: bool = False, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.source = source
        self.list_all = options
        self.field: ReferenceField | None = None

    def __deepcopy__(self, memo: Any) -> ReferenceSelect:
        copied = super().__deepcopy__(memo)
        copied.field = None
        return copied

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        attrs = {**(attrs or {}), "data-combobox": True, "data-src": reverse(self.source)}
        self.choices = [("", ""), *self._present(value)]
        return super().get_context(name, key_of(value), attrs)

    def _present(self, value: Any) -> Iterable[tuple[str, str]]:
        if self.field is None:
            return []
        if self.list_all:
            return [(key_of(row), self.field.shown(row)) for row in self.field.all_rows()]
        row = value if isinstance(value, Model) else self.field.found(value)
        return [(key_of(row), self.field.shown(row))] if row is not None else []

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        select = super().render(name, value, attrs, renderer)
        if self.list_all:
            return select
        shown = self.field.found(value) if self.field and not isinstance(value, Model) else value
        typed = format_html(
            '<noscript><input name="{}" value="{}" aria-label="{}"></noscript>',
            f"{name}_typed",
            getattr(shown, "username", None) or str(shown or ""),
            _("Exact name"),
        )
        return mark_safe(select + typed)  # noqa: S308 - both parts are escaped

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        typed = data.get(f"{name}_typed")
        return (
            typed.strip() if typed is not None else super().value_from_datadict(data, files, name)
        )


class ReferenceField(forms.Field):
    """A record by id or natural key, among the `rows` that the form's user may name."""

    def __init__(
        self, rows: Rows, source: str, *, keys: Sequence[str] = ("name",), options: bool = False,
        shown: Callable[[Any], str] = str, **keywords: Any,
    ) -> None:  # fmt: skip
        super().__init__(widget=ReferenceSelect(source, options=options), **keywords)
        self.rows = rows
        self.shown = shown
        self.keys = tuple(keys)
        self.user: Any = None
        self._kept: dict[str, Any] = {}

    def __deepcopy__(self, memo: Any) -> ReferenceField:
        copied = super().__deepcopy__(memo)
        copied._kept = {}
        return copied

    def bind(self, user: Any) -> None:
        self.user = user
        if isinstance(self.widget, ReferenceSelect):
            self.widget.field = self

    def all_rows(self) -> list[Any]:
        return list(self.rows(self.user)[:500])

    def found(self, value: Any) -> Any:
        text = str(value or "").strip()
        if not text:
            return None
        if text not in self._kept:
            self._kept[text] = find(self.rows(self.user), text, self.keys)
        return self._kept[text]

    def prepare_value(self, value: Any) -> Any:
        return key_of(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.prepare_value(initial) != self.prepare_value(data) and bool(initial or data)

    def clean(self, value: Any) -> Any:
        if value in (None, ""):
            if self.required:
                raise ValidationError(_("This is needed."), "required")
            return None
        row = self.found(value)
        if row is None:
            raise ValidationError(
                _("There is no “%(value)s” here, or it is not yours to see.")
                % {"value": str(value)[:100]},
                "unknown_reference",
            )
        return row


def choices_of(field: forms.ChoiceField) -> list[tuple[Any, Any]]:
    """The field's choices as flat pairs (none here is grouped or computed)."""
    pairs: Any = field.choices
    return list(pairs)


class FilesInput(forms.FileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of files, as a list."""

    widget = FilesInput

    def __init__(self, **keywords: Any) -> None:
        keywords.setdefault("required", False)
        super().__init__(**keywords)

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[Any]]:
        given = data if isinstance(data, list | tuple) else [data] if data else []
        return [super(FilesField, self).clean(one, initial) for one in given]


class MomentField(forms.DateTimeField):
    """A date and time in the reader's own zone."""

    def __init__(self, **keywords: Any) -> None:
        widget = forms.DateTimeInput(format=DATETIME_LOCAL, attrs={"type": "datetime-local"})
        super().__init__(
            widget=widget, input_formats=[DATETIME_LOCAL, f"{DATETIME_LOCAL}:%S"], **keywords
        )


class DeskForm(forms.Form):
    """A form that knows who fills it in, and takes the words of a DomainError."""

    required_css_class = "required"
    use_required_attribute = True

    def __init__(self, *arguments: Any, user: User, **keywords: Any) -> None:
        keywords.setdefault("label_suffix", "")
        super().__init__(*arguments, **keywords)
        self.user = user
        for field in self.fields.values():
            if isinstance(field, ReferenceField):
                field.bind(user)

    def refuse(self, error: DomainError) -> None:
        """Puts each sentence beside its field, or above the form where it has none."""
        for one in error.errors if isinstance(error, InvalidInput) else [error]:
            place = one.field if one.field in self.fields else None
            self.add_error(place, ValidationError(one.message, one.code))


class ValueSpec(Protocol):
    """What a form needs to know of an input (a move's `Value` is one)."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> Any: ...
    @property
    def kind(self) -> str: ...
    @property
    def required(self) -> bool: ...
    @property
    def choices(self) -> Callable[[], list[tuple[str, Any]]] | None: ...
    @property
    def help(self) -> Any: ...
    @property
    def max_length(self) -> int: ...


def values_form(
    specs: Sequence[ValueSpec], user: User, data: Mapping[str, Any] | None = None, **keywords: Any
) -> DeskForm:
    """A form of these inputs, in their order."""
    form = DeskForm(data, user=user, **keywords)
    for spec in specs:
        field = _field_of(spec)
        if isinstance(field, ReferenceField):
            field.bind(user)
        form.fields[spec.name] = field
    return form


def _field_of(spec: ValueSpec) -> forms.Field:
    common = {"label": spec.label, "required": spec.required, "help_text": spec.help}
    if spec.kind == "choice" and spec.choices is not None:
        blank = [] if spec.required else [("", "–")]
        return forms.ChoiceField(choices=[*blank, *spec.choices()], **common)
    if spec.kind == "datetime":
        return MomentField(**common)
    if spec.kind == "user":
        return ReferenceField(
            User.objects.visible_to, "choices-people", keys=("username", "name"), **common
        )
    if spec.kind == "team":
        return ReferenceField(lambda _user: Team.objects.filter(active=True), "choices-teams",
                              options=True, **common)  # fmt: skip
    rows = {"text": 2, "markdown": 4}.get(spec.kind, 1)
    return forms.CharField(
        max_length=spec.max_length, widget=forms.Textarea(attrs={"rows": rows}), **common
    )
