"""The first page: staff to their work, everybody else to the portal."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from spine.people.models import User
from spine.people.reach import reach_of


@login_required
def home(request: HttpRequest) -> HttpResponse:
    staff = reach_of(cast(User, request.user)).is_staff
    return redirect("desk" if staff else "portal:home")
