"""Who works here and who calls: people, organizations, departments, teams, grants, tokens."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from spine.people.querysets import TokenQuerySet, UserManager
from spine.people.roles import Role


class Organization(models.Model):
    """A row scope: the company itself, a partner, a subsidiary."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    code = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    is_partner = models.BooleanField(default=False)
    active = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Department(models.Model):
    """A node of the organization chart. `path` is the ids from the root, so that a subtree is a
    prefix ("/1/7/" holds "/1/7/9/")."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="departments"
    )
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children"
    )
    name = models.CharField(max_length=200)
    path = models.CharField(max_length=500, editable=False, default="")
    # A vacant manager's post is normal; the chain then goes on with the department above.
    manager = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="managed_departments",
    )
    active = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["name", "id"]
        indexes: ClassVar = [
            models.Index(
                fields=["path"], name="department_path", opclasses=["varchar_pattern_ops"]
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "parent", "name"],
                name="department_name_once_per_parent",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=~Q(parent=F("id")), name="department_not_its_own_parent"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class User(AbstractBaseUser):
    """A person, or the platform itself (`is_system`).

    `search_text` holds the name in every way somebody types it (given and family order, pinyin,
    initials, user name, address); `sort_key` orders Chinese names by their pinyin.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    username = models.CharField(max_length=150, unique=True)
    email = models.EmailField(blank=True)
    name = models.CharField(max_length=200)
    sort_key = models.CharField(max_length=400, blank=True, editable=False)
    search_text = models.TextField(blank=True, editable=False)
    phone = models.CharField(max_length=50, blank=True)
    title = models.CharField(_("job title"), max_length=200, blank=True)
    location = models.CharField(max_length=200, blank=True)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="users")
    manager = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="reports"
    )
    departments: models.ManyToManyField[Department, Membership] = models.ManyToManyField(
        Department, through="Membership", related_name="members"
    )
    vip = models.BooleanField(default=False)
    language = models.CharField(max_length=10, blank=True, choices=settings.LANGUAGES)
    timezone = models.CharField(max_length=64, default="Asia/Shanghai")
    is_active = models.BooleanField(default=True)
    is_system = models.BooleanField(default=False)
    left_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    external_source = models.CharField(max_length=64, blank=True)
    external_id = models.CharField(max_length=200, blank=True)

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    objects = UserManager()

    class Meta:
        ordering: ClassVar = ["sort_key", "id"]
        indexes: ClassVar = [
            models.Index(fields=["sort_key", "id"], name="user_sort"),
            models.Index(Lower("email"), name="user_email_lower"),
            models.Index(fields=["organization", "is_active"], name="user_org_active"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["external_source", "external_id"],
                condition=~Q(external_id=""),
                name="user_external_once",
            ),
            models.CheckConstraint(
                condition=Q(manager__isnull=True) | ~Q(manager=F("id")),
                name="user_not_own_manager",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_full_name(self) -> str:
        return self.name

    def audit_target(self) -> tuple[str, str, str]:
        return "people.user", str(self.pk), self.username


class Membership(models.Model):
    """A person in a department; several are normal, one of them is the main one."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    department = models.ForeignKey(Department, on_delete=models.CASCADE, related_name="memberships")
    is_primary = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "department"], name="membership_once"),
            models.UniqueConstraint(
                fields=["user"], condition=Q(is_primary=True), name="membership_one_primary"
            ),
        ]


class Team(models.Model):
    """An assignment group. A restricted queue's tickets are seen by its members alone."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200, unique=True)
    description = models.TextField(blank=True)
    email = models.EmailField(blank=True)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="teams")
    lead = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="led_teams"
    )
    members: models.ManyToManyField[User, TeamMember] = models.ManyToManyField(
        User, through="TeamMember", related_name="teams"
    )
    restricted = models.BooleanField(default=False)
    active = models.BooleanField(default=True)
    sort_key = models.CharField(max_length=400, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["sort_key", "name", "id"]

    def __str__(self) -> str:
        return self.name


class TeamMember(models.Model):
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="team_members")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="team_members")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "user"], name="team_member_once")
        ]


class Grant(models.Model):
    """A role given to a person or a team, for an organization (or all) and a time (or for good).

    `restricted_team` opens one restricted queue to somebody outside it, on the record.
    """

    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="grants"
    )
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, null=True, blank=True, related_name="grants"
    )
    role = models.CharField(max_length=32, choices=Role.choices)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    restricted_team = models.ForeignKey(
        Team, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, team__isnull=True)
                | Q(user__isnull=True, team__isnull=False),
                name="grant_to_a_person_or_a_team",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True)
                | Q(starts_at__isnull=True)
                | Q(ends_at__gt=F("starts_at")),
                name="grant_ends_after_it_starts",
            ),
            models.UniqueConstraint(
                fields=["user", "team", "role", "organization", "restricted_team", "starts_at"],
                name="grant_once",
                nulls_distinct=False,
            ),
        ]

    def runs_at(self, moment: datetime) -> bool:
        return (self.starts_at is None or self.starts_at <= moment) and (
            self.ends_at is None or moment < self.ends_at
        )


class ApiToken(models.Model):
    """A key for programs. Only its digest is stored; the key itself is shown once."""

    class Scope(models.TextChoices):
        READ = "read", _("Read")
        WRITE = "write", _("Read and write")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=10, choices=Scope.choices, default=Scope.READ)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    # The first characters, so that a person can tell which key a list row is.
    hint = models.CharField(max_length=12, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = TokenQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]


class Skill(models.Model):
    name = models.CharField(max_length=100, unique=True)
    translations = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return translated(self.name, self.translations)


class UserSkill(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="skills")
    skill = models.ForeignKey(Skill, on_delete=models.CASCADE, related_name="holders")
    level = models.PositiveSmallIntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "skill"], name="user_skill_once"),
            models.CheckConstraint(
                condition=Q(level__gte=1, level__lte=5), name="user_skill_level_1_to_5"
            ),
        ]


def translated(name: str, translations: dict[str, Any]) -> str:
    """The name in the reader's language, else as typed. translations: {language code: name}."""
    return str(translations.get(get_language() or "en") or name)
