"""Which encoding a text file is in: told by its first bytes, else by what decodes without error.

Everything is then decoded strictly, so a wrong guess is an error with its place, never silently
wrong letters.
"""

from __future__ import annotations

import codecs
import re
from typing import IO

import charset_normalizer
from django.utils.translation import gettext as _

from spine.tickets.importing.errors import SourceError
from spine.tickets.importing.source import CHUNK, SourceFile

SAMPLE = 256 * 1024
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
# From this share of bytes above 127 in runs of two and more the text is not in a European script.
_PAIRED_SHARE = 0.8
_ALLOWED = ("gb18030", "big5", "shift_jis", "euc_kr", "cp1251", "cp1252", "latin_1")


def detect(file: SourceFile) -> str:
    """The name of the encoding in which the whole file decodes."""
    with file.open() as stream:
        head = stream.read(SAMPLE)
        if not head.strip():
            raise SourceError("empty", _("%(file)s is empty.") % {"file": file.path.name})
        for mark, name in _MARKS:
            if head.startswith(mark):
                return name
        wide = _wide(head)
        if wide:
            return wide
        around = _first_not_utf8(head, stream)
    if around is None:
        return "utf-8"
    for name in _candidates(around):
        if _decodes(file, name):
            return name
    raise SourceError(
        "unknown_encoding",
        _("The encoding of %(file)s can't be told. Name it in the mapping (file.encoding).")
        % {"file": file.path.name},
    )


def _wide(head: bytes) -> str:
    """UTF-16 without a mark: every other byte of Latin letters and digits is zero."""
    pairs = len(head) // 2
    if pairs < 8:
        return ""
    even, odd = head[0 : pairs * 2 : 2].count(0), head[1 : pairs * 2 : 2].count(0)
    if odd > 0.3 * pairs and even < 0.05 * pairs:
        return "utf-16-le"
    if even > 0.3 * pairs and odd < 0.05 * pairs:
        return "utf-16-be"
    return ""


def _first_not_utf8(head: bytes, stream: IO[bytes]) -> bytes | None:
    """None if all of it is UTF-8, else a sample that holds the first bytes that are not."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    chunk = head
    kept = b""
    while chunk:
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            place = max(0, error.start - SAMPLE // 4)
            return kept[-1024:] + chunk[place : place + SAMPLE]
        kept = chunk
        chunk = stream.read(CHUNK)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return kept[-SAMPLE:]
    return None


def _candidates(sample: bytes) -> list[str]:
    """Encodings to try, the likeliest first."""
    runs = [len(run) for run in _HIGH_RUN.findall(sample)]
    paired = sum(length for length in runs if length > 1)
    if runs and paired / sum(runs) < _PAIRED_SHARE:
        # Single accented letters between plain ones. 0x80-0x9F are letters in Windows' table
        # (quotation marks, the euro sign) and control characters in Latin-1.
        windows = any(0x80 <= byte < 0xA0 for byte in sample)
        return ["cp1252", "latin-1"] if windows else ["latin-1"]
    names = ["gb18030"]
    best = charset_normalizer.from_bytes(sample, cp_isolation=list(_ALLOWED)).best()
    if best is not None and _is_gb2312(sample) < _PAIRED_SHARE:
        names.insert(0, best.encoding)
    return [*dict.fromkeys(names), "latin-1"]


def _is_gb2312(sample: bytes) -> float:
    """The share of two-byte characters that lie in GB 2312, which holds nearly all Chinese text."""
    good = all_pairs = 0
    for run in _HIGH_RUN.findall(sample):
        for lead in run[0 : len(run) - 1 : 2]:
            all_pairs += 1
            good += 0xA1 <= lead <= 0xF7
    return good / all_pairs if all_pairs else 0.0


def _decodes(file: SourceFile, name: str) -> bool:
    decoder = codecs.getincrementaldecoder(name)("strict")
    with file.open() as stream:
        try:
            while chunk := stream.read(CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def check(name: str) -> str:
    """The encoding that a mapping names, if there is such a one."""
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise SourceError(
            "unknown_encoding", _("There is no encoding “%(name)s”.") % {"name": name}
        ) from error
