"""One connection to a Dask scheduler, and the news that it delivers."""

from __future__ import annotations

import queue
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from distributed import Client, Future, LocalCluster, Security
from distributed.utils import sync
from distributed.versions import VersionMismatchWarning

from . import reports

REPORTED, GREW, DONE = reports.TOPIC, "worker-restart-memory", "done"
"""Topics of news: reports of tasks, nannies that kill a worker for its memory use, and finished futures."""
_ANSWER_SECONDS = 10.0
"""Maximum time for the scheduler to answer; a busy one takes less than a second."""
_CLOSE_SECONDS = 2.0
_GRACE_SECONDS = 1.0
"""Time beyond Dask's own timeout for an attempt to connect, so that Dask's error, which is more precise, comes first."""


@dataclass(frozen=True, slots=True)
class News:
    """One event, or the key of a finished future."""

    topic: str
    message: Any


class Session:
    """A connection that is replaced, never repaired, when it is lost.

    Dask's client reconnects by itself, but the new scheduler then knows none of its subscriptions.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._is_lost = False
        self._id = client.sync(self._identity, callback_timeout=_ANSWER_SECONDS)["id"]
        for topic in (REPORTED, GREW):
            client.subscribe_topic(topic, self._handler(topic))

    def _handler(self, topic: str) -> Callable[[tuple[float, Any]], None]:
        return lambda event: self._news.put(News(topic, event[1]))

    @property
    def is_lost(self) -> bool:
        """True if the scheduler was replaced or was unreachable at any time."""
        return self._is_lost or self.client.status != "running"

    def identity(self) -> dict[str, Any] | None:
        """Return what the scheduler reports about itself and its workers; None if it does not answer."""
        found: dict[str, Any] | None = self.answer(self._identity)
        if found is not None and found["id"] != self._id:
            self._is_lost = True
            return None
        return found

    def _identity(self) -> Any:
        return cast("Any", self.client.scheduler).identity(n_workers=-1)

    def answer(self, call: Callable[[], Any]) -> Any:
        """Return the result of the awaitable of `call`; None if that fails or takes too long."""
        try:
            return self.client.sync(call, callback_timeout=_ANSWER_SECONDS)
        except Exception:
            # A client whose scheduler is about to go fails in many ways: OSError, TimeoutError, CancelledError,
            # RuntimeError of a closed loop, AttributeError of a closed client. They all mean the same.
            return None

    def submit(self, key: str, *call: Any) -> Future[None] | None:
        """Submit a call of `reports.run_reported` with these arguments; None if the connection is lost."""
        try:
            # A unique key and no retries: Dask must neither reuse a result nor run a task again by itself.
            future = self.client.submit(reports.run_reported, *call, key=key, pure=False, retries=0)
            future.add_done_callback(lambda _: self._news.put(News(DONE, key)))
        except Exception:
            self._is_lost = True
            return None
        return future

    def error_of(self, future: Future[None]) -> BaseException | None:
        """Return the error of `future` if it failed and the client knows the error."""
        if future.status != "error":
            return None
        try:
            error: BaseException | None = future.exception(timeout=_ANSWER_SECONDS)
        except Exception:
            return None
        return error

    def next(self, seconds: float) -> News | None:
        """Return news that has arrived or arrives within `seconds`."""
        try:
            return self._news.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            return None

    def cancel(self, futures: list[Future[None]]) -> None:
        """Let the scheduler drop these tasks; running ones find out before they publish (outputs.py)."""
        if futures and not self.is_lost:
            self.answer(lambda: self.client.cancel(futures, force=True))

    def close(self) -> None:
        """Close the connection in any state."""
        with suppress(Exception):
            self.client.close(timeout=_CLOSE_SECONDS)


class _Client(Client):
    """A client that only its owner closes.

    If the garbage collector closed it, it could wait forever for the lock of Dask's loops, which the same thread holds.
    """

    def __init__(self, place: str | LocalCluster, security: Security | None, seconds: float) -> None:
        self._seconds = seconds
        try:
            super().__init__(place, timeout=seconds, name="scoremill", security=security)  # type: ignore[no-untyped-call]
        except BaseException:
            if hasattr(self, "_loop_runner"):
                self._loop_runner.stop()
            raise

    def start(self, **kwargs: Any) -> None:
        """Connect. Raise TimeoutError in time even if the scheduler accepts connections and then never answers.

        Dask's own timeout covers only the TCP connection, so it would wait forever for a scheduler that is stopped or starved.
        """
        if self.status == "newly-created":
            self._loop_runner.start()
            sync(self._loop_runner.loop, self._start, callback_timeout=self._seconds + _GRACE_SECONDS, **kwargs)

    def __del__(self) -> None:
        """Do nothing."""


def connect(place: str | LocalCluster, security: Security | None, seconds: float) -> Session:
    """Connect within `seconds`. Raise OSError if there is no answer, TypeError, ValueError or ImportError if there never can be."""
    with warnings.catch_warnings():
        # Versions are checked in workers.py as far as they affect scores, which patch versions of Python do not.
        warnings.simplefilter("ignore", VersionMismatchWarning)
        client = _Client(place, security, seconds)
    try:
        return Session(client)
    except Exception as error:
        client.close(timeout=_CLOSE_SECONDS)  # type: ignore[no-untyped-call]
        raise OSError(f"the scheduler does not answer: {error}") from error
