"""Input shapes of incidents for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from incidents.models import Incident
from spine.people.models import Team, User
from spine.people.reach import reach_of
from spine.people.roles import Right
from spine.services.models import Service
from spine.tickets.fields import TITLE_MAX
from spine.tickets.models import Category, Channel, Impact, Priority, Urgency
from spine.ui.forms import DeskForm, FilesField, ReferenceField
from spine.ui.merging import EditForm


def people(user: User) -> QuerySet[User]:
    found: QuerySet[User] = User.objects.visible_to(user).filter(is_active=True)
    return found


def services(user: User) -> QuerySet[Service]:
    """Everybody's services, and those of the organizations whose tickets the user reads."""
    organizations = reach_of(user).organizations(Right.TICKETS_READ)
    found = Service.objects.filter(active=True)
    if organizations is None:
        return found
    own = Q(organization__isnull=True) | Q(organization__in=organizations)
    return found.filter(own | Q(organization_id=user.organization_id))


def categories(_user: User) -> QuerySet[Category]:
    return Category.objects.filter(kind="incident", active=True).select_related("parent")


def category_path(category: Category) -> str:
    return f"{category.parent} › {category}" if category.parent_id else str(category)


def _person(**keywords: Any) -> ReferenceField:
    return ReferenceField(people, "choices-people", keys=("username", "name"), **keywords)


def _team(**keywords: Any) -> ReferenceField:
    rows = Team.objects.filter(active=True)
    return ReferenceField(lambda _user: rows.all(), "choices-teams", options=True, **keywords)


def _service(**keywords: Any) -> ReferenceField:
    return ReferenceField(services, "choices-services", options=True, **keywords)


def _category(**keywords: Any) -> ReferenceField:
    """One field for both levels: the finer one says the coarser."""
    return ReferenceField(
        categories, "choices-categories", options=True, shown=category_path, **keywords
    )


def _level(label: Any, choices: Any) -> forms.TypedChoiceField:
    """Impact or urgency, shown whole; low unless somebody says more."""
    return forms.TypedChoiceField(
        label=label, choices=choices, coerce=int, initial=3, widget=forms.RadioSelect()
    )


def split_category(values: dict[str, Any]) -> dict[str, Any]:
    """A chosen category of either level as the record's two columns."""
    if "category" not in values:
        return values
    chosen = values.pop("category")
    if chosen is None or chosen.parent_id is None:
        return {**values, "category": chosen, "subcategory": None}
    return {**values, "category": chosen.parent, "subcategory": chosen}


class NewIncidentForm(DeskForm):
    caller = _person(label=_("Caller"))
    channel = forms.ChoiceField(
        label=_("How did it reach us?"), choices=Channel.choices, initial=Channel.PHONE
    )
    title = forms.CharField(label=_("Title"), max_length=TITLE_MAX)
    description = forms.CharField(
        label=_("What happens?"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("Markdown. What was tried, since when, who else is hit."),
    )
    service = _service(label=_("Service"), required=False)
    category = _category(label=_("Category"), required=False)
    impact = _level(_("Impact"), Impact.choices)
    urgency = _level(_("Urgency"), Urgency.choices)
    assignment_group = _team(label=_("Team"), required=False)
    assignee = _person(label=_("Assignee"), required=False)
    attachments = FilesField(label=_("Files"))

    def ticket_values(self) -> dict[str, Any]:
        values = {name: value for name, value in self.cleaned_data.items() if name != "attachments"}
        return split_category(values)


class WordsForm(EditForm):
    title = forms.CharField(label=_("Title"), max_length=TITLE_MAX)
    description = forms.CharField(
        label=_("Description"), required=False, widget=forms.Textarea(attrs={"rows": 8})
    )


class WhoForm(EditForm):
    assignment_group = _team(label=_("Team"), required=False)
    assignee = _person(label=_("Assignee"), required=False)
    caller = _person(label=_("Caller"))


class ClassForm(EditForm):
    service = _service(label=_("Service"), required=False)
    category = _category(label=_("Category"), required=False)
    impact = _level(_("Impact"), Impact.choices)
    urgency = _level(_("Urgency"), Urgency.choices)
    priority = forms.TypedChoiceField(
        label=_("Priority"),
        choices=[("", _("By the matrix")), *[(value, f"P{value}") for value in Priority.values]],
        coerce=int,
        empty_value=None,
        required=False,
    )
    priority_reason = forms.CharField(label=_("Why?"), max_length=300, required=False)

    def changes(self) -> dict[str, Any]:
        """A priority by hand goes with its reason; without one the matrix decides again."""
        changed = super().changes()
        if not {"priority", "priority_reason"} & set(changed):
            return changed
        by_hand = self.cleaned_data["priority"]
        if by_hand is None:
            changed.pop("priority", None)
            return {**changed, "priority_reason": ""}
        reason = self.cleaned_data["priority_reason"]
        return {**changed, "priority": by_hand, "priority_reason": reason}


class AssignForm(DeskForm):
    """For several incidents at once; what stays empty is left as it is."""

    assignment_group = _team(label=_("Team"), required=False)
    assignee = _person(label=_("Assignee"), required=False)


SECTIONS: Mapping[str, tuple[Any, type[EditForm]]] = {
    "words": (_("Title and description"), WordsForm),
    "who": (_("Who"), WhoForm),
    "class": (_("Classification"), ClassForm),
}


def current_values(section: str, ticket: Incident) -> dict[str, Any]:
    """The section's fields as they are stored."""
    form = SECTIONS[section][1]
    values = {name: getattr(ticket, name) for name in form.base_fields if name != "version"}
    if "category" in values:
        values["category"] = ticket.subcategory or ticket.category
    if "priority" in values and not ticket.priority_reason:
        values["priority"] = None
    return values
