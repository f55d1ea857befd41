"""Template tags of the interface. They take plain values, never domain models.

See templates/ui/README.md for the whole set with examples.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
import zlib
from collections.abc import Mapping
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, FileInput, RadioSelect
from django.forms.widgets import CheckboxSelectMultiple
from django.template import Context
from django.template.defaultfilters import filesizeformat
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from spine.ui import icons, strings, times

register = template.Library()

TONES = frozenset({"new", "progress", "hold", "done", "canceled", "bad"})
TINTS = 6
SOON_PERCENT = 75


@register.simple_tag
def icon(name: str, size: int = 16, label: str = "") -> SafeString:
    """`{% icon "alert" %}`: decorative; with `label` it speaks. Sizes 14, 16, 20, 24, 32 px."""
    known = name if name in icons.names() else icons.FALLBACK
    css = "i" if size == 16 else f"i s{size}"
    href = f"{static('icons.svg')}#{known}"
    if label:
        return format_html(
            '<svg class="{}" role="img" aria-label="{}"><use href="{}"/></svg>',
            css,
            label,
            href,
        )
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}"/></svg>', css, href)


@register.filter
def file_icon(name: str) -> str:
    """`{% icon file.name|file_icon %}`"""
    return icons.for_file(name)


def _is_han(character: str) -> bool:
    return unicodedata.name(character, "").startswith("CJK UNIFIED")


def initials(name: str, *, long: bool) -> tuple[str, bool]:
    """(Letters for a disc, whether they are Chinese). 王小明 -> 王, in a large disc 小明."""
    name = name.strip()
    han = [character for character in name if _is_han(character)]
    if han and _is_han(name[0]):
        return ("".join(han[-2:]) if long else han[0]), True
    words = [word for word in name.replace("-", " ").split() if word[0].isalnum()]
    if not words:
        return "?", False
    letters = words[0][0] + (words[-1][0] if len(words) > 1 else words[0][1:2])
    return letters.upper(), False


@register.simple_tag
def avatar(name: object = "", size: str = "", presence: bool = False) -> SafeString:
    """A disc with initials, always the same tint for the same name; `size` "", m, l or xl.

    Decorative: the name itself stands beside it, or give it with `{% who %}`.
    """
    text = str(name or "").strip()
    if not text:
        css = f"avatar nobody {size}".strip()
        return format_html('<span class="{}" aria-hidden="true"></span>', css)
    letters, han = initials(text, long=size in {"l", "xl"})
    tint = zlib.crc32(text.encode()) % TINTS + 1
    parts = [
        "avatar",
        f"t{tint}",
        size,
        "han" if han else "",
        "presence" if presence else "",
    ]
    css = " ".join(part for part in parts if part)
    return format_html(
        '<span class="{}" title="{}" aria-hidden="true">{}</span>', css, text, letters
    )


@register.simple_tag
def who(name: object = "", nobody: str = "") -> SafeString:
    """Disc and name; without a name "Unassigned" (or `nobody`)."""
    text = str(name or "").strip()
    css = "name" if text else "name nobody"
    return format_html(
        '<span class="who">{}<span class="{}">{}</span></span>',
        avatar(text),
        css,
        text or nobody or _("Unassigned"),
    )


@register.simple_tag
def state(label: object, tone: str = "new") -> SafeString:
    """`{% state ticket.state_label tone %}`; tone: new, progress, hold, done, canceled, bad."""
    return format_html(
        '<span class="state {}">{}</span>', tone if tone in TONES else "new", str(label)
    )


@register.simple_tag
def priority(level: int | str | None, label: str = "") -> SafeString:
    """P1 filled, P2 half, P3 outline, P4 and P5 plain; `label` adds the word."""
    try:
        number = int(level or 0)
    except ValueError:
        number = 0
    if not 1 <= number <= 5:
        return mark_safe('<span class="muted">–</span>')
    text = f"P{number} {label}".strip()
    return format_html('<span class="pri p{}">{}</span>', number, text)


@register.simple_tag
def due(
    at: dt.datetime | str | None,
    used: float | None = None,
    paused: bool = False,
    met: bool = False,
    note: str = "",
    bar: bool = True,
    now: dt.datetime | None = None,
) -> SafeString:
    """When an answer is due, with how much of the time is used.

    `at` aware datetime or None; `used` percent of the target, may pass 100; `paused` shows `note`
    instead of a time (a paused clock has no due time); `met` shows `note` in green.
    """
    if met or paused:
        tone = "met" if met else "paused"
        words = note or (_("Met") if met else _("Paused"))
        return format_html('<span class="due {}" title="{}">{}</span>', tone, words, words)
    # a missing template variable arrives as an empty string
    if not isinstance(at, dt.datetime):
        return format_html('<span class="due none">{}</span>', note or "–")
    now = now or timezone.now()
    tone = due_tone(at, used, now)
    words = format_html(
        '<time datetime="{}" title="{}" data-due>{}</time>',
        at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        times.exact(at),
        times.until(at, now),
    )
    return format_html(
        '<span class="due {}">{}{}</span>',
        tone,
        words,
        progress(used, tone) if bar and isinstance(used, int | float) else "",
    )


def due_tone(at: dt.datetime, used: float | None, now: dt.datetime) -> str:
    """late, soon or "" (plenty of time)."""
    if at <= now:
        return "late"
    if isinstance(used, int | float):
        return "soon" if used >= SOON_PERCENT else ""
    return "soon" if (at - now) < dt.timedelta(hours=1) else ""


@register.simple_tag
def progress(
    used: float | None, tone: str = "", label: str = "", thick: bool = False
) -> SafeString:
    """A bar 0..100; `tone` soon, late, met, paused; `label` for those who can't see it."""
    css = " ".join(part for part in ("bar", tone, "thick" if thick else "") if part)
    value = min(100, max(0, round(used or 0)))
    return format_html(
        '<progress class="{}" max="100" value="{}" aria-label="{}"></progress>',
        css,
        value,
        label or _("%(n)s%% used") % {"n": round(used or 0)},
    )


