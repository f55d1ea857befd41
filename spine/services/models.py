"""Services: what tickets, SLA policies and risks point to."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from spine.people.models import Organization, Team, translated


class Service(models.Model):
    class Criticality(models.IntegerChoices):
        CRITICAL = 1, _("Business critical")
        IMPORTANT = 2, _("Important")
        NORMAL = 3, _("Normal")
        LOW = 4, _("Low")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200, unique=True)
    translations = models.JSONField(default=dict, blank=True)
    description = models.TextField(blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="owned_services",
    )
    team = models.ForeignKey(
        Team, on_delete=models.SET_NULL, null=True, blank=True, related_name="services"
    )
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="services"
    )
    tier = models.PositiveSmallIntegerField(default=3)
    criticality = models.PositiveSmallIntegerField(
        choices=Criticality.choices, default=Criticality.NORMAL
    )
    active = models.BooleanField(default=True)
    sort_key = models.CharField(max_length=400, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["sort_key", "name", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(criticality__gte=1, criticality__lte=4),
                name="service_criticality_1_to_4",
            ),
            models.CheckConstraint(
                condition=Q(tier__gte=1, tier__lte=5), name="service_tier_1_to_5"
            ),
        ]

    def __str__(self) -> str:
        return translated(self.name, self.translations)
