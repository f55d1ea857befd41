"""Names are found as people type them and sorted as readers expect."""

from __future__ import annotations

import pytest

from spine.people.naming import sort_key, spellings


@pytest.mark.parametrize("typed", ["张伟", "zhangwei", "zw", "weizhang", "zhang"])
def test_a_chinese_name_is_found_in_every_spelling(typed: str) -> None:
    assert typed in spellings("张伟")


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("单雄信", "shan"),
        ("仇英", "qiu"),
        ("曾国藩", "zeng"),
        ("欧阳修", "ouyang"),
        ("尉迟恭", "yuchi"),
        ("解缙", "xie"),
    ],
)
def test_surnames_are_read_as_surnames(name: str, reading: str) -> None:
    assert "".join(spellings(name).split()[1:]).startswith(reading) or reading in spellings(name)
    assert sort_key(name).replace(" ", "").startswith(reading)


def test_a_common_character_inside_a_name_keeps_its_usual_reading() -> None:
    # 单 is shan as a surname, dan elsewhere.
    assert "wangdan" in spellings("王单")


@pytest.mark.parametrize("typed", ["anna novak", "novak anna", "an", "anna"])
def test_a_latin_name_is_found_in_either_order(typed: str) -> None:
    assert typed in spellings("Anna Novak")


def test_chinese_and_latin_names_sort_together() -> None:
    names = ["张伟", "Bob", "曹操", "anna"]
    assert sorted(names, key=sort_key) == ["anna", "Bob", "曹操", "张伟"]
