"""Names as people type them: either order, pinyin, initials; and as a reader sorts them."""

from __future__ import annotations

import re
from functools import lru_cache

_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[^\W_]+", re.UNICODE)

# Surnames that are read otherwise than the character usually is (教育部, 姓氏异读).
_SURNAMES = {
    "单": "shan", "仇": "qiu", "曾": "zeng", "解": "xie", "查": "zha", "任": "ren", "华": "hua",
    "区": "ou", "朴": "piao", "盖": "ge", "尉迟": "yuchi", "万俟": "moqi", "长孙": "zhangsun",
    "盛": "sheng", "员": "yun", "覃": "qin", "缪": "miao", "翟": "zhai", "乐": "yue", "召": "shao",
    "尹": "yin", "种": "chong", "秘": "bi", "折": "she", "繁": "po", "洗": "xian", "冼": "xian",
    "宿": "su", "祭": "zhai", "黑": "he", "重": "chong", "纪": "ji", "那": "na", "撒": "sa",
    "令狐": "linghu", "澹台": "tantai", "尉": "wei", "晟": "cheng", "鲜于": "xianyu",
}  # fmt: skip


def has_han(text: str) -> bool:
    return bool(_HAN.search(text))


def _surname(name: str) -> tuple[str, str, str]:
    """(surname, its pinyin or "", the rest) of a name in Chinese characters."""
    for length in (2, 1):
        head = name[:length]
        if len(name) > length and head in _SURNAMES:
            return head, _SURNAMES[head], name[length:]
    return "", "", name


@lru_cache(maxsize=20_000)
def syllables(name: str) -> tuple[str, ...]:
    """Pinyin syllables of a name, the surname read as a surname; other words as they are."""
    # Its dictionary takes 55 MB in every process that loads it; few ever spell a Chinese name.
    from pypinyin import Style, lazy_pinyin

    surname, reading, rest = _surname(name.strip())
    head = (reading,) if surname else ()
    tail = lazy_pinyin(rest, style=Style.NORMAL, errors=lambda run: f" {run.lower()} ")
    return head + tuple(_WORD.findall(" ".join(tail)))


def sort_key(name: str) -> str:
    """Order of a name list: pinyin for Chinese, lower case otherwise."""
    if not has_han(name):
        return name.lower().strip()[:400]
    return " ".join(syllables(name))[:400]


def spellings(name: str, *others: str) -> str:
    """Everything somebody may type for this person, lower case, for a substring search.

    张伟 -> "张伟 zhangwei weizhang zw zhang wei"; Anna Novak -> "anna novak novak anna an".
    """
    name = name.strip()
    parts = [name.lower()]
    if has_han(name):
        sounds = syllables(name)
        parts += [
            "".join(sounds),
            "".join(sounds[1:] + sounds[:1]),
            "".join(sound[0] for sound in sounds),
            " ".join(sounds),
        ]
    else:
        words = _WORD.findall(name.lower())
        parts += [" ".join(reversed(words)), "".join(word[0] for word in words)]
    parts += [other.lower() for other in others if other]
    return " ".join(dict.fromkeys(part for part in parts if part))
