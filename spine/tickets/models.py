"""The record every practice shares, with its links, clocks and imported history.

A column enters Ticket only if every kind gives it the same meaning and a cross-kind reader needs
it. Queues, "my work" and lists read Ticket columns alone.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from spine.people.models import Organization, Team, translated
from spine.services.models import Service
from spine.sla.models import Policy
from spine.threads.models import Thread
from spine.tickets.querysets import CategoryQuerySet, ClockQuerySet, TicketQuerySet


class Impact(models.IntegerChoices):
    HIGH = 1, _("High")
    MEDIUM = 2, _("Medium")
    LOW = 3, _("Low")


class Urgency(models.IntegerChoices):
    HIGH = 1, _("High")
    MEDIUM = 2, _("Medium")
    LOW = 3, _("Low")


class Priority(models.IntegerChoices):
    CRITICAL = 1, _("Critical")
    HIGH = 2, _("High")
    MODERATE = 3, _("Moderate")
    LOW = 4, _("Low")
    PLANNING = 5, _("Planning")


class Channel(models.TextChoices):
    PORTAL = "portal", _("Portal")
    EMAIL = "email", _("E-mail")
    PHONE = "phone", _("Phone")
    CHAT = "chat", _("Chat")
    WALK_IN = "walk_in", _("Walk-in")
    API = "api", _("API")
    MONITORING = "monitoring", _("Monitoring")


class HoldReason(models.TextChoices):
    CALLER = "awaiting_caller", _("Awaiting caller")
    CHANGE = "awaiting_change", _("Awaiting change")
    PROBLEM = "awaiting_problem", _("Awaiting problem")
    VENDOR = "awaiting_vendor", _("Awaiting vendor")
    EVIDENCE = "awaiting_evidence", _("Awaiting evidence")


class Category(models.Model):
    """A category or, with a parent, a subcategory, for one kind of ticket."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=16)
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children"
    )
    name = models.CharField(max_length=200)
    translations = models.JSONField(default=dict, blank=True)
    sort_key = models.CharField(max_length=400, blank=True, editable=False)
    active = models.BooleanField(default=True)

    objects = CategoryQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["sort_key", "name", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "parent", "name"], name="category_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return translated(self.name, self.translations)


class PriorityRule(models.Model):
    """A cell of the priority matrix: impact x urgency -> priority."""

    impact = models.PositiveSmallIntegerField(choices=Impact.choices)
    urgency = models.PositiveSmallIntegerField(choices=Urgency.choices)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["impact", "urgency"], name="priority_rule_once"),
            models.CheckConstraint(
                condition=Q(impact__range=(1, 3), urgency__range=(1, 3), priority__range=(1, 5)),
                name="priority_rule_in_range",
            ),
        ]


