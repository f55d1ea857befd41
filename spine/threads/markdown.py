"""Markdown as people write it, into HTML that can do no harm.

Two walls: the parser passes no HTML through, and what it makes is cut down to an allow-list by a
real HTML parser. Pictures come from the record's own attachments alone (`![x](attachment:name)`):
a remote one would tell its host who reads what and when, so it becomes a link.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

# A number in a text ("INC0010001") and whether the reader is in the portal -> the page's address,
# or None where it is not a number of ours.
NumberLinker = Callable[[str, bool], str | None]

MAX_LENGTH: Final = 100_000
# Only what is short is kept in memory, so that the cache stays within a few megabytes.
_CACHED_LENGTH: Final = 4_000
_CACHED_BODIES: Final = 1_000
_MAX_NESTING: Final = 60
# What costs the parser more than its own length: delimiters, addresses (looked for anew behind
# each), columns (short rows are filled up). A long log has some thousands, a table 30 columns.
_MAX_DELIMITERS: Final = 8_000
_MAX_ADDRESSES: Final = 500
_MAX_COLUMNS: Final = 100
_MAX_LINES: Final = 5_000
_DELIMITER = re.compile(r"[*_~`\[\]<>!&\\|]")
_RUN = re.compile(r"([*_~`\[\]()<>!&\\#|=-])(?:[ \t]*\1){200}")
_DEEP = re.compile(r"^[ \t]*(?:(?:[-+*>]|\d{1,9}[.)])[ \t]*){60}", re.MULTILINE)
_NUMBER = re.compile(r"(?<![A-Za-z0-9_])[A-Z]{2,8}\d{7,10}(?![A-Za-z0-9_])")
_CHINESE = re.compile(r"[\u3001-\u303f\u3400-\u9fff\uff01-\uff5e\u2018-\u201d]")
_LINK = re.compile(r"!?\[([^\[\]]{0,500})\]\([^()\s]{0,2000}\)")
_MARKS = re.compile(
    r"\*\*|__|~~|`+|^[ \t]{0,3}(?:#{1,6}|>|[-+*]|```\w*)(?=[ \t]|$)|^\|?[-:| ]+\|?$", re.MULTILINE
)
_ATTACHMENT: Final = "attachment:"

_TAGS: Final = {
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre",
    "code", "em", "strong", "s", "a", "img", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "loading"},
    "ol": {"start"},
    "code": {"class"},
    "th": {"align"},
    "td": {"align"},
}
_LANGUAGE = re.compile(r"^language-[A-Za-z0-9+#-]{1,30}$")

_linker: NumberLinker | None = None


def register_number_linker(linker: NumberLinker) -> None:
    """Tickets tell here which page a number belongs to."""
    global _linker
    _linker = linker
    _cached.cache_clear()


def render(
    body: str, *, attachments: Mapping[str, str] | None = None, portal: bool = False
) -> SafeString:
    """The text as HTML for a page.

    attachments: name -> address of the record's files that the reader may see; portal: numbers
    lead to the portal's pages instead of the desk's.
    """
    own = tuple(sorted(attachments.items())) if attachments and _ATTACHMENT in body else ()
    if len(body) <= _CACHED_LENGTH:
        return _cached(body, own, portal)
    return _render(body, own, portal)


def plain(body: str) -> str:
    """The text without its marks, for mail: paragraphs apart, lists with dashes, links with their
    address behind them."""
    if _is_hostile(body):
        return body.strip()
    return _Plain().text(_parser.parse(body, {}))


def rough(body: str) -> str:
    """One line without the commonest marks, thirty times as fast as `plain`: for the many texts of
    which a list shows a few words."""
    return " ".join(_MARKS.sub(" ", _LINK.sub(r"\1", body)).split())


def preview(body: str, length: int = 140) -> str:
    """One line of the text for a list or a notice."""
    line = rough(body[: length * 8])
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


@lru_cache(maxsize=_CACHED_BODIES)
def _cached(body: str, own: tuple[tuple[str, str], ...], portal: bool) -> SafeString:
    return _render(body, own, portal)


def _render(body: str, own: tuple[tuple[str, str], ...], portal: bool) -> SafeString:
    if _is_hostile(body):
        # Shown as it is: nobody is served by a page that takes seconds.
        html = f"<pre>{escape(body[:MAX_LENGTH])}</pre>"
    else:
        html = _parser.render(body, {"attachments": dict(own), "portal": portal})
    return mark_safe(_clean(html, frozenset(url for _name, url in own)))  # noqa: S308 - just cleaned


def _is_hostile(body: str) -> bool:
    """Whether parsing it may take out of proportion (nesting, delimiters, addresses, length)."""
    return (
        len(body) > MAX_LENGTH
        or body.count("\n") > _MAX_LINES
        or body.count("//") > _MAX_ADDRESSES
        or (body.count("|") > _MAX_COLUMNS and _columns(body) > _MAX_COLUMNS)
        or len(_DELIMITER.findall(body)) > _MAX_DELIMITERS
        or _RUN.search(body) is not None
        or _DEEP.search(body) is not None
    )


def _columns(body: str) -> int:
    return max(line.count("|") for line in body.splitlines())


def _clean(html: str, own_urls: frozenset[str]) -> str:
    def keep(tag: str, attribute: str, value: str) -> str | None:
        if tag == "img" and attribute == "src":
            return value if value in own_urls else None
        if tag == "code" and attribute == "class":
            return value if _LANGUAGE.match(value) else None
        return value

    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=keep,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


def _image(
    self: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[place]
    source = str(token.attrGet("src") or "")
    text = self.renderInlineAsText(token.children or [], options, env)
    if source.startswith(_ATTACHMENT):
        name = unquote(source[len(_ATTACHMENT) :])
        address = env.get("attachments", {}).get(name)
        if address is None:
            return escape(text or name)
        return f'<img src="{escape(address)}" alt="{escape(text or name)}" loading="lazy">'
    return f'<a href="{escape(source)}">{escape(text or source)}</a>'


def _end_links_at_chinese(state: StateCore) -> None:
    """Chinese sets no space behind an address: "见https://a.example/x，然后" ends at the comma."""
    for block in state.tokens:
        children = block.children
        if block.type != "inline" or not children or not _CHINESE.search(block.content):
            continue
        made: list[Token] = []
        for token in children:
            made.append(token)
            if token.type != "link_close" or token.info != "auto" or len(made) < 3:
                continue
            opening, words = made[-3], made[-2]
            match = _CHINESE.search(words.content)
            if opening.type != "link_open" or opening.markup != "linkify" or match is None:
                continue
            if "://" not in words.content[: match.start()]:
                continue
            rest = _text(words.content[match.start() :], token.level)
            words.content = words.content[: match.start()]
            opening.attrSet("href", state.md.normalizeLink(words.content))
            made.append(rest)
        block.children = made


def _link_numbers(state: StateCore) -> None:
    """Numbers in running text become links; in code, links and addresses they stay text."""
    if _linker is None:
        return
    portal = bool(state.env.get("portal"))
    for block in state.tokens:
        if block.type != "inline" or not block.children or not _NUMBER.search(block.content):
            continue
        made: list[Token] = []
        inside_link = 0
        for token in block.children:
            inside_link += {"link_open": 1, "link_close": -1}.get(token.type, 0)
            if token.type == "text" and not inside_link:
                made += _split(token, portal)
            else:
                made.append(token)
        block.children = made


def _split(token: Token, portal: bool) -> list[Token]:
    made: list[Token] = []
    at = 0
    for match in _NUMBER.finditer(token.content):
        address = _linker(match.group(), portal) if _linker else None
        if address is None:
            continue
        opening = Token("link_open", "a", 1, attrs={"href": address}, level=token.level)
        made += [
            _text(token.content[at : match.start()], token.level),
            opening,
            _text(match.group(), token.level + 1),
            Token("link_close", "a", -1, level=token.level),
        ]
        at = match.end()
    if not made:
        return [token]
    made.append(_text(token.content[at:], token.level))
    return made


def _text(content: str, level: int) -> Token:
    return Token("text", "", 0, content=content, level=level)


def _cell_alignment(
    self: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType
) -> str:
    """`align` in place of `style`, which the Content-Security-Policy forbids."""
    token = tokens[place]
    style = str(token.attrs.pop("style", ""))
    if style.startswith("text-align:"):
        token.attrSet("align", style.removeprefix("text-align:"))
    return self.renderToken(tokens, place, options, env)


def _make_parser() -> MarkdownIt:
    options: dict[str, Any] = {
        "html": False,
        "linkify": True,
        "breaks": True,  # people press Enter and mean it
        "maxNesting": _MAX_NESTING,
    }
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough", "linkify"])
    # Host and file names ("web01.example.com", "report.md") are no links; addresses are.
    parser.linkify.set({"fuzzy_link": False})  # type: ignore[union-attr]
    parser.core.ruler.after("linkify", "chinese", _end_links_at_chinese)
    parser.core.ruler.after("chinese", "numbers", _link_numbers)
    parser.add_render_rule("image", _image)
    parser.add_render_rule("th_open", _cell_alignment)
    parser.add_render_rule("td_open", _cell_alignment)
    return parser


class _Plain:
    """Walks the tokens once and writes lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.lists: list[int | None] = []
        self.mark = ""
        self.cells: list[str] | None = None

    def text(self, tokens: Sequence[Token]) -> str:
        for token in tokens:
            self._take(token)
        joined = "\n".join(self.lines)
        return re.sub(r"\n{3,}", "\n\n", joined).strip()

    def _take(self, token: Token) -> None:
        kind = token.type
        if kind in {"bullet_list_open", "ordered_list_open"}:
            start = int(token.attrGet("start") or 1) if kind.startswith("ordered") else None
            self.lists.append(start)
        elif kind in {"bullet_list_close", "ordered_list_close"}:
            self.lists.pop()
            if not self.lists:
                self.lines.append("")
        elif kind == "list_item_open":
            self._open_item()
        elif kind == "tr_open":
            self.cells = []
        elif kind == "tr_close":
            self.lines.append(" | ".join(self.cells or []))
            self.cells = None
        elif kind == "inline":
            self._write(_inline_text(token.children or []))
        elif kind in {"fence", "code_block"}:
            self.lines += ["", *(f"    {line}" for line in token.content.splitlines()), ""]
        elif kind in {"paragraph_close", "heading_close", "table_close"} and not self.lists:
            self.lines.append("")

    def _open_item(self) -> None:
        number = self.lists[-1]
        self.mark = "- " if number is None else f"{number}. "
        if number is not None:
            self.lists[-1] = number + 1

    def _write(self, text: str) -> None:
        if self.cells is not None:
            self.cells.append(text)
            return
        indent = "  " * max(0, len(self.lists) - 1)
        hanging = " " * len(self.mark)
        for place, line in enumerate(text.split("\n")):
            self.lines.append(f"{indent}{hanging if place else self.mark}{line}")
        self.mark = ""


def _inline_text(tokens: Sequence[Token]) -> str:
    made: list[str] = []
    links: list[tuple[str, int]] = []
    for token in tokens:
        if token.type in {"text", "code_inline"}:
            made.append(token.content)
        elif token.type in {"softbreak", "hardbreak"}:
            made.append("\n")
        elif token.type == "image":
            made.append(token.content)
        elif token.type == "link_open":
            links.append((str(token.attrGet("href") or ""), len(made)))
        elif token.type == "link_close" and links:
            address, start = links.pop()
            words = "".join(made[start:])
            if "://" in address and words != address:
                made.append(f" ({address})")
    return "".join(made)


_parser = _make_parser()
