"""Public holidays and make-up workdays of a country, from the package `holidays`.

For China the package follows the yearly notice of the General Office of the State Council, with
the days off and the weekend days that are worked instead; `tests/sla/test_public_holidays.py` holds
2024 to 2026 against the notices. A year without its notice has the statutory days alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import holidays
from django.utils.translation import gettext as _

from spine.kit.errors import DomainError

# Countries where a yearly notice moves working days to weekends; every year has had some.
ANNOUNCED_YEARLY = frozenset({"CN"})
FIRST_YEAR, LAST_YEAR = 1950, 2099
_ENGLISH = ("en_US", "en_GB", "en")
_LANGUAGES = {"zh-hans": "zh_CN"}


@dataclass(frozen=True)
class HolidayName:
    """name: in English where the package has it; translations: {language code: name}."""

    name: str
    translations: Mapping[str, str]


@dataclass(frozen=True)
class HolidayYear:
    """closed: the holidays by date. workdays: the weekend dates that are worked instead.

    announced: False while the notice that moves working days is still missing.
    """

    year: int
    closed: Mapping[date, HolidayName]
    workdays: frozenset[date]
    announced: bool


def public_holidays(country: str, subdivision: str, year: int) -> HolidayYear:
    """Raises `DomainError` for a country, subdivision or year that the package does not know."""
    check_country(country, subdivision)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        message = _("Holidays are known for the years %(first)d to %(last)d.")
        raise DomainError("bad_year", message % {"first": FIRST_YEAR, "last": LAST_YEAR}, "years")
    supported = holidays.country_holidays(country, subdiv=subdivision or None).supported_languages
    english = next((code for code in _ENGLISH if code in supported), None)
    found = _of_year(country, subdivision, year, english)
    others = {
        ours: _of_year(country, subdivision, year, theirs)
        for ours, theirs in _LANGUAGES.items()
        if theirs in supported
    }
    closed = {
        day: HolidayName(
            found[day][:200], {ours: names[day][:200] for ours, names in others.items()}
        )
        for day in sorted(found)
        if day.year == year
    }
    workdays = frozenset(day for day in found.weekend_workdays if day.year == year)
    announced = bool(workdays) or country not in ANNOUNCED_YEARLY
    return HolidayYear(year, closed, workdays - closed.keys(), announced)


def check_country(country: str, subdivision: str) -> None:
    """Raises `DomainError` unless the package knows the country and the subdivision."""
    known = holidays.list_supported_countries(include_aliases=False)
    if country not in known:
        message = _("No holidays are known for the country “%(code)s”.")
        raise DomainError("unknown_country", message % {"code": country[:10]}, "country")
    if subdivision and subdivision not in known[country]:
        message = _("“%(code)s” is not a subdivision of the country.")
        raise DomainError("unknown_subdivision", message % {"code": subdivision}, "subdivision")


def _of_year(
    country: str, subdivision: str, year: int, language: str | None
) -> holidays.HolidayBase:
    # A notice for next year may move days of this December.
    return holidays.country_holidays(
        country, subdiv=subdivision or None, years=(year, year + 1), language=language
    )
