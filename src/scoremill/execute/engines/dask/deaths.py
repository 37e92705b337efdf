"""Deaths of workers for the memory that they took, and the partitions that they were scoring."""

from __future__ import annotations

from collections import Counter

MEMORY_KILLS = 2
"""Workers that a partition may drive beyond their memory limit: a third would fare no better."""
_KILLS = 5
"""Workers ended for their memory with nothing finished in between, beyond which nothing ever will be."""


class Deaths:
    """Takes what tasks and nannies report."""

    def __init__(self, *, are_ours: bool) -> None:
        """`are_ours`: nobody else has tasks on these workers."""
        self._are_ours = are_ours
        self._running: dict[str, str] = {}
        """By worker, the task that it started last."""
        self._by_memory: Counter[str] = Counter()
        self._killed: set[str] = set()
        """Addresses of workers that were ended for their memory."""
        self._kills = 0
        self.largest = 0
        """The most bytes that a worker held when it was ended for them."""

    def started(self, worker: str, key: str) -> None:
        """Take the start of a task."""
        self._running[worker] = key

    def grew(self, worker: str | None, rss: int) -> str | None:
        """Take the report of a nanny that ends its worker; return the task of ours that this worker started last."""
        # One that is starting has no address yet.
        key = self._running.pop(worker, None) if worker else None
        self._killed |= {worker} if worker else set()
        if key is not None or self._are_ours:
            self._kills += 1
            self.largest = max(self.largest, rss)
        return key

    def is_too_many(self, partition: str) -> bool:
        """Count a death while this partition was scored; return whether it was one too many."""
        self._by_memory[partition] += 1
        return self._by_memory[partition] >= MEMORY_KILLS

    def by_memory(self, partition: str) -> int:
        """Return how many workers this partition is known to have driven beyond their limits."""
        return self._by_memory[partition]

    def is_killed(self, worker: str) -> bool:
        """Return whether the worker at this address was ended for its memory, whatever it was doing."""
        return worker in self._killed

    def forget(self) -> None:
        """Reset the number of workers that died in a row: a partition was finished."""
        self._kills = 0

    @property
    def never_end(self) -> bool:
        """Whether workers are ended again and again, and nothing is finished in between."""
        return self._kills > _KILLS
