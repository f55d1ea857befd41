"""Whether a right that is held in an organization reaches into a ticket's queue.

Seeing is more than working: one's own ticket stays visible in a restricted queue one is not in, but
there one is its caller, opener or watcher and nothing more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from spine.people.reach import reach_of
from spine.people.roles import Right

if TYPE_CHECKING:
    from spine.people.models import User
    from spine.tickets.models import Ticket


def works_in(user: User, right: Right, ticket: Ticket) -> bool:
    """Whether the person holds the right over this ticket: in its organization, and in its queue
    where that is restricted."""
    reach = reach_of(user)
    if not reach.has(right, ticket.organization_id):
        return False
    return ticket.assignment_group_id is None or (
        ticket.assignment_group_id not in reach.closed_team_ids
    )


def works_filter(user: User, right: Right) -> Q | None:
    """The same of many tickets, in SQL; an empty Q is all of them, None none."""
    reach = reach_of(user)
    organizations = reach.organizations(right)
    if organizations is not None and not organizations:
        return None
    scope = Q() if organizations is None else Q(organization_id__in=sorted(organizations))
    if reach.closed_team_ids:
        closed = sorted(reach.closed_team_ids)
        scope &= Q(assignment_group__isnull=True) | ~Q(assignment_group_id__in=closed)
    return scope
