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
from django.forms.utils import flatatt
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language_info, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from itsm.demo import DEMO_ACCOUNTS
from itsm.pages.attempts import Attempts, remember_device
from spine.kit.clock import now
from spine.kit.errors import DomainError
from spine.people import actions
from spine.people.models import ApiToken, User
from spine.people.reach import reach_of
from spine.ui import times

TOKEN_DAYS = [
    (30, gettext_lazy("30 days")),
    (90, gettext_lazy("90 days")),
    (365, gettext_lazy("1 year")),
]


@cache
def _zones() -> list[str]:
    """Places a person can name; the data base's other spellings are left out."""
    areas = (
        "Africa/",
        "America/",
        "Asia/",
        "Atlantic/",
        "Australia/",
        "Europe/",
        "Indian/",
        "Pacific/",
    )
    return ["UTC", *sorted(z for z in zoneinfo.available_timezones() if z.startswith(areas))]


# The method is judged before the token: LoginView checks the token itself, after this.
@method_decorator([csrf_exempt, require_http_methods(["GET", "HEAD", "POST"])], name="dispatch")
class SignIn(LoginView):
    """The sign-in page. In the demo it offers the demo accounts, one click each."""

    template_name = "account/login.html"
    redirect_authenticated_user = True

    def get_form(self, form_class: Any = None) -> AuthenticationForm:
        form = super().get_form(form_class)
        form.fields["username"].label = _("User name or e-mail")
        form.error_messages = {
            **form.error_messages,
            "invalid_login": gettext_lazy("The name or the password is not right."),
        }
        return form

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        typed = request.POST.get("username", "")
        attempts = Attempts.to_sign_in(request, typed)
        wait = attempts.begin()
        if wait:
            return self._refused(typed, wait)
        response = super().post(request, *args, **kwargs)
        if request.user.is_authenticated:
            attempts.succeeded()
            remember_device(response, _person(request), typed)
        return response

    def _refused(self, typed: str, wait: int) -> HttpResponse:
        """Whether the password was right is not looked at, and so not told."""
        form = self.get_form_class()(self.request, initial={"username": typed})
        form.fields["username"].label = _("User name or e-mail")
        context = self.get_context_data(form=form, refused=times.span(wait))
        response = self.render_to_response(context, status=429)
        response.headers["Retry-After"] = str(wait)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        accounts = DEMO_ACCOUNTS if settings.DEMO else ()
        return super().get_context_data(demo_accounts=accounts, **kwargs)


def _language_names() -> list[tuple[str, str]]:
    """Each language in its own words: who can't read the page finds theirs."""
    names = [
        (code, str(get_language_info(code)["name_local"]).capitalize())
        for code, _name in settings.LANGUAGES
    ]
    return [("", _("As the browser asks")), *names]


class LongSelect(forms.Select):
    """Some hundred options in one piece: Django's own renders a template for each of them."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        chosen = str(value or "")
        options = format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            (
                (code, mark_safe(" selected") if str(code) == chosen else "", label)
                for code, label in self.choices
            ),
        )
        given = self.build_attrs(self.attrs, {"name": name, **(attrs or {})})
        return format_html("<select{}>{}</select>", flatatt(given), options)


class PreferencesForm(forms.Form):
    language = forms.ChoiceField(
        label=gettext_lazy("Language"), choices=_language_names, required=False
    )
    timezone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        choices=lambda: [(zone, zone.replace("_", " ")) for zone in _zones()],
        widget=LongSelect(attrs={"data-combobox": ""}),
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
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label=gettext_lazy("New password"),
        strip=False,
        max_length=1000,
        help_text=gettext_lazy(
            "At least 8 characters. A few words are better than one with signs."
        ),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_current(self) -> str:
        value = str(self.cleaned_data["current"])
        attempts = Attempts.to_confirm(self.user)
        wait = attempts.begin()
        if wait:
            raise forms.ValidationError(
                _("Too many attempts. Try again in %(span)s.") % {"span": times.span(wait)}
            )
        if not self.user.check_password(value):
            raise forms.ValidationError(_("This is not your present password."))
        attempts.succeeded()
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
