"""The words in braces, filled in for one incident; the same place has the same words."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from demo.content import Story, company

_STORES_ZH = (
    "人民广场店",
    "虹桥站店",
    "春熙路店",
    "观前街店",
    "天府广场店",
    "徐家汇店",
    "园区湖东店",
)
_STORES_EN = (
    "the Hlavni nadrazi shop", "shop 114", "the Mendel square shop", "the Westbahnhof kiosk",
    "shop 27", "the Altona station shop", "the Joštova shop",
)  # fmt: skip
_HOSTS = ("pay-db-02", "orders-db-01", "hv-shg-07", "core-brn-1", "app-vie-11", "hv-brn-03")
_AGAIN = {
    "en": (
        ("It is back since this morning, exactly as before.",
         "Sorry about that. I am looking at it again right now.",
         "The first repair did not last; the cause behind it is removed now."),
        ("Unfortunately only half of it works.",
         "Thank you for trying it out. The second half follows today.",
         "Completed the second half of the repair and tried it together with the caller."),
    ),
    "zh-hans": (
        ("今天早上又出现了，和之前一样。", "抱歉，我马上重新检查。",
         "找到深层原因并处理，已与报障人一起验证。"),
        ("只好了一半，另一部分还是不行。", "谢谢反馈，今天处理完剩下的部分。",
         "补完剩余配置，验证通过。"),
    ),
}  # fmt: skip


def fill(story: Story, place: dict[str, Any], site: str, at: datetime) -> Callable[[str], str]:
    """A function that fills a text. The values follow from the opening time, so that the title and
    a reply written later name the same room."""
    own = random.Random(f"{at.timestamp()}{story.title}")  # noqa: S311 - words, not secrets
    chinese = story.language == "zh-hans"
    data = company()
    local = at.astimezone(ZoneInfo(place["zone"]))
    person = (
        own.choice(data["family_zh"]) + own.choice(data["given_zh"])
        if chinese
        else f"{own.choice(data['given_en'])} {own.choice(data['family_en'])}"
    )
    values = {
        "site": place["zh"] if chinese else site,
        "room": f"{own.randint(1, 9)}.{own.randint(1, 30):02}",
        "floor": str(own.randint(2, 9)),
        "n": str(own.randint(1, 9)),
        "host": own.choice(_HOSTS),
        "laptop": f"NB-{own.randint(10_000, 29_999)}",
        "printer": f"PRN-{site[:3].upper()}-{own.randint(1, 24):02}",
        "store": own.choice(_STORES_ZH if chinese else _STORES_EN),
        "person": person,
        "order": f"PO-{own.randint(45_000, 69_999)}",
        "amount": f"{'¥' if chinese else '€'}{own.randint(300, 90_000):,}.50",
        "time": f"{local:%H:%M}",
    }
    return lambda text: text.format_map(values)


def later_words(dice: random.Random, language: str) -> tuple[str, str, str]:
    """(why it is reopened, the answer, the second solution)"""
    return dice.choice(_AGAIN[language])
