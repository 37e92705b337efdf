"""Engines that end tasks in an order that a cluster could give them."""

from __future__ import annotations

from scoremill.engines.protocol import InProcess, Result


class LastFirst(InProcess):
    """Runs the task that was submitted last first, so that later partitions end before earlier ones."""

    window = 4

    def take(self, timeout: float) -> Result | None:
        self._tasks.reverse()
        return super().take(timeout)