class Ticket(models.Model):
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    number = models.CharField(max_length=20, unique=True)
    kind = models.CharField(max_length=16)
    title = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    state = models.CharField(max_length=24)
    active = models.BooleanField(default=True)
    impact = models.PositiveSmallIntegerField(choices=Impact.choices, default=Impact.LOW)
    urgency = models.PositiveSmallIntegerField(choices=Urgency.choices, default=Urgency.LOW)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices)
    # Set where the priority was overridden; then the matrix does not decide any more.
    priority_reason = models.CharField(max_length=300, blank=True)
    caller = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    assignment_group = models.ForeignKey(
        Team, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    service = models.ForeignKey(
        Service, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    category = models.ForeignKey(
        Category, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    subcategory = models.ForeignKey(
        Category, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    channel = models.CharField(max_length=16, choices=Channel.choices)
    hold_reason = models.CharField(max_length=24, blank=True, choices=HoldReason.choices)
    follow_up_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()
    # The resolution clock's due time, None while paused: what queues sort by.
    due_at = models.DateTimeField(null=True, blank=True)
    response_breached = models.BooleanField(default=False)
    breached = models.BooleanField(default=False)
    reassignment_count = models.PositiveIntegerField(default=0)
    reopen_count = models.PositiveIntegerField(default=0)
    # Moves with the record's own fields, not with comments, links or clocks.
    version = models.PositiveIntegerField(default=1)
    custom = models.JSONField(default=dict, blank=True)
    thread = models.OneToOneField(
        Thread, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    external_source = models.CharField(max_length=64, blank=True)
    external_id = models.CharField(max_length=200, blank=True)

    objects = TicketQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(F("kind"), F("opened_at").desc(), F("id").desc(), name="ticket_opened"),
            models.Index(F("kind"), F("updated_at").desc(), F("id").desc(), name="ticket_updated"),
            models.Index(
                fields=["kind", "priority", "opened_at", "id"],
                condition=Q(active=True),
                name="ticket_open_priority",
            ),
            models.Index(
                fields=["kind", "due_at", "id"], condition=Q(active=True), name="ticket_open_due"
            ),
            models.Index(
                fields=["assignment_group", "kind", "due_at", "id"],
                condition=Q(active=True),
                name="ticket_open_group",
            ),
            models.Index(
                fields=["assignee", "kind", "due_at", "id"],
                condition=Q(active=True),
                name="ticket_open_assignee",
            ),
            models.Index(
                F("assignment_group"),
                F("kind"),
                F("opened_at").desc(),
                F("id").desc(),
                name="ticket_group_opened",
            ),
            models.Index(
                F("assignee"),
                F("kind"),
                F("opened_at").desc(),
                F("id").desc(),
                condition=Q(assignee__isnull=False),
                name="ticket_assignee_opened",
            ),
            models.Index(
                F("caller"), F("opened_at").desc(), F("id").desc(), name="ticket_caller_opened"
            ),
            models.Index(
                F("opened_by"), F("opened_at").desc(), F("id").desc(), name="ticket_opener_opened"
            ),
            models.Index(
                F("organization"),
                F("kind"),
                F("opened_at").desc(),
                F("id").desc(),
                name="ticket_org_opened",
            ),
            models.Index(
                F("service"),
                F("kind"),
                F("opened_at").desc(),
                F("id").desc(),
                name="ticket_service_opened",
            ),
            models.Index(
                F("category"),
                F("kind"),
                F("opened_at").desc(),
                F("id").desc(),
                name="ticket_category_opened",
            ),
            # Also what counts the open ones of a state without reading their rows.
            models.Index(
                F("kind"),
                F("state"),
                F("updated_at").desc(),
                F("id").desc(),
                condition=Q(active=True),
                name="ticket_open_state",
            ),
            models.Index(
                fields=["follow_up_at"],
                condition=Q(follow_up_at__isnull=False, active=True),
                name="ticket_follow_up",
            ),
            models.Index(
                fields=["resolved_at"],
                condition=Q(state="resolved"),
                name="ticket_awaiting_close",
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["external_source", "external_id"],
                condition=~Q(external_id=""),
                name="ticket_external_once",
            ),
            models.CheckConstraint(
                condition=Q(impact__range=(1, 3), urgency__range=(1, 3), priority__range=(1, 5)),
                name="ticket_priority_in_range",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.title}"

    def audit_target(self) -> tuple[str, str, str]:
        return "tickets.ticket", str(self.pk), self.number


class TicketClock(models.Model):
    """A running, paused or stopped SLA clock of a ticket (response or resolution).

    `wake_at` is when the next stage falls due, None while paused or stopped: the sweep's only
    index. `due_at` is None while paused. Seconds are calendar (business) seconds.
    """

    class Metric(models.TextChoices):
        RESPONSE = "response", _("Respond")
        RESOLUTION = "resolution", _("Resolve")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="clocks")
    metric = models.CharField(max_length=12, choices=Metric.choices)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="+", db_index=False)
    target_seconds = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    breached_at = models.DateTimeField(null=True, blank=True)
    stages = models.JSONField(default=list)  # percentages still to come, ascending
    wake_at = models.DateTimeField(null=True, blank=True)
    # Withdrawn: no policy covers the ticket any more (its priority changed, it was canceled).
    canceled_at = models.DateTimeField(null=True, blank=True)

    objects = ClockQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ticket", "metric"], name="clock_once_per_metric")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["wake_at", "id"], condition=Q(wake_at__isnull=False), name="clock_wake"
            )
        ]


class ClockPause(models.Model):
    """A span in which the clock stood still; open while `ended_at` is None."""

    clock = models.ForeignKey(TicketClock, on_delete=models.CASCADE, related_name="pauses")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=24)

    class Meta:
        ordering: ClassVar = ["started_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["clock"], condition=Q(ended_at__isnull=True), name="clock_one_open_pause"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("started_at")),
                name="clock_pause_ends_after_start",
            ),
        ]


class ClockStage(models.Model):
    """A stage that was reached: recorded exactly once, with the instant it fell due."""

    clock = models.ForeignKey(TicketClock, on_delete=models.CASCADE, related_name="reached")
    percent = models.PositiveSmallIntegerField()
    # The target the percentage was taken of: a re-targeted clock may reach 75% a second time.
    target_seconds = models.PositiveIntegerField()
    due_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["due_at", "percent", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["clock", "percent", "target_seconds"], name="clock_stage_once"
            )
        ]


class LinkType(models.TextChoices):
    CAUSED_BY = "caused_by", _("Caused by")
    RESOLVED_BY = "resolved_by", _("Resolved by")
    DUPLICATE_OF = "duplicate_of", _("Duplicate of")
    RELATED = "related", _("Related to")
    CHILD_OF = "child_of", _("Child of")


class Link(models.Model):
    """`source` type `target`: "INC0010001 caused by CHG0010002"."""

    source = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="links_out")
    target = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="links_in")
    type = models.CharField(max_length=16, choices=LinkType.choices)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "type", "target"], name="link_once"),
            models.CheckConstraint(condition=~Q(source=F("target")), name="link_not_to_itself"),
        ]


class ExternalReference(models.Model):
    """A link to a record that is not here (yet): its number in another system.

    relation: `caused_by`, `problem`, `change`, `item`, or an administrator's own.
    """

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="references")
    relation = models.CharField(max_length=24)
    source = models.CharField(max_length=64)
    external_id = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["ticket", "relation", "source", "external_id"], name="reference_once"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["relation", "external_id"], name="reference_by_id")
        ]


class HistoryEvent(models.Model):
    """What another system recorded, imported as history and unjudged.

    `changes` has the shape of an audit entry's: {field: [old, new]}; `state_label` keeps the
    source's own word ("Awaiting User Info").
    """

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="history")
    position = models.PositiveIntegerField()
    at = models.DateTimeField()
    actor_label = models.CharField(max_length=200)
    verb = models.CharField(max_length=64)
    state_label = models.CharField(max_length=64, blank=True)
    changes = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ticket", "position"], name="history_position_once")
        ]


class ImportRun(models.Model):
    """One run of an importer: where it stands, so that it can go on after a stop."""

    class State(models.TextChoices):
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    source = models.CharField(max_length=64)
    file_name = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    position = models.BigIntegerField(default=0)  # rows of the file that are safely in
    created = models.BigIntegerField(default=0)
    updated = models.BigIntegerField(default=0)
    unchanged = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
