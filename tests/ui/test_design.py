"""The design page: every component stands on it, and axe finds nothing to object to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.template import Template
from django.utils import translation

from itsm.pages import design
from tests.ui.desk import ROOT, Desk

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PAGE = "{% extends 'settings/design.html' %}"
# The page's own parts and those that stand on every page anyhow.
FRAME = {"account", "field", "htmx_config", "keys", "overlays", "rail", "top"}


def _specimens() -> str:
    folder = ROOT / "templates" / "settings" / "design"
    return "".join(path.read_text() for path in folder.glob("*.html"))


def test_every_component_has_a_specimen() -> None:
    components = {path.stem: path.read_text() for path in (ROOT / "templates/ui").glob("*.html")}
    shown = set(re.findall(r"ui/(\w+)\.html", _specimens()))
    for name in list(shown):
        shown |= set(re.findall(r"ui/(\w+)\.html", components[name]))
    made = set(components)
    assert made - shown - FRAME - {"dialog_body"} == set()


def test_every_tag_is_in_the_guide() -> None:
    guide = (ROOT / "templates" / "ui" / "README.md").read_text()
    source = (ROOT / "spine" / "ui" / "templatetags" / "ui.py").read_text()
    tags = re.findall(r"@register\.\w+(?:\([^)]*\))?\ndef (\w+)", source)
    assert tags
    assert [tag for tag in tags if not tag.startswith("ui_") and tag not in guide] == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_axe_finds_nothing_and_nothing_sticks_out(desk: Desk, width: int, language: str) -> None:
    desk.page.set_viewport_size({"width": width, "height": 900})
    with translation.override(language):
        page = desk.render(Template(PAGE), **design.context())
    page.wait_for_selector(".ts-control")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    _load(desk, AXE)
    found = page.evaluate("axe.run().then((result) => result.violations)")
    assert [(item["id"], [node["target"] for node in item["nodes"]]) for item in found] == []


def _load(desk: Desk, script: Path) -> None:
    """The policy refuses what isn't served by the site, so the site serves it."""
    desk.answers["GET /axe.js"] = (200, "text/javascript", script.read_text())
    desk.page.add_script_tag(url="/axe.js")
