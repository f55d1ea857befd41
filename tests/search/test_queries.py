"""What is typed, and what PostgreSQL is asked: any text is a question, none is an error."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.search import highlighting
from spine.search.queries import name_condition, parse, text_condition
from spine.search.tokens import Tokens, fold_accents, grams, han_vector, query_grams, tokenize

HOSTILE = [
    "", " ", "\x00", "'", '"', "\\", "%", "_", "&", "|", "!", "<->", ":*", "a:*b", "'a' & 'b'",
    "a' | 'b", "'; drop table search_document; --", "a\\'b", "(", ")", "((((", "a & | b", "!!a",
    '"', '"""', '"a', 'a"b"c', "-", "--", "-a", '-"a b"', "- a", "number:", "number:'", "number:%",
    "number:" + "9" * 150, "\ud800", "\u202ea", "😀", "a" * 5000, "a " * 500, "打" * 500, "ü" * 100,
    "the", "the of and", "not a", "e\u0301", "\ufeffa", "a\u200bb", "٣٤", "ﬁ", "½", "1e400",
    "-1.5e3", "a@b.c", "http://a.b/c?d=e", "C:\\x\\y", "10.0.0.1", "<b>", "&amp;",
    "a\tb\nc", "ＶＰＮ",
    "{}[]",
]  # fmt: skip


def matches(text: str, document: str, *, names: bool = False) -> bool:
    """Whether a document of this text matches, as PostgreSQL sees it."""
    query = parse(text)
    condition = name_condition(query) if names else text_condition(query)
    if not condition.sql:
        return False
    tokens = tokenize(document)
    config = "simple" if names else "english"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (to_tsvector('{config}', %s) || %s::tsvector) @@ ({condition.sql})",
            [tokens.latin, han_vector(tokens.han), *condition.params],
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_a_question_like_any_other(text):
    assert matches(text, "some text") in {True, False}
    assert matches(text, "some text", names=True) in {True, False}
    highlighting.mark("some <b>text</b> 打印机", highlighting.pattern(parse(text)))


@pytest.mark.django_db
@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_text_is_an_error(text):
    matches(text, text)
    matches(text, text, names=True)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "document", "found"),
    [
        ("printer", "The printers are broken", True),
        ("printing", "It printed well", True),
        ("prin", "The printers are broken", True),
        ("prin ", "The printers are broken", False),
        ("broken printers", "The printers are broken", True),
        ('"broken printers"', "The printers are broken", False),
        ('"printers are broken"', "The printers are broken", True),
        ("printer -broken", "The printers are broken", False),
        ("printer -scanner", "The printers are broken", True),
        ("PRINTER", "printer", True),
        ("web01", "host web01.example.com is slow", True),
        ("web01.example.com", "host web01.example.com is slow", True),
        ("web01.example.org", "host web01.example.com is slow", False),
        ("ora-00942", "error ORA-00942 seen", True),
        ("00942", "error ORA-00942 seen", True),
        ("10.0.0.1", "from 10.0.0.1 to 10.0.0.2", True),
        ("10.0.0.9", "from 10.0.0.1 to 10.0.0.2", False),
        ("gruße", "Grüße aus Köln", True),
        ("köln", "Grüße aus Koln", True),
        ("打印机", "三楼的打印机坏了", True),
        ("打印", "三楼的打印机坏了", True),
        ("印打", "三楼的打印机坏了", False),
        ("机", "三楼的打印机坏了", True),
        ("了", "三楼的打印机坏了", True),
        ("打印机 三楼", "三楼的打印机坏了", True),
        ("打印机 -三楼", "三楼的打印机坏了", False),
        ("VPN断开", "ＶＰＮ断开了", True),
        ("プリンタ", "3階のプリンタが故障", True),
        ("프린터", "프린터 고장", True),
        ("don't", "I don't know", False),  # stop words alone
    ],
)
def test_what_is_found(text, document, found):
    assert matches(text, document) is found


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("zhangw", True), ("zw", True), ("weizhang", True), ("张伟", True), ("张", True),
        ("伟", True), ("zhang wei", True), ("wei zhang", True), ("zhang.wei", True),
        ("伟张", False), ("wang", False), ("zhang -wei", False), ("z", True),
    ],
)  # fmt: skip
def test_a_name_is_found_however_it_is_typed(text, found):
    from spine.people.naming import spellings

    assert matches(text, spellings("张伟", "zhang.wei"), names=True) is found


