"""Keep `status.progress` of a ScoringJob up to date, in a thread that never fails the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from scoremill.events import Event
from scoremill.kubernetes.api import Kube
from scoremill.kubernetes.objects import Resource
from scoremill.spec.resources.status import JobProgress, Stage

from .figures import Figures

MANAGER = "scoremill-driver"
"""Field manager that owns `status.progress`."""
WRITE_SECONDS, BEAT_SECONDS = 5.0, 60.0
"""Minimum number of seconds between two writes, and the maximum if nothing has changed."""
CALL_SECONDS = 10.0
_OF_TIME = {"update_time", "rows_per_second", "eta_seconds"}
"""Fields that change with time alone."""


class ProgressWriter:
    """A watcher of a run and a context manager; at its end the final figures are written."""

    def __init__(self, kube: Kube, job: Resource, attempt: int, say: Callable[[str], None]) -> None:
        self._kube, self._say = kube.hurried(CALL_SECONDS), say
        self._name, self._uid = job.name, job.uid
        self._figures, self._lock = Figures(attempt), threading.Lock()
        self._wake, self._has_ended = threading.Event(), False
        self._written: JobProgress | None = None
        self._at = time.monotonic()
        self._has_failed = False
        self._thread = threading.Thread(target=self._keep_writing, name="scoremill-progress", daemon=True)

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._figures.take(event)

    def enter(self, stage: Stage) -> None:
        """Report the next stage of the run immediately, because the operator acts on it."""
        with self._lock:
            self._figures.enter(stage)
        self._wake.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._has_ended = True
        self._wake.set()
        self._thread.join(CALL_SECONDS)

    def _keep_writing(self) -> None:
        while True:
            self._wake.wait(WRITE_SECONDS)
            self._wake.clear()
            is_last = self._has_ended
            self._write()
            if is_last:
                return

    def _write(self) -> None:
        with self._lock:
            progress = self._figures.progress()
        is_news = self._written is None or _facts(progress) != _facts(self._written)
        if not is_news and time.monotonic() - self._at < BEAT_SECONDS:
            return
        try:
            status = {"progress": progress.fields()}
            self._kube.apply_status("ScoringJob", self._name, status, manager=MANAGER, uid=self._uid)
        except Exception as error:
            self._report(error)
        else:
            self._written, self._at = progress, time.monotonic()

    def _report(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._say(f"note: could not update status.progress: {error}")


def _facts(progress: JobProgress) -> JobProgress:
    return progress.model_copy(update=dict.fromkeys(_OF_TIME))
