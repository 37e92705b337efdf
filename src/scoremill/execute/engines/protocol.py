"""How tasks are run: the protocol of all engines, and the one that runs them in this process."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from scoremill.bundle.threads import one_thread
from scoremill.ledger import Receipt

from ..worker.task import score_partition
from ..worker.work import Task


@dataclass(frozen=True, slots=True)
class Result:
    """A task that has ended, by a receipt or by an error."""

    task: Task
    receipt: Receipt | None = None
    error: BaseException | None = None


class Engine(Protocol):
    """Runs tasks; `submit` while fewer than `window` are out, then `take` one that has ended."""

    @property
    def window(self) -> int:
        """Tasks that should be out at a time."""

    @property
    def workers(self) -> int:
        """Processes at work."""

    @property
    def shares_files(self) -> bool:
        """Whether its processes see this machine's files."""

    def notes(self) -> list[str]:
        """What users should know and have not been told yet."""

    def submit(self, task: Task) -> None:
        """Hands over a task."""

    def take(self, timeout: float) -> Result | None:
        """Waits for a task to end; None if none does within `timeout` seconds."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class InProcess:
    """Runs each task when its result is asked for, in the calling thread; until it exits the process computes on one."""

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
