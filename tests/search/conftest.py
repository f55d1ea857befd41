from __future__ import annotations

from collections.abc import Callable

import pytest

from spine.outbox import draining
from spine.search import listeners


@pytest.fixture
def indexed() -> Callable[[], None]:
    """Lets the listener catch up with what has been done."""

    def drain() -> None:
        while draining.drain_once(listeners.index):
            pass

    return drain
