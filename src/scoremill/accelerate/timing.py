"""Measure how long each transformer of an estimator takes."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .step import Wrapper
from .structure import replaced


@dataclass(frozen=True)
class Timing:
    """Seconds of one call of an estimator."""

    total: float
    steps: dict[str, float]
    """Seconds of each transformer, with those of the transformers inside it."""


def step_seconds(estimator: Any, run: Callable[[Any], object], rounds: int = 5) -> Timing:
    """Return the medians of `rounds` calls of `run`, which calls a method of the estimator that it is given.

    A first call is not measured: it loads libraries, and tries which steps to run on distinct rows.
    """
    seconds: defaultdict[str, float] = defaultdict(float)

    def wrap(name: str, step: Any, inner: Any) -> Any:
        seconds[name] = 0.0
        return _Timed(step, inner, name, seconds)

    wrapped = replaced(estimator, wrap)
    run(wrapped)
    measured = [_once(wrapped, run, seconds) for _ in range(rounds)]
    steps = {name: statistics.median(each.steps[name] for each in measured) for name in seconds}
    return Timing(statistics.median(each.total for each in measured), steps)


def _once(estimator: Any, run: Callable[[Any], object], seconds: dict[str, float]) -> Timing:
    seconds.update(dict.fromkeys(seconds, 0.0))
    began = time.perf_counter()
    run(estimator)
    return Timing(time.perf_counter() - began, dict(seconds))


class _Timed(Wrapper):
    """A transformer that adds up the seconds of its calls."""

    def __init__(self, step: Any, inner: Any, name: str, seconds: dict[str, float]) -> None:
        super().__init__(step, inner)
        self.name, self.seconds = name, seconds

    def transform(self, table: Any) -> Any:
        began = time.perf_counter()
        result = super().transform(table)
        self.seconds[self.name] += time.perf_counter() - began
        return result
