"""Tables of the kit's own tests: a parent, its child in multi-table inheritance, a natural key.

They belong to no installed app; `conftest.py` makes their tables once per test database.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models


class Owner(models.Model):
    uuid = models.UUIDField(default=uuid.uuid4, unique=True)
    username = models.CharField(max_length=50, unique=True)
    name = models.CharField(max_length=100)
    hidden = models.BooleanField(default=False)

    class Meta:
        app_label = "rest_sample"


class Base(models.Model):
    uuid = models.UUIDField(default=uuid.uuid4, unique=True)
    number = models.CharField(max_length=20, unique=True)
    title = models.CharField(max_length=200)
    impact = models.SmallIntegerField(default=3)
    owner = models.ForeignKey(Owner, null=True, blank=True, on_delete=models.SET_NULL)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    version = models.IntegerField(default=1)

    class Meta:
        app_label = "rest_sample"
        indexes: ClassVar = [
            models.Index(fields=["opened_at", "id"], name="sample_opened"),
            models.Index(fields=["impact", "-opened_at", "id"], name="sample_mixed"),
            models.Index(fields=["closed_at", "id"], name="sample_closed"),
        ]


class Child(Base):
    note = models.CharField(max_length=50, blank=True)

    class Meta:
        app_label = "rest_sample"
