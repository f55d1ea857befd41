"""One piece of work: one transaction, one id, its entries written at the end of it.

    with operation(actor, "incident.resolve", source="web") as op:
        ...
        op.record(target=ticket, verb="incident.resolved", changes={"state": ["new", "resolved"]})

Rooms above the outbox use `spine.outbox.operations.operation`, which also writes deliveries.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, transaction

from spine.audit.encoding import to_json
from spine.audit.models import Source
from spine.audit.personal import conceal, name_digest
from spine.audit.targets import target_of
from spine.audit.writing import Recorded, write
from spine.kit.clock import now


class Observer(Protocol):
    """Called once with all that an operation wrote, inside its transaction."""

    def __call__(self, recorded: list[Recorded], operation: uuid.UUID, /) -> None: ...


_open: ContextVar[Operation | None] = ContextVar("audit_operation", default=None)
_source: ContextVar[str] = ContextVar("audit_source", default=Source.SHELL.value)
_NOT_OPEN = uuid.UUID(int=0)
# What the outside triggers look at: set (to the operation's id) for the transaction alone.
OPERATION_SETTING = "evenkeel.operation"
_SOURCES = frozenset(Source.values)
_OPEN = f"SELECT set_config('{OPERATION_SETTING}', %s, true)"
_CLOSE = f"SELECT set_config('{OPERATION_SETTING}', '', true)"


@contextmanager
def working_from(source: str) -> Iterator[None]:
    """Operations inside, opened without a `source`, come from this door ("api", "task", ...)."""
    token = _source.set(Source(source).value)
    try:
        yield
    finally:
        _source.reset(token)


class Operation:
    """Use through `operation(...)`.

    Opened first, it opens a transaction (a savepoint inside another one) and marks it, so that the
    outside triggers stay quiet. Opened inside another operation, it joins that one: same id, same
    transaction, entries written together at the end of the outermost. If it fails, its own entries
    are dropped; as with any `atomic` block, whoever wants to go on after that wraps it in
    `transaction.atomic()`.
    """

    observer: ClassVar[Observer | None] = None

    def __init__(
        self,
        actor: AbstractBaseUser,
        name: str,
        *,
        source: str | None = None,
        savepoint: bool = True,
        using: str = "default",
    ) -> None:
        """actor: who does it (system work: the system user). name: what is being done, for errors
        and logs. savepoint=False spares two queries inside a transaction that nobody goes on with
        after a failure."""
        if actor.pk is None:
            raise ValueError(f"{name}: the actor is not saved (anonymous?).")
        if source is not None and source not in _SOURCES:
            raise ValueError(f"{name}: unknown source {source!r}.")
        self.actor, self.name, self.using = actor, name, using
        self._asked_source, self._savepoint = source, savepoint
        self._label = str(actor)
        self._salt = uuid.uuid4()
        self._digest = name_digest(self._salt, self._label)
        self._closed = False
        self.id: uuid.UUID = _NOT_OPEN
        self.source = ""
        self._root: Operation = self
        self._buffer: list[Recorded] = []
        self._observers: dict[Observer, None] = {}

    def __enter__(self) -> Self:
        outer = _open.get()
        self._outer = outer if outer is not None and outer.using == self.using else None
        connection = connections[self.using]
        if self._outer is not None:
            root = self._root = self._outer._root
            self.id, self.source = root.id, self._asked_source or self._outer.source
            self._buffer = root._buffer
            self._atomic = transaction.atomic(using=self.using, savepoint=False)
        else:
            root = self._root = self
            self.id, self.source = _time_ordered_uuid(), self._asked_source or _source.get()
            self._inside = connection.in_atomic_block
            self._atomic = transaction.atomic(using=self.using, savepoint=self._savepoint)
        observer = type(self).observer
        if observer is not None:
            root._observers.setdefault(observer)
        self._start = len(self._buffer)
        self._atomic.__enter__()
        if root is self:
            try:
                with connection.cursor() as cursor:
                    cursor.execute(_OPEN, [str(self.id)])
            except BaseException as failure:
                self._atomic.__exit__(type(failure), failure, failure.__traceback__)
                raise
            self._depth = _savepoints(self.using)
        self._token = _open.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _open.reset(self._token)
        self._closed = True
        if kind is not None:
            del self._buffer[self._start :]
        elif self._root is self:
            try:
                self._write()
            except BaseException as failure:
                self._atomic.__exit__(type(failure), failure, failure.__traceback__)
                raise
        self._atomic.__exit__(kind, error, trace)

    def record(
        self,
        *,
        target: Any,
        verb: str,
        changes: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        personal: Iterable[str] = (),
        subject: AbstractBaseUser | None = None,
    ) -> None:
        """Adds an entry about `target` (a saved model instance).

        verb: "<kind>.<what happened>", past tense. changes: {field: [old, new]}; data: anything
        else; both JSON (dates, decimals, UUIDs are converted). personal: fields of either whose
        values are personal: sealed as digests and erasable; subject: the person they belong to
        (default: the target, if it is a person).
        """
        if self._closed:
            raise RuntimeError(f"{self.name}: record() after the operation has ended.")
        new_changes, new_data = dict(changes or {}), dict(data or {})
        kept = []
        if personal:
            fields = tuple(personal)
            kept = conceal("changes", new_changes, fields) + conceal("data", new_data, fields)
            if subject is None and isinstance(target, AbstractBaseUser):
                subject = target
        row = Recorded(
            at=now(), actor_id=self.actor.pk, actor_label=self._label, actor_salt=self._salt,
            actor_digest=self._digest, verb=verb, target=target_of(target),
            changes=to_json(new_changes), data=to_json(new_data), fields=sorted(new_changes),
            source=self.source, kept=kept,
            subject=str(subject.pk) if subject is not None else "",
        )  # fmt: skip
        if _savepoints(self.using) != self._root._depth:
            # If this savepoint rolls back, Django forgets the marker, and with it goes the entry.
            row.marker = _marker()
            transaction.on_commit(row.marker, using=self.using)
        self._buffer.append(row)

    def _write(self) -> None:
        connection = connections[self.using]
        rows = self._buffer
        if any(row.marker for row in rows):
            alive = {hook[1] for hook in connection.run_on_commit}
            rows = [row for row in rows if row.marker is None or row.marker in alive]
        # A transaction that was opened here ends here, and the setting with it.
        close = _CLOSE if self._inside else ""
        if rows:
            write(rows, self.id, f"{close};" if close else "", self.using)
            for observer in self._observers:
                observer(rows, self.id)
        elif close:
            with connection.cursor() as cursor:
                cursor.execute(close)


def operation(
    actor: AbstractBaseUser,
    name: str,
    *,
    source: str | None = None,
    savepoint: bool = True,
    using: str = "default",
) -> Operation:
    """An operation that writes entries only. See `Operation`."""
    return Operation(actor, name, source=source, savepoint=savepoint, using=using)


def current_operation() -> uuid.UUID | None:
    """The id of the operation that is open here, for logs."""
    found = _open.get()
    return found.id if found is not None else None


def _savepoints(using: str) -> tuple[str, ...]:
    # `atomic(savepoint=False)` leaves None there: no point to roll back to.
    return tuple(filter(None, connections[using].savepoint_ids))


def _marker() -> Callable[[], None]:
    def mark() -> None:
        """Does nothing at commit: only its presence among the hooks counts."""

    return mark


def _time_ordered_uuid() -> uuid.UUID:
    """UUID version 7 (RFC 9562): new ones go to the end of their index."""
    stamp = time.time_ns() // 1_000_000
    value = (stamp << 80) | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)
