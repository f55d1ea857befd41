"""`?q=` of a list, for a page's filterset and the API's alike."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from spine.rest.fields import NO_NUL
from spine.rest.filters import FilterSet
from spine.search.matching import matching
from spine.search.queries import MAX_TEXT


class Words(django_filters.Filter):
    """The rows whose document holds the words; see `matching`."""

    parent: FilterSet  # set by the filterset for itself

    def __init__(self, *, kind: str) -> None:
        super().__init__()
        self.kind = kind

    @property
    def field(self) -> forms.Field:
        # A space at the end says that the last word is finished.
        return forms.CharField(required=False, max_length=MAX_TEXT, strip=False)

    def filter(self, queryset: QuerySet[Any], value: Any) -> QuerySet[Any]:
        if not value:
            return queryset
        reader = self.parent.user
        assert reader is not None
        return queryset.filter(matching(reader, self.kind, value))

    def value_schema(self) -> dict[str, Any]:
        """JSON Schema of the parameter."""
        return {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_TEXT,
            "pattern": NO_NUL,
            "description": _(
                "Words in the title, the texts and the replies, and in work notes where you may"
                " read them: every word must be there, “a phrase” in quotes in its order, -word"
                " must not; the last word may be unfinished. A number or an identifier of another"
                " system finds its record. A change is found moments after it was made."
            ),
        }
