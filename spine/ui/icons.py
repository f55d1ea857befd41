"""The icons that exist: `static/src/icons.json`, from which the build makes the sprite."""

from __future__ import annotations

import json
from functools import cache

from django.conf import settings

FALLBACK = "circle"


@cache
def names() -> frozenset[str]:
    """Every name that `{% icon %}` knows."""
    text = (settings.BASE_DIR / "static" / "src" / "icons.json").read_text(encoding="utf-8")
    return frozenset(json.loads(text))


def for_file(name: str) -> str:
    """The icon of a file by its extension."""
    extension = name.rpartition(".")[2].lower()
    for icon, extensions in _BY_EXTENSION.items():
        if extension in extensions:
            return icon
    return "file"


_BY_EXTENSION = {
    "image": {
        "png",
        "jpg",
        "jpeg",
        "gif",
        "webp",
        "svg",
        "bmp",
        "tif",
        "tiff",
        "heic",
        "avif",
    },
    "file-text": {"txt", "log", "md", "pdf", "doc", "docx", "odt", "rtf", "eml", "msg"},
    "file-table": {"csv", "tsv", "xls", "xlsx", "ods"},
    "file-zip": {"zip", "gz", "xz", "7z", "rar", "tar", "bz2"},
    "file-code": {
        "json",
        "xml",
        "yaml",
        "yml",
        "html",
        "py",
        "sh",
        "ps1",
        "sql",
        "ini",
        "conf",
    },
    "video": {"mp4", "mov", "webm", "mkv", "avi"},
}
