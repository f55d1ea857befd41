"""Working time: which instants are open, how much lies between two, and when an amount is used up.

The one rule: an instant is open if the local wall time at that instant lies in a span of that
local date's hours. Everything over daylight saving follows from it. An hour that the clock repeats
counts twice, an hour (or a day) that it skips never counts, and a span that begins inside a skipped
hour begins when the clock lands.

Time is cut into blocks of 32 UTC days. A block is worked out once per calendar object, as sorted
lists of open stretches with running totals; after that a question costs two binary searches, plus
one step for each further block that the answer passes. All arithmetic is in whole microseconds, so
amounts add up exactly. Nothing here reads a database or the present moment.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from spine.sla.errors import CalendarNeverOpens, OutOfRange
from spine.sla.hours import ALL_WEEK, Hours, Week

MICRO = timedelta(microseconds=1)
SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
BLOCK_DAYS = 32
BLOCK = BLOCK_DAYS * DAY
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
EPOCH_WEEKDAY = date(1970, 1, 1).weekday()
FIRST = (datetime(1900, 1, 1, tzinfo=UTC) - EPOCH) // MICRO
LAST = (datetime(2200, 1, 1, tzinfo=UTC) - EPOCH) // MICRO
# Ten years without an open minute: the calendar will not open again.
CLOSED_BLOCKS_LIMIT = 3653 // BLOCK_DAYS + 1


class SpecialDay(NamedTuple):
    """A date whose hours replace the weekday's: closed (no hours), a make-up workday, a short day.

    name: what people call it, such as "National Day", in English or as typed; translations:
    {language code: name}. A make-up workday has no name of its own.
    """

    hours: Hours
    name: str = ""
    translations: Mapping[str, str] = MappingProxyType({})


class _Block(NamedTuple):
    """The open stretches inside 32 UTC days, in microseconds since the epoch.

    before[i] is the open time of the block ahead of stretch i, through[i] with stretch i.
    """

    starts: list[int]
    ends: list[int]
    before: list[int]
    through: list[int]
    total: int

    def open_before(self, at: int) -> int:
        """Open time of this block that lies before `at`."""
        i = bisect_right(self.starts, at) - 1
        if i < 0:
            return 0
        return self.before[i] + min(at, self.ends[i]) - self.starts[i]

    def instant_of(self, amount: int) -> int:
        """The least instant with `amount` of the block's open time behind it (0 < amount)."""
        i = bisect_left(self.through, amount)
        return self.starts[i] + amount - self.before[i]


