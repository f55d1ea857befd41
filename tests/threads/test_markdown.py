from __future__ import annotations

import time
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.threads import markdown
from tests.threads.corpus import ATTEMPTS

OWN = {"a.png": "/attachments/1/", "bild 1.png": "/attachments/2/"}
TAGS = {
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre",
    "code", "em", "strong", "s", "a", "img", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {"href", "title", "rel", "src", "alt", "loading", "start", "class", "align"}


class Elements(HTMLParser):
    """What a browser would build of it: every element with its attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")


def assert_harmless(html: str) -> None:
    for tag, attributes in Elements(html).found:
        assert tag in TAGS, html
        assert set(attributes) <= ATTRIBUTES, html
        assert not any(name.startswith("on") for name in attributes), html
        if "href" in attributes:
            assert tag == "a"
            scheme = urlsplit(attributes["href"].strip()).scheme.lower()
            assert scheme in {"", "http", "https", "mailto"}, html
            assert attributes["rel"] == "noopener noreferrer nofollow"
        if "src" in attributes:
            assert attributes["src"] in OWN.values(), html
        if "class" in attributes:
            assert tag == "code"
            assert attributes["class"].startswith("language-")


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_an_attempt_runs_nowhere(attempt):
    assert_harmless(markdown.render(attempt, attachments=OWN))
    assert_harmless(markdown.render(attempt))
    assert_harmless(markdown.render(f"> - {attempt}\n>\n> text {attempt}", attachments=OWN))


PIECES = st.sampled_from(
    [*ATTEMPTS, "[", "](", ")", "![", "<", ">", '"', "'", "`", "*", "_", "|", "\n", "\\", "&#",
     "javascript:", "onload=", "attachment:a.png", "INC0010001", "https://", "~~", "- ", "|-|"]
)  # fmt: skip


@given(st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=12).map("".join))
@settings(max_examples=400, deadline=None)
def test_no_mixture_of_pieces_runs(body):
    assert_harmless(markdown.render(body, attachments=OWN))
    assert isinstance(markdown.plain(body), str)


def test_what_people_write_looks_as_they_mean_it():
    html = markdown.render(
        "# Head\n\n**bold** *it* ~~gone~~ `code`\nnext line\n\n1. a\n2. b\n\n"
        "| a | b |\n|---|--:|\n| 1 | 2 |\n\n```python\nx = 1 < 2\n```"
    )
    for part in (
        "<h1>Head</h1>", "<strong>bold</strong>", "<em>it</em>", "<s>gone</s>",
        "<code>code</code><br>", "<ol>", '<td align="right">2</td>',
        '<code class="language-python">x = 1 &lt; 2',
    ):  # fmt: skip
        assert part in html
    assert "style=" not in html


def test_typed_html_is_shown_as_typed():
    assert Elements(markdown.render("a <b>c</b> & d")).words.strip() == "a <b>c</b> & d"


def test_addresses_become_links_and_file_names_do_not():
    elements = Elements(
        markdown.render("https://a.example/x?y=1，然后 me@example.com web01.a.example report.md")
    )
    hrefs = [attributes["href"] for tag, attributes in elements.found if tag == "a"]
    assert hrefs == ["https://a.example/x?y=1", "mailto:me@example.com"]
    assert elements.words.strip() == (
        "https://a.example/x?y=1，然后 me@example.com web01.a.example report.md"
    )


def test_a_picture_comes_from_the_own_files_and_a_remote_one_is_a_link():
    own = markdown.render("![Bild](<attachment:bild 1.png>)", attachments=OWN)
    assert Elements(own).found[1] == (
        "img", {"src": "/attachments/2/", "alt": "Bild", "loading": "lazy"},
    )  # fmt: skip
    remote = Elements(markdown.render("![pixel](https://evil.example/p.gif)", attachments=OWN))
    assert [tag for tag, _ in remote.found] == ["p", "a"]
    assert remote.words.strip() == "pixel"
    missing = Elements(markdown.render("![x](attachment:not-there.png)", attachments=OWN))
    assert [tag for tag, _ in missing.found] == ["p"]


@pytest.fixture
def numbers(monkeypatch):
    def link(number, portal):
        return f"/{'portal' if portal else 'incidents'}/{number}/" if number[:3] == "INC" else None

    monkeypatch.setattr(markdown, "_linker", link)
    markdown._cached.cache_clear()
    yield
    markdown._cached.cache_clear()


def test_numbers_become_links_except_in_code_and_links(numbers):
    body = (
        "See INC0010001, XYZ0010001, `INC0010002`, [INC0010003](https://a.example) 和INC0010004。"
    )
    found = Elements(markdown.render(body)).found
    assert [attributes["href"] for tag, attributes in found if tag == "a"] == [
        "/incidents/INC0010001/", "https://a.example", "/incidents/INC0010004/",
    ]  # fmt: skip
    assert "/portal/INC0010001/" in markdown.render(body, portal=True)


def test_mentions_stay_text():
    assert markdown.render("@mei.chen look") == "<p>@mei.chen look</p>\n"


PATHOLOGICAL = [
    "[", "![", "[a](", "*a **a ", "_a __a ", "`", "``a ", "> ", "- ", "1. ", "|", "| a ", "<a ",
    "http://a", "//a.b ", "a\n-\n", "-\n ", "\\[", "   - a\n", "* a\n ", "[a]: b\n", "a|b\n",
    "&#0;", "<!--", "mailto:", "a@b.c ", "((", "\u202e", "**a", "[]", "![a](b) ",
]  # fmt: skip


@pytest.mark.parametrize("piece", PATHOLOGICAL)
@pytest.mark.parametrize("length", [8_000, 20_000, 100_000])
def test_no_text_takes_long(piece, length):
    body = (piece * length)[:length]
    started = time.process_time()
    html = markdown.render(body, attachments=OWN)
    markdown.plain(body)
    markdown.rough(body)
    # Ten times what the slowest takes: caught is what grows out of proportion, not a slow machine.
    assert time.process_time() - started < 8
    assert_harmless(html)


def test_deep_nesting_and_wide_tables_lose_no_text():
    deep = "> " * 500 + "the end"
    assert "the end" in Elements(markdown.render(deep)).words
    wide = "|" + "a|" * 900 + "\n|" + "-|" * 900 + "\n" + "|x|\n" * 100 + "the end"
    assert "the end" in Elements(markdown.render(wide)).words


def test_plain_reads_well_in_a_mail():
    body = (
        "Hello **team**,\n\nsee [the page](https://a.example/x) and `ls -l`:\n\n- one\n- two\n"
        "  1. deep\n\n```\ncode\n  more\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nBye"
    )
    assert markdown.plain(body) == (
        "Hello team,\n\nsee the page (https://a.example/x) and ls -l:\n\n- one\n- two\n"
        "  1. deep\n\n    code\n      more\n\na | b\n1 | 2\n\nBye"
    )


def test_a_preview_is_one_line():
    assert markdown.preview("**a**\n\n- b\n- c [d](https://x.example) `e`") == "a b c d e"
    assert (
        markdown.rough("# H\n> q\n\n| a |\n|---|\nsnake_case 2*3*4") == "H q | a | snake_case 2*3*4"
    )
    assert len(markdown.preview("word " * 100, 50)) == 50


def test_numbers_lead_to_the_pages_of_their_kind():
    assert 'href="/incidents/INC0010001/"' in markdown.render("INC0010001")
    assert 'href="/portal/' in markdown.render("INC0010001", portal=True)
    assert "<a" not in markdown.render("ABC0010001 INC00100011111")
