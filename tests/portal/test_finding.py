"""One's own tickets by what one types, while one types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from incidents.models import Incident
from portal.finding import MAX_TERMS, terms_of
from spine.people.models import User

Make = Callable[..., Incident]


def suggested(client: Client, text: str) -> list[str]:
    answer = client.get("/portal/suggest/", {"title": text}, headers={"accept": "application/json"})
    return [row["number"] for row in answer.json()["results"]]


def test_words_in_their_short_form_and_chinese_in_pairs() -> None:
    assert terms_of("The printers in room 4 are out of paper") == ["printer", "room", "paper"]
    assert terms_of("打印机 卡纸") == ["打印", "印机", "卡纸"]
    assert terms_of("锁") == ["锁"]
    assert terms_of("the of a") == []
    assert len(terms_of(" ".join(f"word{n}" for n in range(200)))) <= MAX_TERMS


@pytest.mark.parametrize(
    ("typed", "hits"),
    [
        ("prin", 1),
        ("the label printers are blank", 1),
        ("LABEL PRINTER", 1),
        ("printer on the moon exploded", 0),  # one word of three
        ("blank", 1),  # in the description
        ("打印机", 0),
        ("x", 0),
        ("", 0),
        ("%", 0),
        ("100%_\\", 0),
        ("'; drop table users; --", 0),
    ],
)
def test_what_shares_half_of_the_words(
    typed: str, hits: int, portal: Client, make_incident: Make
) -> None:
    ticket = make_incident(title="Label printer in Warehouse 3", description="All pages blank")
    make_incident(title="VPN drops", description="Every 20 minutes")
    assert suggested(portal, typed) == [ticket.number] * hits


def test_chinese_is_found_by_its_words(portal: Client, make_incident: Make) -> None:
    ticket = make_incident(title="三楼打印机卡纸", description="")
    make_incident(title="财务系统登录后白屏", description="")
    assert suggested(portal, "打印机又卡纸了") == [ticket.number]
    assert suggested(portal, "打印") == [ticket.number]


def test_the_title_counts_more_than_the_text(portal: Client, make_incident: Make) -> None:
    body = make_incident(title="Something else", description="It is about the scanner")
    title = make_incident(title="Scanner", description="")
    newest = make_incident(title="Nothing new", description="scanner")
    assert suggested(portal, "scanner") == [title.number, newest.number, body.number]


def test_by_number(portal: Client, make_incident: Make, other_caller: User) -> None:
    mine = make_incident()
    theirs = make_incident(caller=other_caller)
    assert suggested(portal, mine.number.lower()) == [mine.number]
    assert suggested(portal, mine.number[3:]) == [mine.number]
    assert suggested(portal, theirs.number) == []


def test_the_start_page_offers_to_report_it(portal: Client, make_incident: Make) -> None:
    make_incident(title="Label printer")
    text = 'Label "printer" & <b>more</b>'
    page = portal.get("/portal/suggest/", {"report": "1", "title": text}).content.decode()
    assert "/portal/new/?title=Label%20%22printer%22%20%26%20%3Cb%3Emore%3C%2Fb%3E" in page
    assert "<b>more" not in page
    in_form = portal.get("/portal/suggest/", {"title": text}).content.decode()
    assert "/portal/new/" not in in_form
    assert "something like it" in in_form


def test_without_scripts_the_form_itself_shows_what_is_alike(
    portal: Client, make_incident: Make, words: Callable[[Any], str]
) -> None:
    ticket = make_incident(title="Label printer")
    response = portal.get("/portal/new/", {"title": "Label printer again"})
    assert ticket.number in words(response)
    assert 'value="Label printer again"' in response.content.decode()
