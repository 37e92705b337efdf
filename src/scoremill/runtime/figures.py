"""Convert the engine's events to `status.progress` of a ScoringJob."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from scoremill import events
from scoremill.events import Event, Started
from scoremill.spec.resources.status import JobProgress, PartitionCounts, RowProgress, Stage

NOTES, NOTE_LENGTH = 20, 1024
"""How many of the latest notes a status holds, and the maximum number of characters of each."""


class Figures:
    """Counts the events of a run; `progress` returns the totals."""

    def __init__(self, attempt: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._attempt, self._clock = attempt, clock
        self._started: tuple[float, Started] | None = None
        self._done = self._rows = self._rejected = self._workers = 0
        self._stage: Stage = "Planning"
        self._progressed: datetime | None = None
        self._notes: deque[str] = deque(maxlen=NOTES)

    def enter(self, stage: Stage) -> None:
        """Enter the next stage; speed is measured from the start of the latest one."""
        self._stage, self._progressed = stage, datetime.now(UTC)
        if self._started is not None:
            self._started = self._clock(), self._started[1]

    def take(self, event: Event) -> None:
        """Count one event."""
        match event:
            case events.Started():
                self._started = self._clock(), event
                self._done, self._rows = event.done, event.rows_done
                self._progressed = datetime.now(UTC)
            case events.Progress():
                # A driver on an existing cluster never enters the stage WaitingForCluster.
                self._stage = "Scoring"
                self._progressed = datetime.now(UTC)
                self._done, self._rows, self._rejected = event.partitions, event.rows, event.rejected
                self._workers = event.workers
            case events.Retrying(number=number, reason=reason):
                self._notes.append(f"partition {number}: {reason}"[:NOTE_LENGTH])
            case events.Note(text=text):
                self._notes.append(text[:NOTE_LENGTH])

    def progress(self) -> JobProgress:
        """Return the current figures; speed and remaining time ignore what earlier attempts completed."""
        known = JobProgress(
            attempt=self._attempt,
            stage=self._stage,
            notes=tuple(self._notes),
            update_time=datetime.now(UTC),
            progress_time=self._progressed,
        )
        if self._started is None:
            return known
        since, started = self._started
        seconds, done = max(self._clock() - since, 1e-9), self._done - started.done
        left = (started.partitions - self._done) * seconds / done if done else None
        return known.model_copy(
            update={
                "partitions": PartitionCounts(total=started.partitions, done=self._done, resumed=started.done),
                "rows": RowProgress(
                    total=max(started.estimated_rows, self._rows), done=self._rows, rejected=self._rejected
                ),
                "rows_per_second": round((self._rows - started.rows_done) / seconds, 1) if done else None,
                "eta_seconds": None if left is None else round(left, 1),
                "workers": self._workers,
            }
        )
