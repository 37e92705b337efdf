"""Score small inputs in this process, and start local processes only if that takes longer than their start."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from scoremill.planning import Plan
from scoremill.spec import Deadlines, JobSpec
from scoremill.spec.cluster import Cluster
from scoremill.worker.work import Task

from .protocol import Delegating, Engine, InProcess, Result

SMALL_ROWS = 100_000
"""A common model scores that many rows in less time than local processes take to start."""
START_SECONDS = 5.0
"""About how long local processes take to start and to import their libraries."""


def is_small(spec: JobSpec, plan: Plan) -> bool:
    """Return whether this process will probably be the fastest, for a job that asks for nothing that needs a worker."""
    needs_worker = spec.cluster != Cluster() or spec.deadlines != Deadlines()
    return plan.estimated_rows <= SMALL_ROWS and not needs_worker


class Auto(Delegating):
    """Run tasks in this process for `seconds`, and then those that are left on the engine that `start` returns.

    So a small input costs no start, and a slow model still gets several processes.
    """

    shares_files = True

    def __init__(self, start: Callable[[], Engine], seconds: float = START_SECONDS) -> None:
        self._start: Callable[[], Engine] | None = start
        self._seconds = seconds
        self._engine: Engine = InProcess()
        self._last: Task | None = None
        self._notes: list[str] = []

    def notes(self) -> list[str]:
        notes, self._notes = self._notes, []
        return notes + super().notes()

    def submit(self, task: Task) -> None:
        self._last = task
        super().submit(task)

    def take(self, timeout: float) -> Result | None:
        if self._start is not None and time.monotonic() - self._began > self._seconds:
            self._switch(self._start())
        return super().take(timeout)

    def _switch(self, engine: Engine) -> None:
        self._start = None
        self._notes.append("scoring takes long: starting local processes for the rest")
        self._stack.close()
        self._engine = self._stack.enter_context(engine)
        if self._last is not None:
            # It was not taken yet: in this process, one task is submitted at a time.
            self._engine.submit(self._last)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._stack = ExitStack()
        self._stack.enter_context(self._engine)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
