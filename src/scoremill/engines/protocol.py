"""The protocol of all engines, which run tasks, and the engine that runs them in this process."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from scoremill.bundle.threads import one_thread
from scoremill.ledger import Receipt
from scoremill.worker.task import score_partition
from scoremill.worker.work import Task


@dataclass(frozen=True, slots=True)
class Result:
    """A finished task, with a receipt or an error."""

    task: Task
    receipt: Receipt | None = None
    error: BaseException | None = None


class Engine(Protocol):
    """Run tasks: `submit` while fewer than `window` are running, then `take` one that has finished."""

    @property
    def window(self) -> int:
        """Number of tasks to have submitted at a time."""

    @property
    def workers(self) -> int:
        """Number of worker processes."""

    @property
    def shares_files(self) -> bool:
        """True if the workers can read files of this machine."""

    def notes(self) -> list[str]:
        """Return new messages for users."""

    def submit(self, task: Task) -> None:
        """Submit a task."""

    def take(self, timeout: float) -> Result | None:
        """Wait for a task to finish; return None if none does within `timeout` seconds."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Delegating:
    """The part of an engine that another one, `_engine`, does for it."""

    _engine: Engine

    @property
    def window(self) -> int:
        return self._engine.window

    @property
    def workers(self) -> int:
        return self._engine.workers

    def notes(self) -> list[str]:
        return self._engine.notes()

    def submit(self, task: Task) -> None:
        self._engine.submit(task)

    def take(self, timeout: float) -> Result | None:
        return self._engine.take(timeout)


class InProcess:
    """Run each task when its result is taken, in the calling thread; inside the context, libraries use one thread."""

    window = 1
    workers = 1
    shares_files = True

    def __init__(self) -> None:
        self._tasks: deque[Task] = deque()
        self._stack = ExitStack()

    def notes(self) -> list[str]:
        return []

    def submit(self, task: Task) -> None:
        self._tasks.append(task)

    def take(self, timeout: float) -> Result | None:
        task = self._tasks.popleft()
        try:
            return Result(task, receipt=score_partition(task))
        except Exception as error:
            return Result(task, error=error)

    def __enter__(self) -> Self:
        self._stack.enter_context(one_thread())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tasks.clear()
        self._stack.close()
