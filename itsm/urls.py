"""Every address of the platform. A new one needs a row in the role x endpoint matrix."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import include, path

from itsm.pages import account, attachments, choices, design, desk, errors, health, home

urlpatterns = [
    path("", home.home, name="home"),
    path("login/", account.SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("language/", account.set_language, name="set_language"),
    path("profile/", account.profile, name="profile"),
    path("profile/preferences/", account.preferences, name="preferences"),
    path("profile/password/", account.password, name="password"),
    path("profile/tokens/", account.create_token, name="token-create"),
    path("profile/tokens/<uuid:uuid>/revoke/", account.revoke_token, name="token-revoke"),
    path("desk/", desk.my_work, name="desk"),
    path("incidents/", include("incidents.urls")),
    path("attachments/<uuid:uuid>/", attachments.download, name="attachment"),
    path("choices/people/", choices.people, name="choices-people"),
    path("choices/teams/", choices.teams, name="choices-teams"),
    path("choices/services/", choices.services, name="choices-services"),
    path("choices/categories/", choices.categories, name="choices-categories"),
    path("portal/", include("portal.urls")),
    path("search/", include("spine.search.urls")),
    path("settings/design/", design.design, name="design"),
    path("settings/mailbox/", include("notify.urls")),
    path("api/", include("itsm.api")),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
