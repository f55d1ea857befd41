"""Keeps the documents as the records are, moments after a record has changed."""

from __future__ import annotations

from collections import defaultdict

from spine.outbox.models import Delivery
from spine.outbox.registry import Listener
from spine.search import sources
from spine.search.indexing import index as index_records


def handle(deliveries: list[Delivery]) -> None:
    """Several changes of a record make its document once."""
    stale: dict[str, set[int]] = defaultdict(set)
    for delivery in deliveries:
        for source in sources.stale(delivery.verb, delivery.target_type):
            stale[source.kind].add(int(delivery.target_id))
    for kind, ids in stale.items():
        index_records(sources.get(kind), ids)


# It wants every verb and asks the sources: rooms above register theirs when they are ready, later
# than the listener is installed.
index = Listener(name="search.index", verbs=("*",), handle=handle, batch=True)
