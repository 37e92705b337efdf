"""Measure where a model spends its time, on rows of the input and with and without acceleration."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from scoremill.accelerate.timing import Timing, step_seconds
from scoremill.bundle import Bundle, call
from scoremill.bundle.threads import one_thread
from scoremill.errors import UsageError
from scoremill.spec import ScoringJob
from scoremill.spec.model import BATCH_ROWS
from scoremill.tabular.convert import to_frame
from scoremill.worker.batches import rebatch
from scoremill.worker.inputs import PartitionReader
from scoremill.worker.work import Work

from .api import prepare_job
from .coordinator.prepare import Prepared

CALL_ROWS = (1024, 8192, 32_768, BATCH_ROWS, 2 * BATCH_ROWS)
"""Numbers of rows in a call that are measured."""


@dataclass(frozen=True)
class BatchProfile:
    """Seconds of one call of the model with a number of rows."""

    rows: int
    original: Timing
    accelerated: Timing


@dataclass(frozen=True)
class ModelProfile:
    """Where a model spends its time."""

    bundle: Bundle
    method: str
    batches: tuple[BatchProfile, ...]
    """One for each number of rows, in ascending order."""

    @property
    def best(self) -> BatchProfile:
        """The number of rows with the fewest seconds per row."""
        return min(self.batches, key=lambda each: each.accelerated.total / each.rows)


def profile(job: ScoringJob, rows: int = BATCH_ROWS, rounds: int = 5) -> ModelProfile:
    """Return how long each step of the model of `job` takes for the first rows of its input.

    Parameters
    ----------
    job : ScoringJob
        From `scoremill.job`; its output is not written.
    rows : int
        Number of rows in the largest call.
    rounds : int
        Number of measured calls; medians are returned.

    Returns
    -------
    ModelProfile
        Seconds of each step, for several numbers of rows in a call, with and without acceleration.

    Raises
    ------
    UsageError
        If the input has no row that the model can score.

    """
    prepared = prepare_job(job, writes=False)
    work = prepared.work(prepared.plan)
    with one_thread():
        frame = _frame(prepared, work, rows)
        if frame.empty:
            raise UsageError("the input has no rows that the model can score", "Name an input with rows.", "InputEmpty")
        sizes = sorted({*(size for size in CALL_ROWS if size < len(frame)), len(frame)})
        batches = [_batch(work, frame.head(size), prepared.plan.settings.method, rounds) for size in sizes]
    return ModelProfile(prepared.bundle, prepared.plan.settings.method, tuple(batches))


def _frame(prepared: Prepared, work: Work, rows: int) -> pd.DataFrame:
    """Return the first rows of the input as the model gets them."""
    columns = prepared.bundle.columns
    frames: list[pd.DataFrame] = []
    for partition in prepared.plan.uncut():
        for batch in rebatch(iter(PartitionReader(work.reading(columns), partition)), rows):
            frames.append(to_frame(batch, columns, work.settings.csv).frame)
            if sum(map(len, frames)) >= rows:
                return pd.concat(frames, ignore_index=True).head(rows)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _batch(work: Work, frame: pd.DataFrame, method: str, rounds: int) -> BatchProfile:
    def timing(*, accelerate: bool) -> Timing:
        model = replace(work.model, accelerate=accelerate).load()
        return step_seconds(model.estimator, lambda estimator: call(estimator, model.bundle, method, frame), rounds)

    return BatchProfile(len(frame), timing(accelerate=False), timing(accelerate=True))
