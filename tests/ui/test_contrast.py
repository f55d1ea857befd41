"""Text on its ground holds WCAG AA in both themes; marks and the lines of fields hold 3:1."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[2] / "static" / "src" / "css" / "tokens.css"
PAIR = re.compile(r"--([\w-]+):\s*light-dark\(\s*(#[0-9a-f]{6})\s*,\s*(#[0-9a-f]{6})\s*\)", re.I)

GROUNDS = ("bg", "surface", "raised", "sunken", "hover", "selected")
TEXT = [(word, ground) for word in ("text", "text-2", "text-3") for ground in GROUNDS] + [
    # links, selected destinations, tags and messages
    *[("accent", ground) for ground in ("bg", "surface", "raised", "hover", "selected")],
    *[("accent", ground) for ground in ("amber-soft", "green-soft", "red-soft", "accent-soft")],
    ("accent-strong", "accent-soft"),
    ("text", "press"),
    ("text", "marked"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-red", "red"),
    ("on-red", "red-strong"),
    *[
        (tone, ground)
        for tone in ("red", "amber", "green")
        for ground in ("bg", "surface", "raised", "hover", "selected", f"{tone}-soft")
    ],
    ("red", "amber-soft"),
    *[(tone, f"{tone}-soft") for tone in ("violet", "teal", "rose")],
    *[(word, f"{tone}-soft") for word in ("text", "text-2") for tone in ("amber", "green", "red")],
]
SHAPES = [
    *[("line-field", ground) for ground in ("bg", "surface", "raised")],
    *[(tone, ground) for tone in ("accent", "amber", "red", "green") for ground in ("track",)],
    ("text-3", "track"),
]


def _tokens() -> dict[str, tuple[str, str]]:
    return {name: (light, dark) for name, light, dark in PAIR.findall(TOKENS.read_text())}


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_formula_agrees_with_known_values() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("word", "ground"), TEXT)
def test_text_can_be_read(word: str, ground: str, theme: int) -> None:
    tokens = _tokens()
    ratio = contrast(tokens[word][theme], tokens[ground][theme])
    assert ratio >= 4.5, f"--{word} on --{ground}: {ratio:.2f}"


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("shape", "ground"), SHAPES)
def test_shapes_can_be_seen(shape: str, ground: str, theme: int) -> None:
    tokens = _tokens()
    ratio = contrast(tokens[shape][theme], tokens[ground][theme])
    assert ratio >= 3, f"--{shape} on --{ground}: {ratio:.2f}"


def test_no_colour_stands_outside_the_tokens() -> None:
    """Apart from white and tokens, a component names no colour of its own."""
    strays = []
    for sheet in TOKENS.parent.glob("*.css"):
        if sheet.name in {"tokens.css", "print.css"}:
            continue
        for number, line in enumerate(sheet.read_text().splitlines(), 1):
            colours = set(re.findall(r"#[0-9a-f]{3,8}\b", line, re.I)) - {"#fff"}
            if colours:
                strays.append(f"{sheet.name}:{number} {sorted(colours)}")
    assert not strays
