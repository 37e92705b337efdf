"""How often partitions were begun: what Dask begins again, when a worker is lost or taken away, leaves no other trace."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

_TOPIC = "scoremill-starts"
"""Of events at the scheduler, which keeps the last few of each topic: one topic for all runs."""


def tell_start() -> None:
    """In a task on a Dask worker, tells its driver that it begins."""
    distributed = sys.modules.get("distributed")
    if distributed is not None and (key := getattr(distributed.utils.thread_state, "key", None)) is not None:
        distributed.get_worker().log_event(_TOPIC, key)


class Starts:
    """Counts what tasks tell whose keys begin with `prefix` and end with `-` and a number of the submission."""

    def __init__(self, client: Client, prefix: str) -> None:
        self._prefix = prefix
        self._counts: Counter[str] = Counter()
        client.subscribe_topic(_TOPIC, self._take)

    def _take(self, event: tuple[float, str]) -> None:
        key = event[1]
        if key.startswith(self._prefix):
            self._counts[key.rpartition("-")[0]] += 1

    def of(self, key: str) -> int:
        """How often the partition of a task that has ended was begun; told once.

        A start is told before the end that follows it, on the same way.
        """
        return self._counts.pop(key.rpartition("-")[0], 1)
