"""How far a person reaches: which right, in which organizations, in which teams.

Computed once per request (kept on the user object, which lives as long as the request) from the
running grants to the person and to their teams. Everybody is a caller in their own organization.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spine.kit.clock import now
from spine.people.querysets import reach_rows
from spine.people.roles import RIGHTS, Right, Role

if TYPE_CHECKING:
    from spine.people.models import User

_KEPT = "_reach"


@dataclass(frozen=True, slots=True)
class Reach:
    """`rights`: right -> organization ids, or None for all organizations."""

    user_id: int
    organization_id: int
    roles: frozenset[Role]
    rights: dict[Right, frozenset[int] | None]
    team_ids: frozenset[int]
    # Restricted queues opened to this person by a recorded grant.
    opened_team_ids: frozenset[int]
    # Restricted queues that stay closed to this person.
    closed_team_ids: frozenset[int]

    def has(self, right: Right, organization_id: int | None = None) -> bool:
        """Whether the right is held, in that organization where one is named."""
        if right not in self.rights:
            return False
        organizations = self.rights[right]
        return organizations is None or organization_id is None or organization_id in organizations

    def organizations(self, right: Right) -> frozenset[int] | None:
        """Ids in which the right is held; None means all, an empty set none."""
        return self.rights.get(right, frozenset())

    @property
    def is_staff(self) -> bool:
        return Right.DESK in self.rights


def reach_of(user: User) -> Reach:
    kept: Reach | None = user.__dict__.get(_KEPT)
    if kept is None:
        kept = _compute(user)
        user.__dict__[_KEPT] = kept
    return kept


def forget_reach(user: User) -> None:
    """After a grant changed within the life of this user object."""
    user.__dict__.pop(_KEPT, None)


def _compute(user: User) -> Reach:
    rights: dict[Right, frozenset[int] | None] = {}
    roles = {Role.CALLER}
    opened: set[int] = set()
    teams: set[int] = set()
    restricted: set[int] = set()
    if user.is_active and not user.is_system:
        for team_id, role, organization_id, restricted_team_id in reach_rows(user.pk, now()):
            if team_id is not None:
                teams.add(team_id)
                continue
            if role is None:
                restricted.add(restricted_team_id or 0)
                continue
            if restricted_team_id is not None:
                opened.add(restricted_team_id)
                continue
            roles.add(Role(role))
            # A partner never leaves its own organization, whatever the grant forgot to say.
            scope = (
                user.organization_id
                if role == Role.PARTNER and organization_id is None
                else organization_id
            )
            for right in RIGHTS[Role(role)]:
                _widen(rights, right, scope)
    if user.is_system:
        rights = dict.fromkeys(Right)
    return Reach(
        user_id=user.pk,
        organization_id=user.organization_id,
        roles=frozenset(roles),
        rights=rights,
        team_ids=frozenset(teams),
        opened_team_ids=frozenset(opened),
        closed_team_ids=frozenset(
            () if Right.RESTRICTED_READ in rights else restricted - teams - opened
        ),
    )


def _widen(rights: dict[Right, frozenset[int] | None], right: Right, scope: int | None) -> None:
    held = rights.get(right, frozenset())
    rights[right] = None if scope is None or held is None else held | {scope}
