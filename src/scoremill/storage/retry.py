"""The one rule for trying again: transient faults a few times with growing pauses, old credentials once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from .failures.faults import GaveUpError, is_expired, is_transient

T = TypeVar("T")
Waiting = Callable[[Exception, int, float], None]
"""Called before a pause, with the error, the number of the attempt that failed, and the pause in seconds."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a store's transient faults are borne."""

    tries: int = 5
    """Attempts in all."""
    first_pause: float = 0.2
    """Seconds before the second attempt; each further pause is four times the one before."""
    limit: float = 30.0
    """Seconds after which no further attempt begins, whatever a client library spent on its own retries."""

    def pause(self, attempt: int) -> float:
        """Seconds to wait after the given failed attempt: half of it is chance, so that workers do not return in step."""
        whole = self.first_pause * float(4 ** (attempt - 1))
        return whole / 2 + random.uniform(0, whole / 2)


PATIENCE = Patience()
"""Five tries over at most 17 seconds of pauses."""


def persist(
    action: Callable[[], T],
    renew: Callable[[], None] = lambda: None,
    waiting: Waiting = lambda *_: None,
) -> T:
    """What `action` returns, at the first attempt that succeeds.

    Otherwise the last attempt's own error, as the cause of a GaveUpError if it was transient. `renew` is called once,
    when credentials seem to have expired, and the action is tried again without a pause.
    """
    began, renewed = time.monotonic(), False
    for attempt in count(1):
        try:
            return action()
        except Exception as error:
            if is_expired(error) and not renewed:
                renewed = True
                renew()
                continue
            if not is_transient(error):
                raise
            seconds = time.monotonic() - began
            if attempt >= PATIENCE.tries or seconds > PATIENCE.limit:
                raise GaveUpError(attempt, seconds) from error
            pause = PATIENCE.pause(attempt)
            waiting(error, attempt, pause)
        time.sleep(pause)
    raise AssertionError("unreachable")
