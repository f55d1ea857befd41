"""What a caller is asked: three things."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from spine.tickets.models import Impact, Urgency


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True
    template_name = "django/forms/widgets/file.html"


class ManyFilesField(forms.FileField):
    """A list of uploaded files, possibly empty."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        given = data if isinstance(data, list | tuple) else [data]
        return [super(ManyFilesField, self).clean(file, initial) for file in given if file]


class Trouble:
    """How badly it holds somebody up, in their words -> (impact, urgency)."""

    STOPPED = "stopped"
    SLOWED = "slowed"
    SMALL = "small"
    LEVELS: ClassVar = {
        STOPPED: (Impact.MEDIUM, Urgency.HIGH),
        SLOWED: (Impact.LOW, Urgency.MEDIUM),
        SMALL: (Impact.LOW, Urgency.LOW),
    }
    CHOICES = (
        (STOPPED, _("I can't work")),
        (SLOWED, _("It slows me down")),
        (SMALL, _("It can wait")),
    )


class ReportForm(forms.Form):
    title = forms.CharField(
        label=_("What is wrong?"),
        max_length=255,
        # No autocomplete="off": going back, the browser would not bring back what was typed.
        widget=forms.TextInput(
            attrs={
                "hx-get": reverse_lazy("portal:suggest"),
                "hx-trigger": "input changed delay:300ms",
                "hx-target": "#hits",
            }
        ),
    )
    description = forms.CharField(
        label=_("What happened, where, and since when?"),
        max_length=100_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    trouble = forms.ChoiceField(
        label=_("How much does it hold you up?"),
        choices=Trouble.CHOICES,
        initial=Trouble.SLOWED,
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Here, as `files` is also what a form calls the uploads themselves.
        files = ManyFilesField(label=_("Pictures or files"), required=False)
        files.widget.attrs["data-max-bytes"] = settings.ATTACHMENT_MAX_BYTES
        self.fields["files"] = files

    def ticket_values(self) -> dict[str, Any]:
        impact, urgency = Trouble.LEVELS[self.cleaned_data["trouble"]]
        return {
            "title": self.cleaned_data["title"],
            "description": self.cleaned_data["description"],
            "impact": int(impact),
            "urgency": int(urgency),
            "channel": "portal",
        }
