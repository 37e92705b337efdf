"""Measure which number of rows in one call of a model takes the least time per row."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from scoremill.spec.model import BATCH_ROWS

from ..results import call
from ..schema import Bundle
from ..steps import with_steps

SIZES = (8_192, 32_768, BATCH_ROWS)
"""Numbers of rows that are compared; none needs more memory than the default, which is the last one."""
ROUNDS = 7
"""Largest number of rounds; each calls the model once with each number of rows."""
LEAST_ROUNDS = 3
"""Number of rounds without which nothing is known."""
SECONDS = 5.0
"""Time for all calls; a call that would probably take longer than the rest of it is not made."""
GAIN = 0.1
"""Fraction of the time per row that another number than the default must save."""
FIRST_SIZES = (64, 1024)
"""Smaller calls before the first round, which show how long a larger one takes."""
_VARIED_ROWS = SIZES[0] // 4
"""Number of rows of the sample that are repeated: steps run on distinct rows only if these are at most a quarter."""
_MOST_BYTES = 2**30
"""Size of a data frame with `BATCH_ROWS` rows above which nothing is measured."""


def measured_batch_rows(estimator: Any, bundle: Bundle, sample: pd.DataFrame) -> int | None:
    """Return the number of rows to pass to `estimator` in one call; None if it could not be measured.

    Steps run as they do in a job. The rows are drawn from the sample.
    """
    if sample.memory_usage(deep=True).sum() / len(sample) * BATCH_ROWS > _MOST_BYTES:
        return None
    model, rows = with_steps(estimator, bundle), _drawn(sample)
    return fastest(lambda size: call(model, bundle, bundle.method, rows.head(size)))


def fastest(score: Callable[[int], object], clock: Callable[[], float] = time.perf_counter) -> int | None:
    """Return the number of rows for which `score` takes the least time per row; None if there is not enough time.

    The default is returned unless another number saves at least `GAIN` in the median of all rounds.
    """
    rounds = _rounds(score, clock)
    if len(rounds) < LEAST_ROUNDS:
        return None
    per_row = {size: statistics.median(each[size] for each in rounds) for size in SIZES}
    best = min(SIZES, key=per_row.__getitem__)
    return best if per_row[best] <= (1 - GAIN) * per_row[BATCH_ROWS] else BATCH_ROWS


def _rounds(score: Callable[[int], object], clock: Callable[[], float]) -> list[dict[int, float]]:
    """Return the seconds per row for each number of rows, in each complete round but the first.

    In the first one the model tries which steps to run on distinct rows.
    """
    end, per_row = clock() + SECONDS, 0.0
    rounds: list[dict[int, float]] = []
    for sizes in ((*FIRST_SIZES, *SIZES), *[SIZES] * ROUNDS):
        seconds = {}
        for size in sizes:
            began = clock()
            if began + per_row * size > end:
                return rounds[1:]
            score(size)
            seconds[size] = per_row = (clock() - began) / size
        rounds.append(seconds)
    return rounds[1:]


def _drawn(sample: pd.DataFrame) -> pd.DataFrame:
    """Return `BATCH_ROWS` rows drawn at random from a few rows of `sample`; the same ones for the same sample."""
    random = np.random.default_rng(0)
    varied = random.permutation(len(sample))[:_VARIED_ROWS]
    return sample.iloc[random.choice(varied, BATCH_ROWS)].reset_index(drop=True)
