"""What a file is, told from its content. The name can only lower the trust, never raise it.

A browser runs what it believes to be a page, a script or an SVG; so only types that it can't run
keep their name here, and everything else is `application/octet-stream`, whatever it says it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO

import filetype
from PIL import Image, UnidentifiedImageError

OPAQUE = "application/octet-stream"
TEXT = "text/plain"
HEAD = 8192  # octets read for the decision
# 50 million pixels: a 48-megapixel phone picture passes; decoded it takes 200 MB in a browser tab.
MAX_PIXELS = 50_000_000
_IMAGES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}

_HARMLESS = frozenset(
    {
        "application/pdf",
        "application/zip",
        "application/gzip",
        "application/x-7z-compressed",
        "application/x-bzip2",
        "application/x-xz",
        "application/x-tar",
        "application/zstd",
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.presentation",
        "application/rtf",
        "image/bmp",
        "image/tiff",
        "image/heic",
        "image/avif",
        "audio/mpeg",
        "audio/mp4",
        "audio/ogg",
        "audio/x-wav",
        "video/mp4",
        "video/quicktime",
        "video/webm",
        "video/x-matroska",
        "video/x-msvideo",
    }
)

# Anything that a browser or a mail program might take for markup, wherever in the head it stands.
_MARKUP = re.compile(
    rb"<\s*(!doctype|!--|\?|/?\s*(html|head|body|script|iframe|frame|object|embed|svg|math|style|"
    rb"link|meta|base|form|img|a|b|br|div|h1|p|table|title|font|template|x:|xsl|xml))",
    re.IGNORECASE,
)
_SCRIPT = re.compile(rb"^\s*(#!|@echo|@set|<%|<\?php|%!PS|MZ|\x7fELF)", re.IGNORECASE)
_ACTIVE_NAMES = frozenset(
    {
        "html", "htm", "xhtml", "shtml", "xht", "mht", "mhtml", "svg", "svgz", "xml", "xsl", "xslt",
        "js", "mjs", "cjs", "hta", "htc", "php", "phtml", "asp", "aspx", "jsp", "vbs", "vbe", "wsf",
        "wsh", "ps1", "psm1", "bat", "cmd", "com", "exe", "dll", "msi", "scr", "sh", "bash",
        "command", "jar", "swf", "lnk", "url", "desktop", "reg", "app", "apk", "dmg", "pkg", "deb",
        "rpm", "iso", "py", "rb", "pl",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """content_type: what the file is served as; width and height only of a verified image."""

    content_type: str
    width: int | None = None
    height: int | None = None


def sniff(file: BinaryIO, name: str) -> Kind:
    """The kind of a seekable file; reads its head, and for images the structure, never pixels."""
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    if _has_active_name(name):
        return Kind(OPAQUE)
    guess = filetype.guess(head)
    mime = str(guess.mime) if guess is not None else ""
    if mime in _IMAGES.values():
        return _verified(file, mime)
    if mime in _HARMLESS:
        return Kind(mime)
    if not mime and _is_plain_text(head):
        return Kind(TEXT)
    return Kind(OPAQUE)


def _has_active_name(name: str) -> bool:
    return name.rpartition(".")[2].lower() in _ACTIVE_NAMES


def _is_plain_text(head: bytes) -> bool:
    """UTF-8 without control characters and without anything that looks like markup."""
    if b"\x00" in head or _MARKUP.search(head) or _SCRIPT.match(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # A full head may end within a character.
        if len(head) < HEAD or error.start < HEAD - 3:
            return False
    return not any(octet < 9 or 13 < octet < 32 for octet in head if octet != 27)


def _verified(file: BinaryIO, mime: str) -> Kind:
    """The image's size if its structure holds and it is no decompression bomb.

    Pillow reads the size from the header and `verify` walks the chunks; neither allocates pixels.
    """
    try:
        with Image.open(file, formats=list(_IMAGES)) as image:
            width, height = image.size
            found = _IMAGES.get(image.format or "", "")
            if found != mime or not 0 < width * height <= MAX_PIXELS:
                return Kind(OPAQUE)
            image.verify()
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        OverflowError,
        MemoryError,
    ):
        return Kind(OPAQUE)
    finally:
        file.seek(0)
    return Kind(mime, width, height)
