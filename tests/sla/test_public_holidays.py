"""The imported days against the State Council's notices.

Sources: notices of the General Office of the State Council on the arrangement of public holidays,
国办发明电〔2023〕7号 (2024), 国办发明电〔2024〕12号 (2025), 国办发明电〔2025〕7号 (2026).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from spine.kit.errors import DomainError
from spine.sla.public_holidays import public_holidays

# Per year: the periods off, first and last day, and the weekend days worked instead.
NOTICES = {
    2024: (
        ["0101-0101", "0210-0217", "0404-0406", "0501-0505", "0610-0610", "0915-0917", "1001-1007"],
        ["0204", "0218", "0407", "0428", "0511", "0914", "0929", "1012"],
    ),
    2025: (
        ["0101-0101", "0128-0204", "0404-0406", "0501-0505", "0531-0602", "1001-1008"],
        ["0126", "0208", "0427", "0928", "1011"],
    ),
    2026: (
        ["0101-0103", "0215-0223", "0404-0406", "0501-0505", "0619-0621", "0925-0927", "1001-1007"],
        ["0104", "0214", "0228", "0509", "0920", "1010"],
    ),
}


def _date(year: int, text: str) -> date:
    return date(year, int(text[:2]), int(text[2:]))


def _days(year: int, period: str) -> Iterator[date]:
    first, last = (_date(year, text) for text in period.split("-"))
    while first <= last:
        yield first
        first += timedelta(days=1)


@pytest.mark.parametrize("year", NOTICES)
def test_china_works_exactly_the_days_of_the_notice(year: int) -> None:
    periods, worked = NOTICES[year]
    off = {day for period in periods for day in _days(year, period)}
    instead = {_date(year, text) for text in worked}
    found = public_holidays("CN", "", year)
    assert found.announced
    assert found.workdays == instead
    day = date(year, 1, 1)
    while day.year == year:
        expected = day in instead or (day.weekday() < 5 and day not in off)
        works = day in found.workdays or (day.weekday() < 5 and day not in found.closed)
        assert works == expected, day
        day += timedelta(days=1)


def test_names_come_in_both_languages() -> None:
    national = public_holidays("CN", "", 2025).closed[date(2025, 10, 1)]
    assert national.name == "National Day"
    assert national.translations == {"zh-hans": "国庆节"}


def test_a_year_without_its_notice_says_so() -> None:
    found = public_holidays("CN", "", 2090)
    assert not found.announced
    assert date(2090, 10, 1) in found.closed
    assert public_holidays("CZ", "", 2090).announced


def test_a_subdivision_has_its_own_days() -> None:
    assert date(2025, 1, 6) in public_holidays("DE", "BW", 2025).closed
    assert date(2025, 1, 6) not in public_holidays("DE", "BE", 2025).closed


@pytest.mark.parametrize(
    ("country", "subdivision", "year", "code"),
    [
        ("XX", "", 2025, "unknown_country"),
        ("", "", 2025, "unknown_country"),
        ("DE", "ZZ", 2025, "unknown_subdivision"),
        ("CN", "", 1800, "bad_year"),
        ("CN", "", 2100, "bad_year"),
    ],
)
def test_what_is_not_known_is_refused(country: str, subdivision: str, year: int, code: str) -> None:
    with pytest.raises(DomainError) as refused:
        public_holidays(country, subdivision, year)
    assert refused.value.code == code
