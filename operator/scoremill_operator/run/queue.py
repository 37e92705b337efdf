"""The work queue: keys to reconcile, each by one worker at a time, as soon as they are due."""

from __future__ import annotations

import heapq
import math
import random
import threading
import time
from collections.abc import Callable, Sequence

from scoremill.errors import ScoremillError

from .. import metrics
from ..log import about, logger
from ..reconcile.observed import Key

FIRST_SECONDS, MOST_SECONDS = 1.0, 300.0
"""Seconds until the retry after a first failure, and the maximum after many."""

_LEAST_HEAP = 100


class Queue:
    """Calls `work(key)` for each key that is due, in threads; the result is the seconds until the next call, or None.

    A key that is added twice before it is taken is reconciled once; one that is added meanwhile, once more after that.
    """

    def __init__(self, work: Callable[[Key], float | None], *, workers: int = 4) -> None:
        self._work = work
        self._changed = threading.Condition()
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []
        self._busy: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._stopped = False
        self._taken = time.monotonic()
        self._threads = [threading.Thread(target=self._run, name=f"worker-{n}", daemon=True) for n in range(workers)]

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Reconcile the key in `delay` seconds, or earlier if it is already due earlier."""
        with self._changed:
            when = time.monotonic() + delay
            if when < self._due.get(key, float("inf")):
                self._due[key] = when
                self._push(key)

    def start(self) -> None:
        """Start the workers."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> bool:
        """Take no further key; return whether the active ones finished within `seconds`."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def overdue(self) -> tuple[int, float]:
        """Return how many keys are due, and for how many seconds the oldest has been."""
        with self._changed:
            now = time.monotonic()
            late = [now - when for when in self._due.values() if when <= now]
        return len(late), max(late, default=0.0)

    def standing(self) -> float:
        """Return for how many seconds no key was taken although one was due."""
        return min(self.overdue()[1], time.monotonic() - self._taken)

    def _push(self, key: Key) -> None:
        # A busy key is pushed when its worker is done.
        if key not in self._busy:
            heapq.heappush(self._heap, (self._due[key], key))
            self._changed.notify()
        # Outdated entries are otherwise dropped only when their time comes, which can be next week.
        if len(self._heap) > 2 * len(self._due) + _LEAST_HEAP:
            self._heap = [(when, each) for each, when in self._due.items() if each not in self._busy]
            heapq.heapify(self._heap)

    def _run(self) -> None:
        while (key := self._next()) is not None:
            again = self._reconcile(key)
            with self._changed:
                self._busy.discard(key)
                if key in self._due:
                    self._push(key)
            if again is not None:
                self.add(key, again)

    def _next(self) -> Key | None:
        """Wait for a key that is due and return it; return None once stopped."""
        with self._changed:
            while not self._stopped:
                if not self._heap:
                    self._changed.wait()
                    continue
                when, key = self._heap[0]
                if self._due.get(key) != when or key in self._busy:
                    heapq.heappop(self._heap)
                elif (left := when - time.monotonic()) > 0:
                    self._changed.wait(left)
                else:
                    heapq.heappop(self._heap)
                    del self._due[key]
                    self._busy.add(key)
                    self._taken = time.monotonic()
                    # The worker that was notified of this key might not be notified of the next.
                    self._changed.notify()
                    return key
            return None

    def _reconcile(self, key: Key) -> float | None:
        with about(key), metrics.RECONCILE.labels(key.kind).time():
            try:
                again = self._work(key)
            except Exception as error:
                return self._failed(key, error)
            self._failures.pop(key, None)
            return again

    def _failed(self, key: Key, error: Exception) -> float:
        self._failures[key] = failures = self._failures.get(key, 0) + 1
        metrics.ERRORS.labels(key.kind).inc()
        wait = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 30)) * random.uniform(0.8, 1.2)
        logger.warning("reconcile failed, next attempt in %.1f s: %s", wait, error, exc_info=_is_unexpected(error))
        return wait


class Resync:
    """Adds every key that `known()` lists once in every `seconds`, in case an event was missed.

    The keys are spread over that time, so that events do not wait behind all of them.
    """

    def __init__(self, queue: Queue, known: Callable[[], Sequence[Key]], seconds: float) -> None:
        self._queue, self._known, self.seconds = queue, known, seconds
        self._stopped = threading.Event()
        self.done = math.inf
        """When all keys were last listed (monotonic); infinite before the start."""
        self._thread = threading.Thread(target=self._run, name="resync", daemon=True)

    def start(self) -> None:
        """Start listing."""
        self.done = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Stop listing."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                keys = self._known()
                for number, key in enumerate(keys):
                    self._queue.add(key, self.seconds * number / len(keys))
                self.done = time.monotonic()
            except Exception as error:
                metrics.ERRORS.labels("resync").inc()
                logger.warning("resync failed: %s", error, exc_info=_is_unexpected(error))
            self._stopped.wait(self.seconds)


def _is_unexpected(error: Exception) -> bool:
    return not isinstance(error, ScoremillError)
