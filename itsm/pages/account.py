"""Sign-in and what a person keeps for themselves: preferences, password, API tokens."""

from __future__ import annotations

import zoneinfo
from datetime import timedelta
from functools import cache
from typing import Any, cast
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from itsm.demo import DEMO_ACCOUNTS
from spine.kit.clock import now
from spine.kit.errors import DomainError
from spine.people import actions
from spine.people.models import ApiToken, User
from spine.people.reach import reach_of

TOKEN_DAYS = [(30, gettext_lazy("30 days")), (90, gettext_lazy("90 days")), (365, gettext_lazy("1 year"))]


@cache
def _zones() -> list[str]:
    """Places a person can name; the data base's other spellings are left out."""
    areas = ("Africa/", "America/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/")
    return ["UTC", *sorted(z for z in zoneinfo.available_timezones() if z.startswith(areas))]


class SignIn(LoginView):
    """The sign-in page. In the demo it offers the demo accounts, one click each."""

    template_name = "account/login.html"
    redirect_authenticated_user = True

    def get_form(self, form_class: Any = None) -> AuthenticationForm:
        form = cast(AuthenticationForm, super().get_form(form_class))
        form.fields["username"].label = _("User name or e-mail")
        return form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        accounts = DEMO_ACCOUNTS if settings.DEMO else ()
        return super().get_context_data(demo_accounts=accounts, **kwargs)


class PreferencesForm(forms.Form):
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        choices=[("", gettext_lazy("As the browser asks")), *settings.LANGUAGES],
        required=False,
    )
    timezone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        choices=lambda: [(zone, zone.replace("_", " ")) for zone in _zones()],
        widget=forms.Select(attrs={"data-combobox": ""}),
    )


class TokenForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("What is it for?"), max_length=100)
    scope = forms.ChoiceField(label=gettext_lazy("Scope"), choices=ApiToken.Scope.choices)
    days = forms.TypedChoiceField(
        label=gettext_lazy("Valid for"), choices=TOKEN_DAYS, coerce=int, initial=90
    )


class PasswordForm(forms.Form):
    current = forms.CharField(
        label=gettext_lazy("Present password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label=gettext_lazy("New password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_current(self) -> str:
        value = str(self.cleaned_data["current"])
        if not self.user.check_password(value):
            raise forms.ValidationError(_("This is not your present password."))
        return value


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)


def _page(request: HttpRequest, status: int = 200, **forms_given: Any) -> HttpResponse:
    user = _person(request)
    context: dict[str, Any] = {
        "preferences": PreferencesForm(
            initial={"language": user.language, "timezone": user.timezone}
        ),
        "password": PasswordForm(user=user),
        "token_form": TokenForm(),
        "tokens": user.api_tokens.all(),
        "frame_template": "base.html" if reach_of(user).is_staff else "portal/base.html",
    }
    return render(request, "account/profile.html", context | forms_given, status=status)


@login_required
@require_GET
def profile(request: HttpRequest) -> HttpResponse:
    return _page(request)


@login_required
@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    form = PreferencesForm(request.POST)
    if form.is_valid():
        try:
            actions.update_preferences(actor=_person(request), **form.cleaned_data)
        except DomainError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, _("Your preferences are saved."))
            return redirect("profile")
    return _page(request, 400, preferences=form)


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """From the account menu: kept with the person, and in a cookie for before sign-in."""
    code = request.POST.get("language", "")
    target = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure()):
        target = "/"
    response = redirect(target)
    if code in dict(settings.LANGUAGES):
        if request.user.is_authenticated:
            actions.update_preferences(actor=_person(request), language=code)
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            code,
            max_age=365 * 86400,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
    return response


@login_required
@require_POST
def password(request: HttpRequest) -> HttpResponse:
    user = _person(request)
    form = PasswordForm(request.POST, user=user)
    if form.is_valid():
        try:
            actions.set_password(actor=user, user=user, password=form.cleaned_data["new"])
        except DomainError as error:
            form.add_error("new", error.message)
        else:
            update_session_auth_hash(request, user)
            messages.success(request, _("Your password is changed."))
            return redirect("profile")
    return _page(request, 400, password=form)


@login_required
@require_POST
def create_token(request: HttpRequest) -> HttpResponse:
    """The new key is shown on the answer itself and nowhere else ever after."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _page(request, 400, token_form=form)
    try:
        _token, key = actions.create_token(
            actor=_person(request),
            name=form.cleaned_data["name"],
            scope=form.cleaned_data["scope"],
            expires_at=now() + timedelta(days=form.cleaned_data["days"]),
        )
    except DomainError as error:
        form.add_error(error.field, error.message)
        return _page(request, 400, token_form=form)
    response = _page(request, new_key=key)
    response.headers["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
def revoke_token(request: HttpRequest, uuid: UUID) -> HttpResponse:
    token = get_object_or_404(ApiToken, uuid=uuid, user=_person(request))
    actions.revoke_token(actor=_person(request), token=token)
    messages.success(request, _("The token is revoked."))
    return redirect("profile")
