"""A run in its own thread: its events and its result."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from scoremill import score
from scoremill.events import Event, Progress, Started
from scoremill.execute.place import engine_at
from scoremill.ledger import Manifest
from scoremill.spec import ScoringJob
from tests.cluster.steps import until


class Run:
    """`scoremill score JOB --cluster NAME`, as the command line does it."""

    def __init__(self, job: ScoringJob, cluster: str, places: dict[str, str | None]) -> None:
        self._job, self._cluster, self._places = job, cluster, places
        self.events: list[Event] = []
        self._thread = ThreadPoolExecutor(1)
        self._ended: Future[Manifest] = self._thread.submit(self._score)

    def _score(self) -> Manifest:
        with engine_at(self._cluster, self._job, self._places) as at:
            return score(at.job, cluster=at.address, security=at.security, watchers=[self.events.append])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=error is None)

    def events_of(self, kind: type[Event]) -> list[Event]:
        """Return its events of a kind."""
        return [event for event in list(self.events) if isinstance(event, kind)]

    @property
    def done(self) -> int:
        """Partitions that it has scored itself."""
        return len(self.events_of(Progress))

    @property
    def is_running(self) -> bool:
        """True if the task has neither ended nor failed."""
        return not self._ended.done()

    def reaches(self, partitions: int, seconds: float = 90) -> None:
        """It has scored `partitions`, and there are more to score."""
        self.sees(lambda: self.done >= partitions, seconds)
        (started,) = self.events_of(Started)
        assert isinstance(started, Started)
        assert self.is_running and self.done < started.partitions, "the fault would come too late"

    def sees(self, condition: Callable[[], object], seconds: float = 90) -> None:
        """`condition` comes to hold while it runs."""
        until(lambda: condition() or self._ended.done(), seconds)
        if not condition():
            raise AssertionError(f"it did not come about: {self.events[-3:]}") from (
                self._ended.exception() if self._ended.done() else None
            )

    def result(self, seconds: float = 150) -> Manifest:
        """The manifest, or the error that ended it."""
        return self._ended.result(seconds)