def _time(moment: dt.datetime, words: str, *, ticking: bool) -> SafeString:
    shape = (
        '<time datetime="{}" title="{}" data-ago>{}</time>'
        if ticking
        else '<time datetime="{}" title="{}">{}</time>'
    )
    stamp = moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return format_html(shape, stamp, times.exact(moment), words)


@register.simple_tag
def ago(moment: dt.datetime | None) -> SafeString:
    """ "4 min ago", kept up to date by the page; the exact moment on hover."""
    return _time(moment, times.ago(moment), ticking=True) if moment else mark_safe("–")


@register.simple_tag
def when(moment: dt.datetime | None) -> SafeString:
    """ "09:44", "yesterday 09:44", "23 Nov, 09:44"; the exact moment on hover."""
    return _time(moment, times.when(moment), ticking=False) if moment else mark_safe("–")


@register.filter
def span(seconds: float | dt.timedelta | None) -> str:
    """Seconds or a timedelta in words: 24 min, 2 h 10 min."""
    if seconds is None:
        return "–"
    return times.span(seconds.total_seconds() if isinstance(seconds, dt.timedelta) else seconds)


@register.filter
def file_size(octets: int | None) -> str:
    """12 KB, in the reader's language."""
    return filesizeformat(octets or 0)


@register.inclusion_tag("ui/field.html")
def field(
    bound: BoundField,
    full: bool = False,
    optional: bool = True,
    label: str = "",
    unit: str = "",
) -> dict[str, Any]:
    """One form field: label, widget, help, errors, tied together for screen readers.

    `full` spans both columns; `optional=False` leaves out the word on optional fields; a
    RadioSelect becomes segments, a CheckboxInput a line, a FileInput a drop zone.
    """
    widget = bound.field.widget
    return {
        "field": bound,
        "kind": _kind(widget),
        "label": label or bound.label,
        "full": full,
        "show_optional": optional and not (bound.field.required or bound.field.disabled),
        "help_id": f"{bound.auto_id}_helptext",
        "error_id": f"{bound.auto_id}_error",
        "unit": unit,
    }


def _kind(widget: object) -> str:
    # the checkboxes are a subclass of the radios
    if isinstance(widget, CheckboxSelectMultiple):
        return "choices"
    if isinstance(widget, RadioSelect):
        return "segments"
    if isinstance(widget, CheckboxInput):
        return "check"
    return "file" if isinstance(widget, FileInput) else "input"


@register.simple_tag
def ui_strings() -> str:
    """JSON for the scripts; the template engine escapes it for the attribute."""
    return strings.for_scripts()


@register.simple_tag(takes_context=True)
def ui_choice(context: Context, name: str, allowed: str, default: str) -> str:
    """A choice kept in a cookie (theme, rail), or `default` where it is none of `allowed`."""
    request = context.get("request")
    cookies: Mapping[str, str] = getattr(request, "COOKIES", {})
    value = cookies.get(name, default)
    return value if value in allowed.split() else default
