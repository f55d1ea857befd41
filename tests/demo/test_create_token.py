from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from spine.kit.clock import now
from spine.people.models import ApiToken, User

pytestmark = pytest.mark.django_db


def test_the_last_word_opens_the_api(agent: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_token", "agent", "--scope=write", "--days=7")
    key = capsys.readouterr().out.split()[-1]
    token = ApiToken.objects.get(user=agent)
    assert token.scope == "write"
    assert token.expires_at is not None
    assert now() + timedelta(days=6) < token.expires_at < now() + timedelta(days=8)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {key}")
    assert client.get("/api/v1/incidents/").status_code == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "There is no user “nobody”"),
        (["agent", "--days=0"], "--days must be"),
        (["agent", "--scope=all"], "invalid choice"),
        (["leaver"], "can't sign in"),
        (["evenkeel"], "can't sign in"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    agent: User,
    system: User,
    make_user: Callable[..., User],
    arguments: list[str],
    message: str,
) -> None:
    make_user("leaver", is_active=False)
    with pytest.raises(CommandError, match=message):
        call_command("create_token", *arguments)
    assert not ApiToken.objects.exists()
