"""The writers of policies and their targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import F, Max
from django.utils.translation import gettext as _

from spine.kit.conditions import validate
from spine.kit.errors import Conflict, DomainError
from spine.outbox.operations import operation
from spine.people.models import User
from spine.people.policy import require
from spine.sla.actions.writing import (
    apply_changes,
    check_name,
    check_targets_are_reachable,
    check_version,
    clean_translations,
    lock_configuration,
)
from spine.sla.arithmetic import DEFAULT_STAGES
from spine.sla.models import (
    MAX_STAGE_PERCENT,
    MAX_STAGES,
    MAX_TARGET_SECONDS,
    Calendar,
    Policy,
    Target,
)
from spine.sla.subjects import subject_of

FIELDS = frozenset({"name", "translations", "conditions", "calendar", "pause_reasons", "active"})
MAX_TARGETS = 12


def create_policy(
    *,
    actor: User,
    name: str,
    ticket_kind: str,
    calendar: Calendar,
    targets: Sequence[Mapping[str, Any]],
    agreement: str = Policy.Agreement.SLA,
    conditions: Mapping[str, Any] | None = None,
    pause_reasons: Sequence[str] = (),
    position: int | None = None,
    translations: Mapping[str, str] | None = None,
    active: bool = True,
) -> Policy:
    """targets: {"metric": "response" or "resolution", "priority": 1..5 or None for all others,
    "seconds": working seconds, "stages": [50, 75, 100]}. position: where it is asked in turn, from
    1; later ones move down; None puts it last."""
    require(actor, "settings.write")
    with operation(actor, "sla_policy.create") as op:
        lock_configuration()
        if agreement not in Policy.Agreement.values:
            raise DomainError("bad_agreement", _("Give SLA, OLA or UC."), "agreement")
        subject_of(ticket_kind)
        policy = Policy(ticket_kind=ticket_kind, agreement=agreement, calendar=calendar)
        values = {
            "name": name,
            "translations": translations or {},
            "conditions": conditions or {},
            "calendar": calendar,
            "pause_reasons": pause_reasons,
            "active": active,
        }
        apply_changes(policy, _cleaned(policy, values))
        _check_calendar(policy)
        rows = _read_targets(targets)
        policy.position = _make_room(policy, position)
        policy.save()
        _replace_targets(policy, rows)
        check_targets_are_reachable(policy.calendar)
        op.record(
            target=policy,
            verb="sla_policy.created",
            data={"name": policy.name, "targets": [_shown(row) for row in rows]},
        )
    return policy


def update_policy(
    *,
    actor: User,
    policy: Policy,
    version: int | None = None,
    targets: Sequence[Mapping[str, Any]] | None = None,
    **values: Any,
) -> Policy:
    """Changes any of `FIELDS`, and with `targets` replaces all targets."""
    require(actor, "settings.write")
    unknown = sorted(set(values) - FIELDS)
    if unknown:
        raise DomainError("unknown_field", _("This field is not known."), unknown[0])
    with operation(actor, "sla_policy.update") as op:
        lock_configuration()
        row = Policy.objects.select_for_update().get(pk=policy.pk)
        check_version(row, version)
        changes = apply_changes(row, _cleaned(row, values))
        _check_calendar(row)
        if targets is not None:
            wanted = _read_targets(targets)
            before, after = sorted(map(_shown, row.targets.all())), sorted(map(_shown, wanted))
            if before != after:
                _replace_targets(row, wanted)
                changes["targets"] = [before, after]
        if changes:
            row.version += 1
            row.save()
            check_targets_are_reachable(row.calendar)
            op.record(target=row, verb="sla_policy.updated", changes=changes)
    return row


def order_policies(
    *, actor: User, ticket_kind: str, agreement: str, policies: Sequence[UUID]
) -> None:
    """Sets the order in which the policies of a kind are asked; names every one of them."""
    require(actor, "settings.write")
    with operation(actor, "sla_policy.order") as op:
        lock_configuration()
        rows = {
            row.uuid: row
            for row in Policy.objects.filter(ticket_kind=ticket_kind, agreement=agreement)
        }
        if len(policies) != len(rows) or set(policies) != rows.keys():
            message = _("Name each policy of this kind once.")
            raise DomainError("incomplete_order", message, "policies")
        for position, uuid in enumerate(policies, start=1):
            row = rows[uuid]
            if row.position != position:
                old, row.position = row.position, position
                row.version += 1
                row.save(update_fields=["position", "version", "updated_at"])
                changes = {"position": [old, position]}
                op.record(target=row, verb="sla_policy.updated", changes=changes)


def _make_room(policy: Policy, position: int | None) -> int:
    others = Policy.objects.filter(ticket_kind=policy.ticket_kind, agreement=policy.agreement)
    last: int = others.aggregate(last=Max("position"))["last"] or 0
    if position is None or position > last:
        return last + 1
    if type(position) is not int or position < 1:
        raise DomainError("bad_position", _("Positions begin at 1."), "position")
    if others.filter(position=position).exists():
        others.filter(position__gte=position).update(
            position=F("position") + 1, version=F("version") + 1
        )
    return position


def _cleaned(policy: Policy, values: Mapping[str, Any]) -> dict[str, Any]:
    cleaned = dict(values)
    subject = subject_of(policy.ticket_kind)
    if "name" in values:
        cleaned["name"] = check_name(Policy, values["name"], policy.pk)
    if "translations" in values:
        cleaned["translations"] = clean_translations(values["translations"])
    if "calendar" in values:
        cleaned["calendar"] = _stored(values["calendar"])
    if "conditions" in values:
        cleaned["conditions"] = validate(values["conditions"], subject.fields)
    if "pause_reasons" in values:
        reasons = list(values["pause_reasons"])
        unknown = [str(reason) for reason in reasons if reason not in subject.hold_reasons]
        if unknown:
            message = _("“%(reason)s” is not a hold reason.") % {"reason": unknown[0][:40]}
            raise DomainError("unknown_hold_reason", message, "pause_reasons")
        cleaned["pause_reasons"] = sorted(set(reasons))
    if "active" in values and not isinstance(values["active"], bool):
        raise DomainError("wrong_type", _("Give true or false."), "active")
    return cleaned


def _stored(calendar: object) -> Calendar:
    found = Calendar.objects.filter(pk=calendar.pk) if isinstance(calendar, Calendar) else []
    for row in found:
        return row
    raise DomainError("required", _("Choose a calendar."), "calendar")


def _check_calendar(policy: Policy) -> None:
    if policy.active and not policy.calendar.active:
        raise Conflict("inactive_calendar", _("This calendar is not in use."), "calendar")


def _read_targets(values: Sequence[Mapping[str, Any]]) -> list[Target]:
    if not 1 <= len(values) <= MAX_TARGETS:
        raise DomainError("required", _("Give at least one target."), "targets")
    rows = [_read_target(value) for value in values]
    if len({(row.metric, row.priority) for row in rows}) != len(rows):
        raise DomainError("repeated_target", _("A target is given twice."), "targets")
    return rows


def _read_target(value: Mapping[str, Any]) -> Target:
    unknown = sorted(set(value) - {"metric", "priority", "seconds", "stages"})
    if unknown:
        raise DomainError("unknown_field", _("This field is not known."), unknown[0])
    metric, priority, seconds = value.get("metric"), value.get("priority"), value.get("seconds")
    if metric not in Target.Metric.values:
        raise DomainError("bad_metric", _("A target is for response or resolution."), "metric")
    if priority is not None and (type(priority) is not int or not 1 <= priority <= 5):
        raise DomainError("bad_priority", _("A priority is a number from 1 to 5."), "priority")
    if type(seconds) is not int or not 1 <= seconds <= MAX_TARGET_SECONDS:
        message = _("A target lasts from 1 second to 10 years.")
        raise DomainError("bad_seconds", message, "seconds")
    stages = value.get("stages")
    stages = list(DEFAULT_STAGES) if stages is None else stages
    if (
        not isinstance(stages, list | tuple)
        or any(type(s) is not int or not 1 <= s <= MAX_STAGE_PERCENT for s in stages)
        or 100 not in stages
        or len(stages) > MAX_STAGES
    ):
        message = _("Stages are percentages from 1 to 1000 and include 100.")
        raise DomainError("bad_stages", message, "stages")
    return Target(metric=metric, priority=priority, seconds=seconds, stages=sorted(set(stages)))


def _replace_targets(policy: Policy, rows: Sequence[Target]) -> None:
    policy.targets.all().delete()
    for row in rows:
        row.policy = policy
    Target.objects.bulk_create(rows)


def _shown(target: Target) -> str:
    stages = "/".join(map(str, target.stages))
    return f"{target.metric} {target.priority or '*'}: {target.seconds} s at {stages}%"
