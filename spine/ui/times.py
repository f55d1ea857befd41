"""Moments and spans in words, in the reader's language and time zone.

`static/src/js/times.js` says the same words from the same msgids (`phrases()`), so that what the
server wrote and what the page counts down never differ.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_skeleton
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
COUNTDOWN_FROM = 12 * HOUR


@lru_cache(maxsize=8)
def _locale(language: str) -> Locale:
    # Plain "en" is read all over the world: day before month, 24 hours.
    name = {"en": "en-GB", "zh-hans": "zh-Hans"}.get(language, language)
    try:
        return Locale.parse(name, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en-GB", sep="-")


@lru_cache(maxsize=4096)
def _day(date: dt.date, skeleton: str, language: str) -> str:
    moment = dt.datetime(date.year, date.month, date.day, tzinfo=dt.UTC)
    return format_skeleton(skeleton, moment, locale=_locale(language))


def day(date: dt.date, *, weekday: bool = False, year: bool = False) -> str:
    """26 Nov; Thu 26 Nov; 26 Nov 2026; 11月26日."""
    skeleton = {
        (False, False): "MMMd",
        (True, False): "MMMEd",
        (False, True): "yMMMd",
        (True, True): "yMMMEd",
    }[(weekday, year)]
    return _day(date, skeleton, get_language() or "en")


def clock(moment: dt.datetime) -> str:
    return timezone.localtime(moment).strftime("%H:%M")


def exact(moment: dt.datetime) -> str:
    """The whole truth, for a tooltip: Mon 23 Nov 2026, 09:44:12 CET."""
    local = timezone.localtime(moment)
    return _("%(date)s, %(time)s %(zone)s") % {
        "date": day(local.date(), weekday=True, year=True),
        "time": local.strftime("%H:%M:%S"),
        "zone": local.tzname() or "",
    }


def when(moment: dt.datetime, now: dt.datetime | None = None) -> str:
    """09:44 today; yesterday, tomorrow, a weekday within six days to come; else the date."""
    local = timezone.localtime(moment)
    today = timezone.localtime(now or timezone.now()).date()
    gap = (local.date() - today).days
    at = local.strftime("%H:%M")
    if gap == 0:
        return at
    if gap == -1:
        return _("yesterday %(time)s") % {"time": at}
    if gap == 1:
        return _("tomorrow %(time)s") % {"time": at}
    if 1 < gap < 7:
        weekday = _day(local.date(), "E", get_language() or "en")
        return _("%(date)s, %(time)s") % {"date": weekday, "time": at}
    if local.year == today.year:
        return _("%(date)s, %(time)s") % {"date": day(local.date()), "time": at}
    return day(local.date(), year=True)


def span(seconds: float) -> str:
    """A length of time, at most two units: 24 min, 2 h 10 min, 14 h, 3 d."""
    minutes = max(1, round(abs(seconds) / MINUTE))
    if minutes < 60:
        return _("%(n)s min") % {"n": minutes}
    hours, rest = divmod(minutes, 60)
    if hours < 10 and rest:
        return _("%(h)s h %(m)s min") % {"h": hours, "m": rest}
    if hours < 48:
        return _("%(n)s h") % {"n": round(minutes / 60)}
    return _("%(n)s d") % {"n": round(minutes / 60 / 24)}


def ago(moment: dt.datetime, now: dt.datetime | None = None) -> str:
    """just now, 4 min ago, 3 h ago; from a day on, `when`."""
    now = now or timezone.now()
    seconds = (now - moment).total_seconds()
    if 0 <= seconds < 45:
        return _("just now")
    if 0 <= seconds < 12 * HOUR:
        return _("%(span)s ago") % {"span": span(seconds)}
    return when(moment, now)


def until(moment: dt.datetime, now: dt.datetime | None = None) -> str:
    """12 min over, 24 min left; later than half a day, `when`."""
    now = now or timezone.now()
    seconds = (moment - now).total_seconds()
    if seconds < 0:
        return _("%(span)s over") % {"span": span(seconds)}
    if seconds < COUNTDOWN_FROM:
        return _("%(span)s left") % {"span": span(seconds)}
    return when(moment, now)


def phrases() -> dict[str, str]:
    """The msgids that times.js fills in, translated."""
    return {
        "now": _("just now"),
        "ago": _("%(span)s ago"),
        "over": _("%(span)s over"),
        "left": _("%(span)s left"),
        "min": _("%(n)s min"),
        "hmin": _("%(h)s h %(m)s min"),
        "h": _("%(n)s h"),
        "d": _("%(n)s d"),
    }
