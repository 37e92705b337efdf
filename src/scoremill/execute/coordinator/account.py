"""Where the seconds of a run go, as its driver sees it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Literal

Stage = Literal["plan", "lock", "start", "score", "complete"]
"""Read model and input; wait for the output's lock; start workers; score; write the manifest."""


class Account:
    """Seconds by stage, one of which ends as the next begins, and the number of workers."""

    def __init__(self, stage: Stage, began: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """`began` is when the first stage began, by `clock`; now by default."""
        self.workers = 0
        self._clock = clock
        self._stage, self._since = stage, clock() if began is None else began
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def enter(self, stage: Stage, elapsed: float = 0.0) -> None:
        """End the present stage, and begin `stage`, which has taken `elapsed` seconds already."""
        if stage != self._stage:
            self._end(self._clock() - elapsed)
            self._stage = stage

    def _end(self, now: float) -> None:
        self._seconds[self._stage] += max(now - self._since, 0.0)
        self._since = max(now, self._since)

    def fields(self) -> dict[str, Any]:
        """Return the account so far, for the ledger."""
        self._end(self._clock())
        return {
            "seconds": {stage: round(seconds, 3) for stage, seconds in self._seconds.items()},
            "workers": self.workers,
        }
