"""Six months of incidents: the past as it was worked, and a present in which things fall due."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from demo.content import Story, company, stories
from demo.lives import Life, Teller, Wish, in_order
from incidents.models import Incident, State
from spine.audit.personal import name_digest
from spine.search import sources
from spine.search.indexing import document_rows, write_rows
from spine.threads.models import Comment, Thread
from spine.tickets import numbering
from spine.tickets.importing.copying import copy_rows, reserve_ids
from spine.tickets.importing.writing import copy_instances
from spine.tickets.models import ClockPause, ClockStage, HoldReason, Ticket, TicketClock

INCIDENTS = 4_000
DAYS = 182
# Share of a day's tickets by the hour, 7:00 to 20:00 where the caller is.
HOURS = (2, 6, 12, 13, 11, 6, 8, 12, 11, 9, 6, 2, 1, 1)
WEEKDAYS = (1.25, 1.08, 1.0, 0.98, 0.9, 0.07, 0.05)
# Nobody has taken these yet.
NEW_ONES = (
    "Badge reader", "会议邀请时间总差", "Wireless mouse", "New phone, no more",
    "扫描件发不到邮箱", "Till 2 in", "Contact form", "电脑无法连接打印机", "Yesterday's revenue",
)  # fmt: skip
SETTLED = frozenset({State.RESOLVED, State.CLOSED, State.CANCELED})
Progress = Callable[[int, int], None]


def past(teller: Teller, count: int, progress: Progress) -> list[Life]:
    """Opened over the last six months by working hours, up to a few minutes ago."""
    dice, lives = teller.dice, []
    weights = _weights()
    every = stories()
    for number, at in enumerate(_arrivals(dice, teller.moment, count)):
        story = dice.choices(every, weights)[0]
        opened = _local_hour(dice, story, at, teller.moment)
        life = teller.tell(story, opened)
        if life.incident.breached and life.incident.state not in SETTLED:
            # A desk with a hundred tickets over time would look like nobody works here.
            life = teller.tell(story, opened, Wish(response=0.2, resolution=0.4, calm=True))
        lives.append(life)
        if number % 200 == 0:
            progress(number, count)
    return lives


def present(teller: Teller) -> list[Life]:
    """What a shift finds this minute: some due within the hour, two just over, some waiting."""
    agent, lead = teller.staff.accounts["agent"], teller.staff.accounts["lead"]
    caller = teller.staff.accounts["caller"]
    teams = teller.staff.teams
    desk, platform = teams["Service desk"], teams["Platform"]
    one: dict[str, Any] = {"impact": 1, "urgency": 1}
    two: dict[str, Any] = {"impact": 1, "urgency": 2}
    open_long: dict[str, Any] = {"resolution": 60.0, "calm": True}
    fresh: dict[str, Any] = {"response": 60.0, "calm": True}
    told = [
        _due(teller, "Payments API", 24, 0.05,
             Wish(caller=caller, assignee=agent, team=teams["Payments"], **one, **open_long)),
        _due(teller, "财务系统登录后白屏", -12, 60.0, Wish(team=teams["ERP"], **two, **fresh)),
        _due(teller, "VPN drops", 130, 0.2,
             Wish(assignee=lead, team=teams["Network"], **two, **open_long)),
        _due(teller, "Order entry hangs", 48, 0.3, Wish(**two, **open_long)),
        _due(teller, "Single sign-on fails", 37, 0.1, Wish(**one, **open_long)),
        _due(teller, "交通卡充值成功", -31, 0.4, Wish(assignee=agent, team=teams["Payments"],
                                                  **two, **open_long)),
        _due(teller, "Backup of", 185, 0.2, Wish(assignee=lead, team=platform, **two, **open_long)),
        _ago(teller, "Label printer in Warehouse", 26, Wish(assignee=agent, team=desk,
             hold=HoldReason.VENDOR, response=0.05, resolution=0.05, calm=True)),
        _ago(teller, "Shared mailbox purchasing", 3, Wish(response=0.4, **open_long)),
        _ago(teller, "Meetings appear one hour early", 50, Wish(caller=caller, assignee=agent,
             team=desk, hold=HoldReason.CALLER, response=0.05, resolution=0.05, calm=True)),
        _ago(teller, "No access to the project folder", 30, Wish(caller=caller, response=0.1,
             resolution=0.02, calm=True, silent=True)),
        _ago(teller, "Wi-Fi slow near the kitchen", 70, Wish(assignee=lead, team=teams["Network"],
             hold=HoldReason.EVIDENCE, response=0.05, resolution=0.05, calm=True)),
        _ago(teller, "输入法不见了", 1,
             Wish(assignee=agent, team=desk, response=0.01, **open_long)),
    ]  # fmt: skip
    for place, title in enumerate(NEW_ONES):
        team = desk if place % 2 else None
        told.append(_ago(teller, title, 0.1 + place * 0.35, Wish(team=team, **fresh)))
    return told


def store(lives: Sequence[Life], teller: Teller, progress: Progress) -> int:
    """Everything into its tables, oldest first. Returns how many incidents."""
    lives = in_order(lives)
    ids = list(reserve_ids("tickets_ticket", len(lives)))
    numbers = numbering.next_numbers("INC", len(lives))
    with_words = [life for life in lives if life.comments]
    threads = list(reserve_ids("threads_thread", len(with_words)))
    begun = [(pk, life.comments[0].at) for pk, life in zip(threads, with_words, strict=True)]
    copy_rows("threads_thread", ("id", "created_at"), begun)
    for pk, life in zip(threads, with_words, strict=True):
        life.incident.thread = Thread(pk=pk)
    for pk, number, life in zip(ids, numbers, lives, strict=True):
        life.incident.pk = life.incident.id = pk
        life.incident.ticket_ptr_id = pk
        life.incident.number = number
    incidents = [life.incident for life in lives]
    copy_instances(Ticket, incidents)
    copy_instances(Incident, incidents)
    _store_comments(with_words)
    _store_entries(lives, teller.moment)
    _store_clocks(lives, teller)
    source = sources.find("incident")
    for start in range(0, len(incidents), 500):
        progress(start, len(incidents))
        if source is not None:
            write_rows(document_rows(source, incidents[start : start + 500]))
    return len(incidents)


def _store_comments(lives: Sequence[Life]) -> None:
    rows = (
        (
            said.uuid, life.incident.thread_id,
            Comment.Visibility.NOTE if said.note else Comment.Visibility.PUBLIC,
            said.author.pk, said.body, False, said.channel, said.at,
        )
        for life in lives
        for said in life.comments
    )  # fmt: skip
    columns = ("uuid", "thread_id", "visibility", "author_id", "body", "automatic", "channel",
               "created_at")  # fmt: skip
    copy_rows("threads_comment", columns, rows)


def _store_entries(lives: Sequence[Life], moment: datetime) -> None:
    """The trail with the times of then; each month has its partition first."""
    first = min(life.incident.opened_at for life in lives)
    for month in _months(first.date(), moment.date()):
        with connection.cursor() as cursor:
            cursor.execute("select audit_make_partition(%s)", [month])
    columns = (
        "at", "actor_id", "actor_label", "actor_salt", "actor_digest", "verb", "target_type",
        "target_id", "target_label", "changes", "data", "operation", "source",
    )  # fmt: skip
    entries = sorted(
        ((entry, life.incident) for life in lives for entry in life.entries),
        key=lambda pair: pair[0].at,
    )

    def rows() -> Iterator[tuple[object, ...]]:
        for entry, incident in entries:
            salt = uuid.uuid4()
            yield (
                entry.at, entry.actor.pk, entry.actor.name, salt,
                name_digest(salt, entry.actor.name), entry.verb, "tickets.ticket",
                str(incident.pk), incident.number, entry.changes, entry.data, uuid.uuid4(),
                entry.source,
            )  # fmt: skip

    copy_rows("audit_entry", columns, rows())


def _store_clocks(lives: Sequence[Life], teller: Teller) -> None:
    timers = [(life, clock, facts) for life in lives for clock, facts in life.timers]
    ids = reserve_ids("tickets_ticketclock", len(timers))
    for life, clock, _facts in timers:
        clock.pk = clock.id = next(ids)
        clock.ticket_id = life.incident.pk
    copy_instances(TicketClock, [clock for _life, clock, _facts in timers])
    pauses, stages = [], []
    for life, clock, facts in timers:
        if clock.metric == TicketClock.Metric.RESOLUTION:
            reasons = {start: reason for start, _end, reason in life.pauses}
            pauses += [(clock.pk, start, end, reasons[start]) for start, end in facts.pauses]
        stages += [
            (clock.pk, stage.percent, clock.target_seconds, stage.at,
             stage.at + timedelta(seconds=3))
            for stage in teller.reached(clock, facts)
        ]  # fmt: skip
    copy_rows(ClockPause._meta.db_table, ("clock_id", "started_at", "ended_at", "reason"), pauses)
    copy_rows(
        ClockStage._meta.db_table,
        ("clock_id", "percent", "target_seconds", "due_at", "recorded_at"),
        stages,
    )


def _due(teller: Teller, title: str, minutes: int, response: float, wish: Wish) -> Life:
    """Opened so that its time runs out in so many minutes (round the clock, so exactly)."""
    story = _story(title)
    wish.response = response
    probe = teller.tell(story, teller.moment, wish)
    target = next(c for c, _f in probe.timers if c.metric == TicketClock.Metric.RESOLUTION)
    opened = teller.moment + timedelta(minutes=minutes, seconds=30 - target.target_seconds)
    return teller.tell(story, opened, wish)


def _ago(teller: Teller, title: str, hours: float, wish: Wish) -> Life:
    return teller.tell(_story(title), teller.moment - timedelta(hours=hours), wish)


def _story(title: str) -> Story:
    return next(story for story in stories() if story.title.startswith(title))


def _weights() -> list[float]:
    """Each service has its share, divided among its stories; grave ones are rare."""
    every = stories()
    inside: dict[str, float] = {}
    for story in every:
        inside[story.service] = inside.get(story.service, 0) + _rarity(story)
    services = company()["services"]
    return [
        services[story.service]["weight"] * _rarity(story) / inside[story.service]
        for story in every
    ]


def _rarity(story: Story) -> float:
    return {2: 0.12, 3: 0.45, 4: 2.2, 5: 1.5}.get(story.impact + story.urgency, 0.6)


def _arrivals(dice: random.Random, moment: datetime, count: int) -> list[date]:
    days = [moment.date() - timedelta(days=back) for back in range(DAYS)]
    weights = [WEEKDAYS[day.weekday()] * dice.uniform(0.8, 1.25) for day in days]
    return sorted(dice.choices(days, weights, k=count))


def _local_hour(dice: random.Random, story: Story, day: date, moment: datetime) -> datetime:
    zone = ZoneInfo("Asia/Shanghai" if story.language == "zh-hans" else "Europe/Prague")
    for _try in range(20):
        hour = dice.choices(range(7, 7 + len(HOURS)), HOURS)[0]
        at = datetime(day.year, day.month, day.day, hour, dice.randrange(60), dice.randrange(60),
                      tzinfo=zone)  # fmt: skip
        if at < moment - timedelta(minutes=4):
            return at
        day -= timedelta(days=1 if _try % 5 == 4 else 0)
    return moment - timedelta(days=1)


def _months(first: date, last: date) -> Iterator[date]:
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = (month + timedelta(days=32)).replace(day=1)
