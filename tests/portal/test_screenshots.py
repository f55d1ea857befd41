"""`manage.py screenshots`: which pages, as whom, how large; one of them really taken."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from PIL import Image

from incidents import actions
from incidents.models import Incident
from itsm.management.commands import screenshots
from itsm.management.commands.screenshots import KEPT, Shot
from spine.people.models import User
from spine.sla.defaults import ensure_defaults

ROOT = Path(__file__).parents[2]


@pytest.fixture
def company(
    system: User,
    agent: User,
    lead: User,
    admin: User,
    caller: User,
    make_incident: Callable[..., Incident],
) -> Incident:
    ensure_defaults(system)
    return actions.take(make_incident(), actor=agent)


def test_every_page_opens_for_whom_it_is_taken(company: Incident) -> None:
    pages = screenshots.shots()
    assert len({page.name for page in pages}) == len(pages)
    for page in pages:
        client = Client()
        if page.who:
            client.cookies["sessionid"] = screenshots.session_cookie(page.who)
        expected = 404 if page.name == "not-found" else 200
        assert client.get(page.path).status_code == expected, page


def test_what_readme_and_guides_show_is_among_them(company: Incident, agent: User) -> None:
    actions.move_incident(
        company,
        "resolve",
        actor=agent,
        values={"close_code": "solution_provided", "close_notes": "Done"},
    )
    names = {page.name for page in screenshots.shots()}
    assert {one.shot for one in KEPT} <= names
    shown = {f"pictures/{one.name}.png" for one in KEPT}
    for text in [ROOT / "README.md", *(ROOT / "docs" / "guide").glob("*.md")]:
        for line in text.read_text(encoding="utf-8").splitlines():
            for part in line.split("](")[1:]:
                address = part.partition(")")[0]
                if address.endswith(".png"):
                    assert any(address.endswith(each) for each in shown), address


def test_the_guides_lead_to_files_that_are_there() -> None:
    for text in (ROOT / "docs" / "guide").glob("*.md"):
        for part in text.read_text(encoding="utf-8").split("](")[1:]:
            address = part.partition(")")[0].partition("#")[0]
            if address and "://" not in address:
                assert (text.parent / address).exists(), f"{text.name}: {address}"


def test_a_picture_is_made_small(tmp_path: Path) -> None:
    source, target = tmp_path / "big.png", tmp_path / "pictures" / "small.png"
    # Colours that nothing but fewer colours can make small.
    big = Image.effect_noise((640, 480), 80).convert("RGB")
    big.save(source)
    size = screenshots.shrink(source, target, limit=250_000)
    assert size == target.stat().st_size
    assert size < 250_000 < source.stat().st_size
    with Image.open(target) as picture:
        assert picture.size == (640, 480)


def test_without_a_browser_it_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(CommandError, match=r"deploy/setup\.py browser"):
        call_command("screenshots")


@pytest.mark.browser
def test_a_picture_is_taken_in_another_language_than_the_persons(
    transactional_db: None, caller: User, settings: Any, tmp_path: Path
) -> None:
    """On a page that says it; and the person's own preference stays what it was."""
    settings.MIDDLEWARE = list(settings.MIDDLEWARE)
    settings.ALLOWED_HOSTS = list(settings.ALLOWED_HOSTS)
    page = Shot("portal", "caller", "/portal/")
    cookies = {"caller": screenshots.session_cookie("caller")}
    with screenshots.serving() as base, ThreadPoolExecutor(1) as own_thread:
        # Another test's browser may hold this thread's event loop.
        browser = screenshots.find_browser()
        taking = own_thread.submit(
            screenshots.take_all, browser, base, [page], cookies, tmp_path, kept=True
        )
        assert taking.result() == 2
    english, chinese = (
        tmp_path / screenshots.file_name("portal", 1280, "light", language)
        for language in ("en", "zh-hans")
    )
    with Image.open(english) as one, Image.open(chinese) as other:
        assert one.size == other.size == (1280, 800)
        assert one.tobytes() != other.tobytes()
    caller.refresh_from_db()
    assert caller.language == "en"
