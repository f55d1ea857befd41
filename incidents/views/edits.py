"""Forms about one incident: a move, or the fields of a section."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _

from incidents import actions, record, timeline
from incidents.forms import SECTIONS, current_values, split_category
from incidents.lifecycle import LIFECYCLE
from incidents.views.record import RecordView
from spine.kit.errors import DomainError, StaleVersion
from spine.people.policy import may, require
from spine.tickets.lifecycle import check_source
from spine.tickets.priority import priority_of
from spine.ui.forms import DeskForm, values_form
from spine.ui.merging import EditForm, merged
from spine.ui.views import FormView
from spine.ui.views.base import toast, trigger


class RecordForm(FormView, RecordView):
    """A form below an incident's address. Saved in a dialog, the page gets what changed."""

    template_name = "incidents/move.html"

    def load(self) -> None:
        RecordView.load(self)

    def saved_url(self) -> str:
        return self.record_url()

    def saved(self, sentence: str) -> HttpResponse:
        response = self.update()
        return trigger(response, toast=toast(sentence)) if sentence else response


class Move(RecordForm):
    """A move of the lifecycle: its values as a form, or one question where it has none."""

    dialog_template = "incidents/move_dialog.html"

    def load(self) -> None:
        super().load()
        try:
            self.move = LIFECYCLE.move(self.kwargs["move"])
        except DomainError as error:
            raise Http404(error.message) from error
        self.title = str(self.move.label)
        self.submit = str(self.move.label)
        self.tone = "danger" if self.move.code == "cancel" else "primary"
        self.meanwhile: list[Any] = []
        if self.request.method == "GET":
            # The page may be older than the record: the reason now, not after all is typed.
            require(self.user, self.move.verb, self.ticket)
            check_source(LIFECYCLE, self.move, self.ticket)

    def form(self, data: Any = None, files: Any = None) -> DeskForm:
        return values_form(self.move.values, self.user, data)

    def save(self, form: DeskForm) -> str:
        values = {name: form.cleaned_data.get(name) for name in form.fields}
        given = {name: value for name, value in values.items() if value not in (None, "")}
        moved = actions.move_incident(
            self.ticket,
            self.move.code,
            actor=self.user,
            values=given,
            expected_version=_version(self.request.POST.get("version")),
        )
        state = LIFECYCLE.state(moved.state).label
        return _("%(number)s is now %(state)s") % {"number": moved.number, "state": state}

    def merge(self, form: DeskForm, error: StaleVersion) -> DeskForm:
        """Nothing of a move collides with a field: say what changed, and let it through next."""
        self.load()
        check_source(LIFECYCLE, self.move, self.ticket)
        sent = _version(self.request.POST.get("version")) or self.ticket.version
        entries = record.latest_changes(self.ticket, self.ticket.version - sent)
        self.meanwhile = [timeline.changed_words(entry) for entry in reversed(entries)]
        return form

    def form_context(self, form: DeskForm) -> dict[str, Any]:
        return {
            "ticket": self.ticket,
            "move": self.move,
            "version": self.ticket.version,
            "meanwhile": self.meanwhile,
            "target": LIFECYCLE.state(self.move.target),
        }


def _version(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 9 else None


class Edit(RecordForm):
    """Fields of one section. A stale save shows then, now and yours."""

    dialog_template = "incidents/edit_dialog.html"
    template_name = "incidents/edit.html"

    def load(self) -> None:
        super().load()
        if self.kwargs["section"] not in SECTIONS:
            raise Http404
        self.section = self.kwargs["section"]
        self.title = str(SECTIONS[self.section][0])
        if self.request.method == "GET":
            require(self.user, "incident.update", self.ticket)

    def form(self, data: Any = None, files: Any = None) -> DeskForm:
        made = SECTIONS[self.section][1]
        current = current_values(self.section, self.ticket)
        return made(data, user=self.user, current=current, version=self.ticket.version)

    def save(self, form: DeskForm) -> str:
        assert isinstance(form, EditForm)
        changes = form.changes()
        if not changes:
            return ""
        actions.update_incident(
            self.ticket,
            actor=self.user,
            values=split_category(changes),
            expected_version=form.cleaned_data["version"],
        )
        return _("Saved")

    def merge(self, form: DeskForm, error: StaleVersion) -> DeskForm:
        assert isinstance(form, EditForm)
        sent = form.cleaned_data["version"]
        self.load()
        entries = record.latest_changes(self.ticket, self.ticket.version - sent)
        current = current_values(self.section, self.ticket)
        return merged(form, current, self.ticket.version, record.authors_of(entries))

    def form_context(self, form: DeskForm) -> dict[str, Any]:
        assert isinstance(form, EditForm)
        return {
            "ticket": self.ticket,
            "section": self.section,
            "lines": form.lines(),
            "merges": form.merges,
            "stale": form.stale,
            "priority": self._priority(form),
            "may_edit": may(self.user, "incident.update", self.ticket),
        }

    def _priority(self, form: EditForm) -> int | None:
        if self.section != "class":
            return None
        try:
            return priority_of(int(form["impact"].value()), int(form["urgency"].value()))
        except (TypeError, ValueError, KeyError):
            return self.ticket.priority
