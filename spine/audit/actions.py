"""What may be done to the trail itself: archive a month, erase a person. Whoever calls has asked
the policy; each leaves an entry."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection
from django.utils.translation import gettext as _

from spine.audit.models import Archive, EntryPersonal
from spine.audit.operations import operation
from spine.audit.partitions import detach, partitions, unsealed_in
from spine.audit.sealing import seal_pending
from spine.audit.verification import ERASED_VERB
from spine.kit.clock import now
from spine.kit.errors import Conflict, DomainError


def archive(*, actor: AbstractBaseUser, before: date) -> list[Archive]:
    """Detaches every month that ends at or before the month of `before` begins.

    The tables stay in the database until somebody dumps and drops them; the seals go on proving
    what they held.
    """
    bound = datetime(before.year, before.month, 1, tzinfo=UTC)
    if bound > now():
        raise DomainError("in_future", _("Only past months can be archived."), "before")
    seal_pending()
    done = []
    for partition in partitions():
        if partition.last > bound:
            continue
        with operation(actor, "audit.archive") as op:
            if unsealed_in(partition.table):
                raise Conflict(
                    "not_sealed",
                    _("%(table)s holds entries that are not sealed yet; try again in a minute.")
                    % {"table": partition.table},
                )
            row = detach(partition)
            op.record(
                target=row, verb="audit.archived", data={"table": row.table, "count": row.count}
            )
            done.append(row)
    return done


def erase_personal(
    *, actor: AbstractBaseUser, person: AbstractBaseUser, as_actor: bool = False
) -> dict[str, int]:
    """Removes a person's values from the trail; the seals still hold.

    as_actor: their name as the one who acted goes, too (their id stays). Returns how many
    {"values", "names"} went.
    """
    names = 0
    with operation(actor, "audit.erase_personal") as op:
        values, _each = EntryPersonal.objects.filter(subject=str(person.pk)).delete()
        if as_actor:
            names = _erase_names(int(person.pk))
        counts = {"values": values, "names": names}
        op.record(target=person, verb=ERASED_VERB, data=counts)
    return counts


def _erase_names(person_id: int) -> int:
    existing = set(connection.introspection.table_names())
    archived = list(Archive.objects.values_list("table", flat=True))
    erased = 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('evenkeel.erasure', 'on', true)")
        for name in ("audit_entry", *(table for table in archived if table in existing)):
            cursor.execute(
                f"UPDATE {connection.ops.quote_name(name)} "  # noqa: S608 - quoted
                "SET actor_label = '', actor_salt = NULL "
                "WHERE actor_id = %s AND actor_salt IS NOT NULL",
                [person_id],
            )
            erased += cursor.rowcount
        cursor.execute("SELECT set_config('evenkeel.erasure', '', true)")
    return erased