@dataclass(frozen=True)
class WorkCalendar:
    """Working hours in a time zone, with the dates that depart from them.

    week: the hours of Monday to Sunday. special_days: by local date; they win over the weekday.
    version: which state of the stored calendar this is, to find clocks that used an older one.
    The object is immutable and keeps what it has worked out, so share it (`load_work_calendar`).
    Instants must be aware datetimes from 1900 to 2199; results are in UTC.
    """

    name: str
    zone: ZoneInfo
    week: Week
    special_days: Mapping[date, SpecialDay] = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )
    version: int = 0
    _blocks: dict[int, _Block] = field(
        default_factory=dict, init=False, repr=False, compare=False, hash=False
    )

    @classmethod
    def around_the_clock(cls, name: str = "24x7", zone: ZoneInfo | None = None) -> WorkCalendar:
        """Every instant is open."""
        return cls(name, zone or ZoneInfo("UTC"), ALL_WEEK)

    @cached_property
    def always_open(self) -> bool:
        """True if no instant is closed."""
        return self.week == ALL_WEEK and not self.special_days

    def hours_on(self, day: date) -> Hours:
        """The hours of a local date."""
        special = self.special_days.get(day)
        return self.week[day.weekday()] if special is None else special.hours

    def is_open(self, at: datetime) -> bool:
        """Whether work goes on at `at`."""
        instant = to_micros(at)
        block = self._block(instant // BLOCK)
        i = bisect_right(block.starts, instant) - 1
        return i >= 0 and instant < block.ends[i]

    def next_open(self, at: datetime) -> datetime:
        """The least open instant not before `at` (`at` itself while open).

        Raises `CalendarNeverOpens` if there is none for ten years.
        """
        instant = to_micros(at)
        first = instant // BLOCK
        for number in range(first, first + CLOSED_BLOCKS_LIMIT + 1):
            block = self._block(number)
            i = bisect_right(block.ends, instant)
            if i < len(block.starts):
                return from_micros(max(instant, block.starts[i]))
        raise CalendarNeverOpens(self.name)

    def segments(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The open stretches between two instants, in order, each as long as it can be."""
        for opens, closes in self._stretches(to_micros(start), to_micros(end)):
            yield from_micros(opens), from_micros(closes)

    def business_time(self, start: datetime, end: datetime) -> timedelta:
        """Open time between two instants, exact; zero if `end` is not after `start`."""
        return timedelta(microseconds=self.open_micros(to_micros(start), to_micros(end)))

    def business_seconds(self, start: datetime, end: datetime) -> float:
        """`business_time` in seconds."""
        return self.open_micros(to_micros(start), to_micros(end)) / SECOND

    def add(self, start: datetime, amount: timedelta | int) -> datetime:
        """The least instant with `amount` of open time since `start`; zero gives `start`.

        amount: a timedelta or whole seconds, not negative. Raises `CalendarNeverOpens` if ten
        years pass without open time, `OutOfRange` if the answer lies after 2199.
        """
        micros = amount // MICRO if isinstance(amount, timedelta) else amount * SECOND
        return from_micros(self.add_micros(to_micros(start), micros))

    def open_micros(self, start: int, end: int) -> int:
        """`business_time` between microseconds since the epoch, in microseconds."""
        if end <= start:
            return 0
        if self.always_open:
            return end - start
        first, last = start // BLOCK, end // BLOCK
        if first == last:
            block = self._block(first)
            return block.open_before(end) - block.open_before(start)
        opening = self._block(first)
        amount = opening.total - opening.open_before(start)
        for number in range(first + 1, last):
            amount += self._block(number).total
        return amount + self._block(last).open_before(end)

    def add_micros(self, start: int, amount: int) -> int:
        """`add` on microseconds since the epoch."""
        if amount < 0:
            raise ValueError("an amount of working time can't be negative")
        if amount == 0:
            return start
        if self.always_open:
            return start + amount
        number = start // BLOCK
        block = self._block(number)
        wanted = amount + block.open_before(start)
        closed_blocks = 0
        while wanted > block.total:
            wanted -= block.total
            closed_blocks = 0 if block.total else closed_blocks + 1
            if closed_blocks > CLOSED_BLOCKS_LIMIT:
                raise CalendarNeverOpens(self.name)
            number += 1
            if number > LAST // BLOCK:
                raise OutOfRange
            block = self._block(number)
        return block.instant_of(wanted)

    def _stretches(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        if end <= start:
            return
        pending: tuple[int, int] | None = None
        for number in range(start // BLOCK, (end - 1) // BLOCK + 1):
            block = self._block(number)
            for i in range(bisect_right(block.ends, start), bisect_left(block.starts, end)):
                opens, closes = max(block.starts[i], start), min(block.ends[i], end)
                if pending and pending[1] == opens:
                    pending = (pending[0], closes)
                    continue
                if pending:
                    yield pending
                pending = (opens, closes)
        if pending:
            yield pending

    def _block(self, number: int) -> _Block:
        block = self._blocks.get(number)
        if block is None:
            # Two threads may both work it out; they come to the same answer.
            block = self._blocks[number] = self._work_out(number)
        return block

    def _work_out(self, number: int) -> _Block:
        starts: list[int] = []
        ends: list[int] = []
        for since, until, offset in self._offsets(number * BLOCK):
            first_day, last_day = (since + offset) // DAY, (until + offset - 1) // DAY
            for day in range(first_day, last_day + 1):
                for span in self._hours_of_epoch_day(day):
                    opens = max(day * DAY + span.start * MINUTE - offset, since)
                    closes = min(day * DAY + span.end * MINUTE - offset, until)
                    if opens >= closes:
                        continue
                    if ends and ends[-1] == opens:
                        ends[-1] = closes
                    else:
                        starts.append(opens)
                        ends.append(closes)
        before: list[int] = []
        through: list[int] = []
        total = 0
        for opens, closes in zip(starts, ends, strict=True):
            before.append(total)
            total += closes - opens
            through.append(total)
        return _Block(starts, ends, before, through, total)

    def _hours_of_epoch_day(self, day: int) -> Hours:
        if self.special_days:
            special = self.special_days.get(date.fromordinal(EPOCH_ORDINAL + day))
            if special is not None:
                return special.hours
        return self.week[(day + EPOCH_WEEKDAY) % 7]

    def _offsets(self, start: int) -> Iterator[tuple[int, int, int]]:
        """The block from `start` in pieces of one UTC offset: (since, until, offset).

        The offset is looked up once a day; no zone of the tz database changes twice within a day.
        """
        since = start
        offset = self._offset_at(start)
        for day_start in range(start, start + BLOCK, DAY):
            later = self._offset_at(day_start + DAY)
            if later != offset:
                change = self._change_between(day_start, day_start + DAY, offset)
                yield since, change, offset
                since, offset = change, later
        yield since, start + BLOCK, offset

    def _change_between(self, low: int, high: int, offset: int) -> int:
        """The first second after `low` at which the offset is no longer `offset`."""
        while high - low > SECOND:
            middle = (low + high) // 2 // SECOND * SECOND
            if self._offset_at(middle) == offset:
                low = middle
            else:
                high = middle
        return high

    def _offset_at(self, instant: int) -> int:
        at = EPOCH + timedelta(microseconds=instant)
        offset = at.astimezone(self.zone).utcoffset()
        assert offset is not None, "a zone of the tz database always has an offset"
        return offset // MICRO


def to_micros(at: datetime) -> int:
    """Microseconds since 1970 in UTC. Raises `OutOfRange`; a naive datetime is a ValueError."""
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    since = at - EPOCH
    instant = since.days * DAY + since.seconds * SECOND + since.microseconds
    if not FIRST <= instant < LAST:
        raise OutOfRange
    return instant


def from_micros(instant: int) -> datetime:
    """The datetime in UTC. Raises `OutOfRange`."""
    if not FIRST <= instant < LAST:
        raise OutOfRange
    return EPOCH + timedelta(microseconds=instant)