def test_tokens():
    assert tokenize("Web01.example.com 打印机abc机") == Tokens(
        "Web01 example com abc", ("打印机", "机")
    )
    assert grams("打印机") == ["打印", "印机", "机"]
    assert query_grams("打印机") == ["打印", "印机"]
    assert query_grams("打") == ["打:*"]
    assert fold_accents("Grüße Ångström") == "Gruße Angstrom"


@given(st.text(alphabet="打印机坏了三楼", min_size=1, max_size=12), st.data())
@settings(max_examples=200, deadline=None)
def test_every_part_of_a_run_is_found(run, data):
    """Against plain containment: no part is missed; what is found has all of its pairs."""
    start = data.draw(st.integers(0, len(run) - 1))
    part = run[start : data.draw(st.integers(start + 1, len(run)))]
    kept = set(grams(run))
    for gram in query_grams(part):
        if gram.endswith(":*"):
            assert any(one.startswith(gram[0]) for one in kept)
        else:
            assert gram in kept


def test_a_huge_text_stays_within_what_postgresql_takes():
    vector = han_vector(tuple("打印机无法连接" * 10_000 for _ in range(20)))
    assert len(vector.encode()) < 900_000
    assert max(int(entry.rpartition(":")[2]) for entry in vector.split()) <= 16_383


@pytest.mark.parametrize(
    ("text", "number", "literal", "only"),
    [
        ("INC0010001", "INC0010001", "INC0010001", False),
        ("inc001", "INC001", "inc001", False),
        ("10001", "10001", "10001", False),
        ("number:inc1", "INC1", "", True),
        ("printer 10001", "", "", False),
        ("SR-12/7", "", "SR-12/7", False),
        ("printer", "", "", False),
    ],
)
def test_numbers_and_identifiers_are_told_from_words(text, number, literal, only):
    query = parse(text)
    assert (query.number, query.literal, query.only_number) == (number, literal, only)


# Highlights


@pytest.mark.parametrize(
    ("text", "title", "marked"),
    [
        ("printer", "Printers & <b>", "<mark>Printers</mark> &amp; &lt;b&gt;"),
        ("print", "A blueprint", "A blueprint"),
        ("打印机", "三楼打印机坏", "三楼<mark>打印机</mark>坏"),
        ("payments", "payment paid", "<mark>payment</mark> paid"),
        ("-printer x1", "printer x1", "printer <mark>x1</mark>"),
        ("<script>", "<script>", "&lt;<mark>script</mark>&gt;"),
        ("", "<i>", "&lt;i&gt;"),
    ],
)
def test_what_was_found_is_marked_and_the_rest_is_escaped(text, title, marked):
    assert highlighting.mark(title, highlighting.pattern(parse(text))) == marked


@given(st.text(max_size=40), st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_marks_are_the_only_tags(text, title):
    html = str(highlighting.mark(title, highlighting.pattern(parse(text))))
    assert set(re.findall(r"<[^>]*>", html)) <= {"<mark>", "</mark>"}
    assert "<" not in html.replace("<mark>", "").replace("</mark>", "")


def test_an_excerpt_is_cut_around_the_first_place_found():
    pattern = highlighting.pattern(parse("needle"))
    long = "hay " * 100 + "needle " + "hay " * 100
    cut = highlighting.excerpt(("nothing here", long), pattern)
    assert "<mark>needle</mark>" in cut
    assert cut.startswith("…")
    assert cut.endswith("…")
    assert len(cut) < 240
    assert highlighting.excerpt(("nothing here",), pattern) == "nothing here"
    assert highlighting.excerpt((), pattern) == ""
