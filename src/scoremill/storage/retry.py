"""The one rule for trying again: transient faults a few times with growing pauses, old credentials once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from .faults import is_expired, is_transient

T = TypeVar("T")


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


def persist(action: Callable[[], T], renew: Callable[[], None] = lambda: None) -> T:
    """What `action` returns, at the first attempt that succeeds; else the last attempt's own error.

    `renew` is called once, when credentials seem to have expired, and the action tried again at once.
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
            if not is_transient(error) or attempt >= PATIENCE.tries or time.monotonic() - began > PATIENCE.limit:
                raise
        time.sleep(PATIENCE.pause(attempt))
    raise AssertionError("unreachable")
