"""The form: a page of its own, or the page's one dialog. What was typed survives every refusal."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from spine.kit.errors import DomainError, StaleVersion
from spine.ui.forms import DeskForm
from spine.ui.views.base import DeskView


class FormView(DeskView):
    """A form and what it does. A subclass gives `form()`, `save()` and where to go.

    GET shows it; POST saves. From a dialog the answer to a refusal is the dialog again (422), else
    the page again; both with all that was typed, and a word about files, which a browser can't
    keep.
    """

    title: str | Promise = ""
    submit: str | Promise = _("Save")
    tone = "primary"
    template_name = "ui/pages/form.html"
    dialog_template = "ui/pages/form_dialog.html"

    def form(self, data: Any = None, files: Any = None) -> DeskForm:
        raise NotImplementedError

    def save(self, form: DeskForm) -> str:
        """Does it; returns the sentence to say. Raises DomainError."""
        raise NotImplementedError

    def saved_url(self) -> str:
        raise NotImplementedError

    def cancel_url(self) -> str:
        return self.saved_url()

    def load(self) -> None:
        """Reads what the form is about; raises Http404 or DomainError. Runs before GET and POST."""

    def form_context(self, form: DeskForm) -> dict[str, Any]:
        return {}

    def saved(self, sentence: str) -> HttpResponse:
        """The answer inside a dialog when it was saved; a page is redirected."""
        response = HttpResponse(status=204)
        response["HX-Redirect"] = self.saved_url()
        messages.success(self.request, sentence)
        return response

    def merge(self, form: DeskForm, error: StaleVersion) -> DeskForm:
        """The form after somebody else saved first: it shows both."""
        form.refuse(error)
        return form

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.load()
        return self.show(self.form())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.load()
        form = self.form(request.POST, request.FILES)
        if form.is_valid():
            try:
                sentence = self.save(form)
            except StaleVersion as error:
                return self.show(self.merge(form, error), status=412)
            except DomainError as error:
                form.refuse(error)
                return self.show(form, status=error.status)
            if self.in_dialog:
                return self.saved(sentence)
            if sentence:
                messages.success(request, sentence)
            return HttpResponseRedirect(self.saved_url())
        return self.show(form, status=422)

    def show(self, form: DeskForm, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "title": self.title,
            "submit": self.submit,
            "tone": self.tone,
            "action": self.request.get_full_path(),
            "cancel_url": self.cancel_url(),
            "files_lost": bool(self.request.FILES) and form.is_bound,
            **self.form_context(form),
        }
        if self.in_dialog:
            # The page swaps 422 in; any other error would leave the dialog as it was.
            return render(
                self.request, self.dialog_template, context, status=200 if status == 200 else 422
            )
        return render(self.request, self.template_name, context, status=status)
