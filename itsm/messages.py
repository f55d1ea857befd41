"""Message catalogues without GNU gettext: extraction, check and compilation through Babel.

A machine with only Python can build and check the languages. Templates are turned into Python
by Django's own `templatize`, so one extractor serves both.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

# As Babel wants them: which arguments are messages, which the context.
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
SKIPPED = {".venv", "node_modules", "tests", "benchmarks", "migrations", "static", "deploy"}
_PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|%[sd]|\{(\w*)\}")


@dataclass(frozen=True, slots=True)
class Found:
    """msgid is a (singular, plural) pair where the string counts something."""

    msgid: str | tuple[str, str]
    context: str | None
    place: str


def language_files() -> dict[str, Path]:
    """{language: its .po file} for every language but English, which the msgids are."""
    root = Path(settings.LOCALE_PATHS[0])
    names = {"zh-hans": "zh_Hans"}
    return {
        code: root / names.get(code, code) / "LC_MESSAGES" / "django.po"
        for code, _label in settings.LANGUAGES
        if code != "en"
    }


def sources(base: Path) -> Iterator[Path]:
    for path in sorted(base.rglob("*")):
        relative = path.relative_to(base)
        if relative.parts[0].startswith(".") or SKIPPED & set(relative.parts):
            continue
        if path.suffix in {".py", ".html", ".txt"} and path.is_file():
            if path.suffix == ".txt" and "templates" not in relative.parts:
                continue
            yield path


def extract(base: Path) -> list[Found]:
    found: list[Found] = []
    for path in sources(base):
        text = path.read_text(encoding="utf-8")
        place = str(path.relative_to(base))
        if path.suffix != ".py":
            if "{% load" not in text and "translate" not in text:
                continue
            # Inside brackets Python's tokenizer does not judge the indentation a template has.
            text = f"({templatize(text, origin=place)}\n)"
        stream = io.BytesIO(text.encode())
        for _line, function, messages, _notes in extract_python(stream, KEYWORDS, [], {}):
            found.extend(_arrange(function, messages, place))
    return found


def _arrange(function: Any, messages: object, place: str) -> list[Found]:
    parts = list(messages) if isinstance(messages, tuple | list) else [messages]
    if function is None or not parts or not all(isinstance(part, str) for part in parts[:1]):
        return []
    context: str | None = None
    if "pgettext" in function:
        context = str(parts.pop(0))
    if not parts or not isinstance(parts[0], str) or not parts[0].strip():
        return []
    if function.lstrip("_").startswith(("ngettext", "npgettext")):
        return [Found((parts[0], str(parts[1])), context, place)]
    return [Found(parts[0], context, place)]


def load(path: Path, language: str) -> Catalog:
    if not path.exists():
        return Catalog(locale=language.replace("-", "_").replace("hans", "Hans"))
    with path.open("rb") as handle:
        return read_po(handle, locale=language.replace("-", "_").replace("hans", "Hans"))


def synchronize(base: Path) -> dict[str, int]:
    """Adds new strings to each catalogue, drops those nobody uses. {language: untranslated}."""
    found = extract(base)
    left: dict[str, int] = {}
    for language, path in language_files().items():
        old = load(path, language)
        new = Catalog(
            locale=old.locale,
            project="Evenkeel",
            version="",
            header_comment="# Evenkeel",
            creation_date=None,
            fuzzy=False,
        )
        seen: dict[tuple[str, str | None], Message] = {}
        for item in sorted(found, key=lambda f: (_key(f.msgid), f.context or "")):
            key = (_key(item.msgid), item.context)
            if key in seen:
                continue
            existing = old.get(_key(item.msgid), item.context)
            string = existing.string if existing is not None else ""
            seen[key] = new.add(item.msgid, string=string, context=item.context)
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        write_po(buffer, new, no_location=True, width=100, sort_output=True, omit_header=False)
        lines = buffer.getvalue().decode().splitlines()
        kept = [line for line in lines if not re.match(r'"(POT-Creation|PO-Revision)-Date', line)]
        path.write_text("\n".join(kept) + "\n", encoding="utf-8")
        left[language] = sum(1 for message in new if message.id and not _is_translated(message))
    return left


def _key(msgid: Any) -> str:
    return str(msgid if isinstance(msgid, str) else msgid[0])


def _is_translated(message: Message) -> bool:
    string = message.string
    return bool(string) if isinstance(string, str) else all(string or [""])


def problems(base: Path) -> list[str]:
    """What keeps a language from being complete: missing, unused, placeholders that differ."""
    found = {(_key(item.msgid), item.context): item for item in extract(base)}
    lines: list[str] = []
    for language, path in language_files().items():
        catalogue = load(path, language)
        for (msgid, context), item in sorted(found.items(), key=lambda pair: pair[0][0]):
            message = catalogue.get(msgid, context)
            if message is None or not _is_translated(message):
                lines.append(f"{language}: not translated: {msgid!r} ({item.place})")
                continue
            texts = message.string if isinstance(message.string, tuple | list) else [message.string]
            allowed = _placeholders(item.msgid)
            for text in texts:
                if _placeholders(text) != allowed and not (
                    isinstance(item.msgid, tuple) and _placeholders(text) <= allowed
                ):
                    lines.append(f"{language}: placeholders differ: {msgid!r}")
        for message in catalogue:
            if message.id and (_key(message.id), message.context) not in found:
                lines.append(f"{language}: unused: {message.id!r}")
    return lines


def _placeholders(text: Any) -> set[str]:
    joined = text if isinstance(text, str) else " ".join(text)
    return {match.group(0) for match in _PLACEHOLDER.finditer(joined)}


def compile_catalogues() -> int:
    """Writes each .mo beside its .po; returns how many messages."""
    count = 0
    for language, path in language_files().items():
        catalogue = load(path, language)
        with path.with_suffix(".mo").open("wb") as handle:
            write_mo(handle, catalogue)
        count += len(catalogue)
    return count
