"""Count workers that were killed for their memory use, and the partitions that they were scoring."""

from __future__ import annotations

from collections import Counter

MEMORY_KILLS = 2
"""Number of workers that a partition can make exceed their memory limit before it fails."""
_KILLS = 5
"""Number of workers killed for their memory use without any finished partition in between, above which the run fails."""


class Deaths:
    """Take reports of tasks and nannies."""

    def __init__(self, *, is_exclusive: bool) -> None:
        """`is_exclusive` is whether only this run has tasks on the workers."""
        self._is_exclusive = is_exclusive
        self._running: dict[str, str] = {}
        """The task that each worker started last."""
        self._by_memory: Counter[str] = Counter()
        self._killed: set[str] = set()
        """Addresses of workers that were killed for their memory use."""
        self._kills = 0
        self.largest = 0
        """Largest memory of a worker when it was killed, in bytes."""

    def started(self, worker: str, key: str) -> None:
        """Take the start of a task."""
        self._running[worker] = key

    def grew(self, worker: str | None, rss: int) -> str | None:
        """Take the report of a nanny that kills its worker; return the task of this run that the worker started last."""
        # A worker that is starting has no address yet.
        key = self._running.pop(worker, None) if worker else None
        self._killed |= {worker} if worker else set()
        if key is not None or self._is_exclusive:
            self._kills += 1
            self.largest = max(self.largest, rss)
        return key

    def is_too_many(self, partition: str) -> bool:
        """Count a killed worker that was scoring this partition; return whether that is too many."""
        self._by_memory[partition] += 1
        return self._by_memory[partition] >= MEMORY_KILLS

    def by_memory(self, partition: str) -> int:
        """Return how many workers were killed for their memory use while they scored this partition."""
        return self._by_memory[partition]

    def is_killed(self, worker: str) -> bool:
        """Return whether the worker at this address was killed for its memory use.

        Its nanny can report that later than the scheduler reports its death. So if only this run has tasks on the workers,
        one that was killed before it, with no partition finished in between, decides.
        """
        return worker in self._killed or (self._is_exclusive and self._kills > 0)

    def forget(self) -> None:
        """Reset the number of workers killed in a row, because a partition was finished."""
        self._kills = 0

    @property
    def never_end(self) -> bool:
        """True if workers are repeatedly killed and nothing is finished in between."""
        return self._kills > _KILLS
