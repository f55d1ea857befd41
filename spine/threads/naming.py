"""What a sender calls a file, made safe to show and to save under."""

from __future__ import annotations

import re
import unicodedata

MAX_LENGTH = 150
# A file system counts octets: a Chinese name of 150 characters would not fit into 255 of them.
MAX_OCTETS = 240
_EXTENSION_LENGTH = 16
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_BREAKS = "\t\r\n\u2028\u2029"
_SPACES = re.compile(r"\s+")
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def clean_name(given: str) -> str:
    """The last part of a path, without control characters, direction overrides and invisible
    characters (they make "gpj.exe" read "exe.jpg"), of bounded length with its extension kept."""
    last = unicodedata.normalize("NFC", given).replace("\\", "/").rsplit("/", 1)[-1]
    visible = "".join(
        " " if character in _BREAKS else character
        for character in last
        if character in _BREAKS or unicodedata.category(character)[0] != "C"
    )
    name = _SPACES.sub(" ", _FORBIDDEN.sub("_", visible)).strip(" .")
    if _RESERVED.match(name):
        name = f"_{name}"
    return _shorten(name) or "file"


def _shorten(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem or len(extension) > _EXTENSION_LENGTH:
        stem, extension = name, ""
    suffix = f".{extension}" if extension else ""
    stem = stem[: MAX_LENGTH - len(suffix)]
    while len((stem + suffix).encode()) > MAX_OCTETS:
        stem = stem[:-1]
    return (stem + suffix).strip(" .")
