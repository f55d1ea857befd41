"""The tags say what they mean, and every template uses only what exists."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
from django import forms
from django.template import Context, Template
from django.utils import timezone, translation

from spine.ui import icons, times
from spine.ui.templatetags import ui

ROOT = Path(__file__).parents[2]
NOW = dt.datetime(2026, 11, 23, 9, 44, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("name", "long", "letters"),
    [
        ("Mei Chen", False, "MC"),
        ("Aleksandra Wojciechowska-Brzęczyszczykiewicz", False, "AB"),
        ("Prince", True, "PR"),
        ("欧阳文静", False, "欧"),
        ("欧阳文静", True, "文静"),
        ("李伟", True, "李伟"),
        ("  ", True, "?"),
        ("(none)", False, "?"),
    ],
)
def test_initials(name: str, long: bool, letters: str) -> None:
    assert ui.initials(name, long=long)[0] == letters


def test_a_name_keeps_its_tint_and_cannot_inject() -> None:
    assert ui.avatar("Mei Chen") == ui.avatar("Mei Chen")
    assert "<script" not in ui.who("<script>alert(1)</script>")
    assert "Unassigned" in ui.who("")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "1 min"),
        (24 * 60, "24 min"),
        (59 * 60 + 40, "1 h"),
        (130 * 60, "2 h 10 min"),
        (14 * 3600 + 600, "14 h"),
        (47 * 3600, "47 h"),
        (72 * 3600, "3 d"),
    ],
)
def test_spans(seconds: int, words: str) -> None:
    assert times.span(seconds) == words
    assert times.span(-seconds) == words


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (dt.timedelta(0), "09:44"),
        (dt.timedelta(days=-1), "yesterday 09:44"),
        (dt.timedelta(days=1), "tomorrow 09:44"),
        (dt.timedelta(days=3), "Thu, 09:44"),
        (dt.timedelta(days=7), "30 Nov, 09:44"),
        (dt.timedelta(days=-400), "19 Oct 2025"),
    ],
)
def test_when(shift: dt.timedelta, words: str) -> None:
    with timezone.override(dt.UTC):
        assert times.when(NOW + shift, NOW) == words


def test_a_day_is_the_readers_day() -> None:
    late = dt.datetime(2026, 11, 23, 23, 30, tzinfo=dt.UTC)
    with timezone.override(dt.timezone(dt.timedelta(hours=8))):
        assert times.when(late, NOW) == "tomorrow 07:30"


def test_dates_follow_the_language() -> None:
    with translation.override("zh-hans"):
        assert times.day(NOW.date()) == "11月23日"


@pytest.mark.parametrize(
    ("minutes", "used", "tone"),
    [(24, 88, "soon"), (24, 40, ""), (-1, 101, "late"), (30, None, "soon"), (90, None, "")],
)
def test_due_shows_how_urgent(minutes: int, used: float | None, tone: str) -> None:
    assert ui.due_tone(NOW + dt.timedelta(minutes=minutes), used, NOW) == tone


def test_due_of_a_paused_clock_has_no_time() -> None:
    html = ui.due(None, used=50, paused=True, note="Awaiting vendor")
    assert "Awaiting vendor" in html
    assert "<time" not in html
    assert "progress" not in html


def test_due_names_the_moment_and_the_share() -> None:
    html = ui.due(NOW + dt.timedelta(minutes=24), used=88, now=NOW)
    assert 'datetime="2026-11-23T10:08:12Z"' in html
    assert "24 min left" in html
    assert 'value="88"' in html


def test_unknown_values_do_not_break_a_row() -> None:
    assert ui.priority("high") == ui.priority(None)
    assert 'class="state new"' in ui.state("Odd", "no-such-tone")
    assert "–" in ui.due("")
    assert "#circle" in ui.icon("no-such-icon")


class _Form(forms.Form):
    title = forms.CharField(help_text="One line")
    impact = forms.ChoiceField(choices=[("1", "High")], widget=forms.RadioSelect)
    tell = forms.BooleanField(required=False, help_text="By mail")


def _render(source: str, **context: object) -> str:
    return Template("{% load ui %}" + source).render(Context(context))


def test_a_field_is_tied_to_its_help_and_errors() -> None:
    html = _render("{% field form.title %}", form=_Form({}))
    described = re.search(r'<input[^>]*aria-describedby="([^"]+)"', html)
    assert described
    for part in described.group(1).split():
        assert f'id="{part}"' in html
    assert len(described.group(1).split()) == 2
    assert 'aria-invalid="true"' in html
    assert 'for="id_title"' in html


def test_radios_are_a_named_group() -> None:
    html = _render("{% field form.impact %}", form=_Form())
    assert "<fieldset" in html
    assert "<legend>Impact</legend>" in html
    assert 'class="segments"' in html


def test_templates_name_only_icons_that_exist() -> None:
    known = icons.names()
    missing = []
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        used = re.findall(r'{% icon "([\w-]+)"', text) + re.findall(r'icon_name="([\w-]+)"', text)
        used += re.findall(r'icon_name\|default:"([\w-]+)"', text)
        missing += [f"{path.relative_to(ROOT)}: {name}" for name in used if name not in known]
    assert not missing


def test_templates_carry_no_inline_style_or_handler() -> None:
    """The Content-Security-Policy would refuse them."""
    inline = re.compile(r"<[^>%]*\s(style|on[a-z]+)\s*=|<style|<script(?![^>]*\ssrc=)")
    found = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "templates").rglob("*.html")
        # mail programs know no style sheets
        if "notify" not in path.parts and inline.search(path.read_text())
    ]
    assert not found


def test_templates_use_only_classes_that_exist() -> None:
    """A page is composed of components; a class without a rule is a typing error."""
    sheets = "".join(path.read_text() for path in (ROOT / "static/src/css").glob("*.css"))
    known = set(re.findall(r"\.([a-zA-Z][\w-]*)", sheets))
    unknown = []
    for path in (ROOT / "templates").rglob("*.html"):
        if "notify" in path.parts:
            continue
        text = re.sub(r"{%.*?%}|{{.*?}}", " ? ", path.read_text(), flags=re.S)
        used = {name for group in re.findall(r'class="([^"]*)"', text) for name in group.split()}
        names = {name for name in used if "?" not in name and not name.endswith("-")}
        unknown += [f"{path.relative_to(ROOT)}: {name}" for name in sorted(names - known)]
    assert not unknown


def test_the_lock_names_no_registry() -> None:
    """So that it installs from whichever registry the machine is set to."""
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()
