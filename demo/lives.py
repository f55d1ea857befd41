"""One incident's life, told forward from its opening and cut off at the present moment.

Everything that a life leaves behind - record, comments, audit entries, clocks with their pauses
and stages - comes out of the same sequence of steps, so that they agree with each other.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from demo.catalog import Categories
from demo.content import AGENT, CALLER, HOLD, NOTE, Story, company
from demo.people import Staff
from demo.words import fill, later_words
from incidents.models import Incident, State
from spine.people.models import Team, User
from spine.services.models import Service
from spine.sla.arithmetic import Clock
from spine.sla.calendar import WorkCalendar
from spine.sla.querysets import Configuration, PolicyTerms
from spine.tickets import clocks
from spine.tickets.changes import plain
from spine.tickets.models import HoldReason, TicketClock
from spine.tickets.priority import matrix

SECOND = timedelta(seconds=1)
CHANNELS = {"portal": 45, "email": 25, "phone": 20, "chat": 7, "walk_in": 3}
CLOSE_AFTER_WORKDAYS = 5
WORKDAY = 8 * 3600
LONG_HOLDS = (HoldReason.VENDOR, HoldReason.CHANGE, HoldReason.PROBLEM, HoldReason.EVIDENCE)


class _TheFutureError(Exception):
    """The next step would lie after the present."""


@dataclass(slots=True)
class Entry:
    at: datetime
    actor: User
    verb: str
    changes: dict[str, list[Any]]
    data: dict[str, Any]
    source: str


@dataclass(slots=True)
class Said:
    at: datetime
    author: User
    body: str
    note: bool
    uuid: uuid.UUID
    channel: str


@dataclass(slots=True)
class Life:
    """What is to be stored of one incident. pauses: (start, end or None, reason)."""

    incident: Incident
    comments: list[Said] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    pauses: list[tuple[datetime, datetime | None, str]] = field(default_factory=list)
    timers: list[tuple[TicketClock, Clock]] = field(default_factory=list)
    answered_at: datetime | None = None


@dataclass(slots=True)
class Wish:
    """How a life shall go, where chance is not to decide. Shares are of the target."""

    caller: User | None = None
    assignee: User | None = None
    team: Team | None = None
    response: float | None = None
    resolution: float | None = None
    calm: bool = False  # no reopening, no cancelling, no handing around
    hold: str = ""
    silent: bool = False  # nobody confirms: it waits to close by itself
    impact: int | None = None
    urgency: int | None = None


class Teller:
    """Tells lives; the same seed tells the same ones."""

    def __init__(
        self,
        dice: random.Random,
        moment: datetime,
        staff: Staff,
        services: dict[str, Service],
        categories: Categories,
        settings: Configuration,
        system: User,
    ) -> None:
        self.dice, self.moment, self.staff = dice, moment, staff
        self.services, self.categories = services, categories
        self.settings, self.system = settings, system

    def tell(self, story: Story, opened_at: datetime, wish: Wish | None = None) -> Life:
        wish = wish or Wish()
        life = Life(self._incident(story, opened_at, wish))
        policy = self.settings.policy_for("incident", life.incident)
        assert policy is not None, "the default policies cover every incident"
        with suppress(_TheFutureError):
            self._go(life, story, policy, wish)
        self._time(life, policy)
        return life

    def _incident(self, story: Story, opened_at: datetime, wish: Wish) -> Incident:
        dice = self.dice
        caller = wish.caller or dice.choice(self.staff.callers[story.language])
        site = self.staff.sites[caller.pk]
        channel = dice.choices(list(CHANNELS), list(CHANNELS.values()))[0]
        if wish.caller is not None:
            channel = "portal"
        words = fill(story, company()["sites"][site], site, opened_at)
        impact = wish.impact or _shifted(dice, story.impact)
        urgency = wish.urgency or _shifted(dice, story.urgency)
        by_phone = channel in {"phone", "walk_in"}
        desk = self.staff.members["Service desk"]
        incident = Incident(
            uuid=uuid.UUID(int=dice.getrandbits(128), version=4),
            kind="incident",
            title=words(story.title)[:255],
            description=words(story.description),
            state=State.NEW,
            impact=impact,
            urgency=urgency,
            priority=matrix()[impact, urgency],
            caller=caller,
            opened_by=dice.choice(desk) if by_phone else caller,
            organization=caller.organization,
            service=self.services[story.service],
            category=self.categories[story.category, ""],
            subcategory=self.categories[story.category, story.subcategory],
            channel=channel,
            opened_at=opened_at,
            updated_at=opened_at,
        )
        incident.custom = {}
        return incident

    # --- the steps ------------------------------------------------------------------------------

    def _go(self, life: Life, story: Story, policy: PolicyTerms, wish: Wish) -> None:
        dice, incident = self.dice, life.incident
        calendar = self.settings.calendar(policy.calendar_id)
        words = fill(story, company()["sites"][self._site(incident)], self._site(incident),
                     incident.opened_at)  # fmt: skip
        target = self._team_of(story, incident, wish)
        first = self.staff.teams["Service desk"] if dice.random() < 0.5 else target
        if wish.calm:
            first = target
        incident.assignment_group = first
        self._record(life, incident.opened_at, incident.opened_by, "created", {},
                     {"title": incident.title, "channel": incident.channel, "files": 0},
                     "portal" if incident.channel == "portal" else "web")  # fmt: skip
        given = policy.target(clocks.RESPONSE, incident.priority)
        wait = int((given.seconds if given else 7200) * _share(dice, wish.response, 0.22))
        at = calendar.add(incident.opened_at, wait)
        if not wish.calm and dice.random() < 0.025:
            self._cancel(life, incident.opened_at + timedelta(minutes=dice.uniform(4, 90)))
            return
        if first != target:
            desk = dice.choice(self.staff.members["Service desk"])
            triaged = calendar.add(incident.opened_at, int(wait * 0.6))
            self._change(life, triaged, desk, "updated", {"assignment_group": target})
        agent = wish.assignee or dice.choice(self.staff.members[target.name])
        self._move(life, at, agent, "started", State.IN_PROGRESS, "start", {"assignee": agent})
        life.answered_at = at
        at, agent = self._work(life, story, policy, calendar, at, agent, words, wish)
        self._end(life, story, calendar, at, agent, words, wish)

    def _work(
        self, life: Life, story: Story, policy: PolicyTerms, calendar: WorkCalendar,
        at: datetime, agent: User, words: Any, wish: Wish,
    ) -> tuple[datetime, User]:  # fmt: skip
        """Replies, notes, waiting. Returns when and by whom it is resolved."""
        dice, incident = self.dice, life.incident
        given = policy.target(clocks.RESOLUTION, incident.priority)
        whole = int((given.seconds if given else WORKDAY) * _share(dice, wish.resolution, 0.2))
        used = int(calendar.business_seconds(incident.opened_at, at))
        step = max(60, (whole - used) // (len(story.steps) + 1))
        for place, (kind, text) in enumerate(story.steps):
            at = calendar.add(at, int(step * dice.uniform(0.6, 1.4)))
            following = story.steps[place + 1][0] if place + 1 < len(story.steps) else ""
            if kind == HOLD:
                at = self._hold(life, calendar, at, agent, f"awaiting_{text}")
            elif kind == CALLER:
                self._say(life, at, incident.caller, words(text), note=False)
            else:
                self._say(life, at, agent, words(text), note=kind == NOTE)
                asks = kind == AGENT and following == CALLER and ("?" in text or "？" in text)
                if asks and dice.random() < 0.45:
                    at = self._hold(life, calendar, at + SECOND, agent, HoldReason.CALLER)
            if not wish.calm and dice.random() < 0.02:
                agent = self._hand_over(life, calendar, at, agent)
        if not wish.calm and dice.random() < 0.09:
            reason = dice.choice(LONG_HOLDS)
            at = self._hold(life, calendar, at + SECOND, agent, reason, dice.uniform(1, 9))
        if wish.hold:
            at = calendar.add(at, step)
            at = self._hold(life, calendar, at, agent, wish.hold, days=30)
        return calendar.add(at, step), agent

    def _hold(
        self, life: Life, calendar: WorkCalendar, at: datetime, agent: User, reason: str,
        days: float = 0,
    ) -> datetime:  # fmt: skip
        values: dict[str, Any] = {"hold_reason": reason}
        if reason != HoldReason.CALLER:
            values["follow_up_at"] = calendar.next_open(
                at + timedelta(days=days or self.dice.uniform(1, 4))
            )
        self._move(life, at, agent, "held", State.ON_HOLD, "hold", values)
        away = timedelta(days=days) if days else timedelta(hours=self.dice.lognormvariate(1.6, 0.9))
        back = calendar.next_open(at + away)
        life.pauses.append((at, None, reason))
        waited_for = life.incident.caller if reason == HoldReason.CALLER else agent
        self._move(life, back, waited_for, "resumed", State.IN_PROGRESS, "resume",
                   {"hold_reason": "", "follow_up_at": None})  # fmt: skip
        life.pauses[-1] = (at, back, reason)
        return back

    def _hand_over(self, life: Life, calendar: WorkCalendar, at: datetime, agent: User) -> User:
        group = life.incident.assignment_group
        assert group is not None
        others = [user for user in self.staff.members[group.name] if user != agent]
        other = self.dice.choice(others)
        self._change(life, at + SECOND, agent, "updated", {"assignee": other})
        life.incident.reassignment_count += 1
        return other

    def _end(
        self, life: Life, story: Story, calendar: WorkCalendar, at: datetime, agent: User,
        words: Any, wish: Wish,
    ) -> None:  # fmt: skip
        dice, incident = self.dice, life.incident
        self._resolve(life, story, at, agent, words(story.solution))
        if not wish.calm and dice.random() < 0.045:
            again, sorry, done = later_words(dice, story.language)
            back = calendar.next_open(at + timedelta(hours=dice.uniform(3, 40)))
            self._say(life, back, incident.caller, again, note=False)
            incident.reopen_count += 1
            self._move(life, back, incident.caller, "reopened", State.IN_PROGRESS, "reopen",
                       {"resolved_at": None})  # fmt: skip
            life.pauses[-1] = (at, back, clocks.RESOLVED)
            at = calendar.add(back, int(dice.uniform(600, 7200)))
            self._say(life, at, agent, sorry, note=False)
            at = calendar.add(at, int(dice.uniform(1800, 10_800)))
            self._resolve(life, story, at, agent, done)
        if not wish.silent and dice.random() < 0.38:
            when = at + timedelta(hours=dice.lognormvariate(1.2, 1.1))
            self._move(life, when, incident.caller, "confirmed", State.CLOSED, "confirm",
                       {"closed_at": when, "confirmed_at": when})  # fmt: skip
        else:
            when = calendar.add(at, CLOSE_AFTER_WORKDAYS * WORKDAY) + timedelta(seconds=40)
            if calendar.always_open:
                when = at + timedelta(days=7)
            self._move(life, when, self.system, "closed", State.CLOSED, "close",
                       {"closed_at": when}, source="task")  # fmt: skip

    def _resolve(self, life: Life, story: Story, at: datetime, agent: User, notes: str) -> None:
        self._move(life, at, agent, "resolved", State.RESOLVED, "resolve", {
            "close_code": story.close_code, "close_notes": notes, "resolved_at": at,
            "resolved_by": agent,
        })  # fmt: skip
        life.pauses.append((at, None, clocks.RESOLVED))

    def _cancel(self, life: Life, at: datetime) -> None:
        reason = "解决了，不用处理。" if life.incident.caller.language == "zh-hans" else (
            "It works again, no need to look.")  # fmt: skip
        self._move(life, at, life.incident.caller, "canceled", State.CANCELED, "cancel",
                   {"closed_at": at, "close_notes": reason})  # fmt: skip

    # --- what each step writes ------------------------------------------------------------------

    def _say(self, life: Life, at: datetime, author: User, body: str, *, note: bool) -> None:
        self._present(at)
        said = Said(at, author, body, note, uuid.UUID(int=self.dice.getrandbits(128), version=4),
                    "portal" if author == life.incident.caller else "web")  # fmt: skip
        life.comments.append(said)
        life.incident.updated_at = at
        visibility = "note" if note else "public"
        data = {"comment": str(said.uuid), "visibility": visibility, "automatic": False, "files": 0}
        self._record(life, at, author, "commented", {}, data, "web")

    def _move(
        self, life: Life, at: datetime, actor: User, past: str, state: str, move: str,
        values: dict[str, Any], source: str = "web",
    ) -> None:  # fmt: skip
        self._present(at)
        values = {"state": state, **values}
        life.incident.active = state not in {State.CLOSED, State.CANCELED}
        self._change(life, at, actor, past, values, {"move": move}, source)

    def _change(
        self, life: Life, at: datetime, actor: User, past: str, values: dict[str, Any],
        data: dict[str, Any] | None = None, source: str = "web",
    ) -> None:  # fmt: skip
        self._present(at)
        incident, changes = life.incident, {}
        for name, new in values.items():
            old = getattr(incident, name)
            if old != new:
                changes[name] = [plain(old), plain(new)]
                setattr(incident, name, new)
        if "assignment_group" in changes:
            incident.reassignment_count += 1
        incident.updated_at = at
        incident.version += 1
        self._record(life, at, actor, past, changes, data or {}, source)

    def _record(
        self, life: Life, at: datetime, actor: User, past: str, changes: dict[str, list[Any]],
        data: dict[str, Any], source: str,
    ) -> None:  # fmt: skip
        self._present(at)
        life.entries.append(Entry(at, actor, f"incident.{past}", changes, data, source))

    def _present(self, at: datetime) -> None:
        if at > self.moment:
            raise _TheFutureError

    # --- clocks ---------------------------------------------------------------------------------

    def _time(self, life: Life, policy: PolicyTerms) -> None:
        """Both clocks as the engine would have left them by now."""
        incident = life.incident
        calendar = self.settings.calendar(policy.calendar_id)
        counted = policy.pause_reasons | {clocks.RESOLVED}
        pauses = [(start, end) for start, end, reason in life.pauses if reason in counted]
        for metric in (clocks.RESPONSE, clocks.RESOLUTION):
            terms = policy.target(metric, incident.priority)
            if terms is None:
                continue
            response = metric == clocks.RESPONSE
            stopped = life.answered_at if response else None
            if not response and incident.state == State.CLOSED:
                stopped = incident.resolved_at
            facts = Clock(calendar, incident.opened_at, terms.seconds,
                          () if response else pauses, stopped)  # fmt: skip
            clock = TicketClock(
                uuid=uuid.UUID(int=self.dice.getrandbits(128), version=4),
                metric=metric, policy_id=policy.id, target_seconds=terms.seconds,
                started_at=incident.opened_at, stopped_at=stopped, stages=list(terms.stages),
                breached_at=facts.breached_at(self.moment),
            )  # fmt: skip
            clocks.settle(clock, facts, [stage.percent for stage in self.reached(clock, facts)])
            if incident.state == State.CANCELED and stopped is None:
                clock.canceled_at = incident.closed_at
                clock.due_at = clock.wake_at = clock.breached_at = None
            elif response:
                incident.response_breached = clock.breached_at is not None
            else:
                incident.breached = clock.breached_at is not None
                incident.due_at = clock.due_at if stopped is None else None
            life.timers.append((clock, facts))

    def reached(self, clock: TicketClock, facts: Clock) -> list[Any]:
        if clock.canceled_at is not None:
            return []
        return [
            stage
            for stage in facts.stages(clock.stages)
            if stage.at is not None and stage.at <= self.moment
        ]

    def _team_of(self, story: Story, incident: Incident, wish: Wish) -> Team:
        if wish.team is not None:
            return wish.team
        given = company()["services"][story.service]
        name = given["team"]
        if story.language == "zh-hans":
            name = given.get("team_zh", name)
        if story.service == "stores" and self.dice.random() < 0.25 and incident.impact == 2:
            name = "Fabrikon field service"
        return self.staff.teams[name]

    def _site(self, incident: Incident) -> str:
        return self.staff.sites[incident.caller_id]


def _shifted(dice: random.Random, level: int) -> int:
    """Mostly as the story says, now and then one step calmer."""
    return min(3, level + 1) if dice.random() < 0.08 else level


def _share(dice: random.Random, wished: float | None, median: float) -> float:
    if wished is not None:
        return wished
    return min(4.0, median * dice.lognormvariate(0, 0.95))


def in_order(lives: Iterable[Life]) -> list[Life]:
    return sorted(lives, key=lambda life: life.incident.opened_at)
