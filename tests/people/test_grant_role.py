"""`manage.py grant_role`."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from spine.audit.models import Entry
from spine.people.models import User
from spine.people.reach import reach_of
from spine.people.roles import Right

pytestmark = pytest.mark.django_db


def test_it_gives_the_role_and_says_so_on_the_trail(caller: User) -> None:
    call_command("grant_role", "caller", "agent", "--days", "30", "--reason", "stands in")
    assert reach_of(caller).has(Right.TICKETS_WORK)
    entry = Entry.objects.for_target(caller).get(verb="grant.created")
    assert (entry.data["role"], entry.data["reason"]) == ("agent", "stands in")
    assert entry.source == "shell"


@pytest.mark.parametrize(
    "words",
    [
        ("nobody", "agent"),
        ("caller", "wizard"),
        ("caller", "agent", "--organization", "nowhere"),
        ("caller", "agent", "--days", "0"),
    ],
)
def test_a_slip_is_named(caller: User, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        call_command("grant_role", *words)
