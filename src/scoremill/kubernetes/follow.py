"""Convert changes of a job's status to the events of a local run."""

from __future__ import annotations

from collections.abc import Iterator

from scoremill import events
from scoremill.events import Event
from scoremill.spec.resources.status import JobProgress, PartitionCounts, RowProgress

from .job import Job, waiting


class Follower:
    """Remembers what it has reported."""

    def __init__(self) -> None:
        self._reported = ""
        self._attempt: int | None = None
        self._progress: JobProgress | None = None
        self._notes: tuple[str, ...] = ()

    def news(self, job: Job) -> Iterator[Event]:
        """Yield what is new in the status of `job` since the last call."""
        text = ": ".join(filter(None, (job.phase, waiting(job))))
        if text != self._reported and not job.status.is_finished:
            yield events.Note(text)
        self._reported = text
        progress = job.status.progress
        if progress is not None:
            yield from self._figures(progress)

    def _figures(self, progress: JobProgress) -> Iterator[Event]:
        for note in progress.notes:
            if note not in self._notes:
                yield events.Note(note)
        self._notes = progress.notes
        counts, rows = progress.partitions or PartitionCounts(), progress.rows or RowProgress()
        if counts.total is None:
            return
        if progress.attempt != self._attempt:
            self._attempt = progress.attempt
            yield events.Started(counts.total, counts.done or 0, rows.done or 0, 0, rows.total or 0)
        if progress != self._progress:
            yield events.Progress(counts.done or 0, rows.done or 0, rows.rejected or 0, 0, progress.workers or 0)
        self._progress = progress
