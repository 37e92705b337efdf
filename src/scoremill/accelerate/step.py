"""A step of a pipeline that runs once for each distinct row of a batch."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from .bits import is_equal, pick, take
from .codes import Distinct, distinct_rows

LEAST_ROWS = 4096
"""Number of rows of a batch below which a step runs as it is."""
TRIED_ROWS = 16_384
"""Number of rows of the first batch that are transformed both ways."""
_MOST = 0.25
"""Fraction of distinct rows above which a step runs as it is."""


class Wrapper:
    """A fitted transformer that is called in another way; all but `transform` is the transformer's."""

    def __init__(self, step: Any, inner: Any) -> None:
        """Take a transformer, and its copy with replaced steps."""
        self.step, self.inner = step, inner

    def transform(self, table: Any) -> Any:
        """Return what the transformer returns."""
        return self.inner.transform(table)

    def __getattr__(self, name: str) -> Any:
        if name in {"step", "__setstate__"}:
            raise AttributeError(name)
        return getattr(self.step, name)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        return self.step.__sklearn_tags__()


class DistinctStep(Wrapper):
    """A fitted transformer whose `transform` runs on distinct rows where that is faster; all else is the transformer's.

    The first large batch of a process is transformed both ways in part: the faster way is used from then on, and only
    the original if a bit differs.
    """

    def __init__(self, step: Any, inner: Any, *, always: bool = False) -> None:
        """Take what a wrapper takes; `always` means that distinct rows are used without trying what is faster."""
        super().__init__(step, inner)
        self.always = always
        self.use: bool | None = None

    def transform(self, table: Any) -> Any:
        """Return what the transformer returns."""
        result = by_distinct(self.step, table, self._distinct(table))
        return super().transform(table) if result is None else result

    def _distinct(self, table: Any) -> Distinct | None:
        """Return the distinct rows of `table` if the step is to run on them."""
        if self.always:
            return distinct_rows(table)
        if self.use is False or len(table) < LEAST_ROWS:
            return None
        distinct = distinct_rows(table, _MOST)
        if distinct is not None and self.use is None:
            self.use = self._is_better(pick(table, np.arange(min(len(table), TRIED_ROWS))))
        return distinct if self.use else None

    def _is_better(self, table: Any) -> bool:
        """Transform the first rows both ways; return True if the results are equal and distinct rows take less time."""
        began = time.thread_time()
        found = by_distinct(self.step, table, distinct_rows(table))
        middle = time.thread_time()
        wanted = self.step.transform(table)
        return middle - began < time.thread_time() - middle and is_equal(found, wanted)


def by_distinct(step: Any, table: Any, distinct: Distinct | None) -> Any:
    """Return what `step` returns for `table`, from one call with its distinct rows; None if that is not possible."""
    if distinct is None:
        return None
    try:
        result = step.transform(pick(table, distinct.first))
    except Exception:
        # Called with the whole batch, the transformer says what is wrong with it.
        return None
    if getattr(result, "shape", (0,))[0] != len(distinct.first):
        return None
    return take(result, distinct.codes, getattr(table, "index", None))
