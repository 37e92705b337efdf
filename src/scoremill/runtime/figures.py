"""How far a driver is: the engine's events as `status.progress` of its ScoringJob."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from scoremill import events
from scoremill.events import Event, Started
from scoremill.spec.resources.status import PartitionCounts, Progress, RowProgress, Stage

NOTES, NOTE_LENGTH = 20, 1024
"""The last notes that a status holds, and the most characters of each."""


class Figures:
    """Takes the events of a run; `progress` is what they amount to."""

    def __init__(self, attempt: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._attempt, self._clock = attempt, clock
        self._began: tuple[float, Started] | None = None
        self._done = self._rows = self._rejected = self._workers = 0
        self._stage: Stage = "Planning"
        self._progressed: datetime | None = None
        self._notes: deque[str] = deque(maxlen=NOTES)

    def enter(self, stage: Stage) -> None:
        """Begin the next stage; speed is measured from the beginning of the last one."""
        self._stage, self._progressed = stage, datetime.now(UTC)
        if self._began is not None:
            self._began = self._clock(), self._began[1]

    def take(self, event: Event) -> None:
        """Counts one event."""
        match event:
            case events.Started():
                self._began = self._clock(), event
                self._done, self._rows = event.done, event.rows_done
                self._progressed = datetime.now(UTC)
            case events.Progress():
                # A driver that is given a cluster does not wait for one.
                self._stage = "Scoring"
                self._progressed = datetime.now(UTC)
                self._done, self._rows, self._rejected = event.partitions, event.rows, event.rejected
                self._workers = event.workers
            case events.Retrying(number=number, reason=reason):
                self._notes.append(f"partition {number}: {reason}"[:NOTE_LENGTH])
            case events.Note(text=text):
                self._notes.append(text[:NOTE_LENGTH])

    def progress(self) -> Progress:
        """The figures now; speed and rest are of this run, without what earlier ones had done."""
        known = Progress(
            attempt=self._attempt,
            stage=self._stage,
            notes=tuple(self._notes),
            update_time=datetime.now(UTC),
            progress_time=self._progressed,
        )
        if self._began is None:
            return known
        since, begun = self._began
        seconds, done = max(self._clock() - since, 1e-9), self._done - begun.done
        left = (begun.partitions - self._done) * seconds / done if done else None
        return known.model_copy(
            update={
                "partitions": PartitionCounts(total=begun.partitions, done=self._done, resumed=begun.done),
                "rows": RowProgress(
                    total=max(begun.estimated_rows, self._rows), done=self._rows, rejected=self._rejected
                ),
                "rows_per_second": round((self._rows - begun.rows_done) / seconds, 1) if done else None,
                "eta_seconds": None if left is None else round(left, 1),
                "workers": self._workers,
            }
        )
