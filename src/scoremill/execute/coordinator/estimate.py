"""Estimate the duration of a run and the memory of a worker from scoring the first rows."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa

from scoremill.discovery import Problem
from scoremill.engines.auto import is_small
from scoremill.planning import Partition
from scoremill.spec.cluster import LOCAL_MEMORY
from scoremill.units import GIB, format_bytes
from scoremill.worker.inputs import PartitionReader
from scoremill.worker.scoring import Scorer
from scoremill.worker.work import Work

from .prepare import Prepared

SAMPLE_ROWS = 20_000
"""Number of rows to score: enough that the fixed costs of a call do not matter."""
SAMPLE_FILES = 16
"""Maximum number of files whose first rows are scored if one is too short."""
_BASE = 300 * 2**20
"""Memory of a worker before its first task, in bytes: Python, pandas, pyarrow and scikit-learn."""
_COPIES = 6
"""Number of copies of a batch in memory at the same time: text, frame, features and results."""
_CLUSTER_SECONDS = 2.0
"""Measured time to start the scheduler, certificates and nannies of a local cluster; imports of workers come on top."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Time and memory that a run will probably need."""

    seconds: float
    """Duration of the whole run with `cluster="auto"`, including its start"""
    startup_seconds: float
    """Seconds before the first row is scored, included in `seconds`"""
    worker_bytes: int
    row_bytes: float
    """Mean bytes per row of the input as read"""
    workers: int
    sampled_rows: int


def estimate(prepared: Prepared, elapsed: float) -> Estimate | None:
    """Return the estimate of a plan, from scoring its first rows in this process; None if there are no rows.

    `elapsed` is how many seconds this process took for imports and plan; a run takes them again.
    """
    imports = time.process_time()
    plan, spec = prepared.plan, prepared.job
    work = prepared.work(plan)
    is_alone = is_small(spec, plan)
    workers = 1 if is_alone else spec.cluster.bounds.max if spec.cluster.bounds else os.cpu_count() or 1
    # Only the first call of a model pays for imports and tables.
    any(_measure(work, partition).rows for partition in plan.uncut())
    done = _Measured()
    for partition in islice(plan.uncut(), SAMPLE_FILES):
        done += _measure(work, partition)
        if done.rows >= SAMPLE_ROWS:
            break
    if not done.rows:
        return None
    row_bytes = max(plan.row_bytes, done.bytes / done.rows)
    startup = elapsed + imports
    if not is_alone:
        startup = elapsed + _CLUSTER_SECONDS + imports * max(1.0, workers / (os.cpu_count() or 1))
    return Estimate(
        seconds=startup + done.seconds / done.rows * plan.estimated_rows / workers,
        startup_seconds=startup,
        worker_bytes=_worker_bytes(prepared, row_bytes),
        row_bytes=row_bytes,
        workers=workers,
        sampled_rows=done.rows,
    )


def memory_problem(prepared: Prepared, row_bytes: float | None = None) -> Problem | None:
    """Return a warning if a worker will probably need more memory than the job gives it.

    `row_bytes` is the measured size of an input row; by default, the size in the plan's samples of CSV.
    """
    needed, given = _worker_bytes(prepared, row_bytes or prepared.plan.row_bytes), prepared.job.cluster.memory
    if needed <= (given or LOCAL_MEMORY):
        return None
    return Problem(
        "warning",
        "`spec.cluster.memory`",
        f"a worker will probably need {format_bytes(needed)}, but has {format_bytes(given or LOCAL_MEMORY)}",
        f"Give `spec.cluster.memory: {-(-needed * 5 // 4 // GIB)}GiB`, or lower `spec.model.batchRows` "
        f"(now {prepared.plan.settings.batch_rows:,}).",
    )


def _worker_bytes(prepared: Prepared, row_bytes: float) -> int:
    rows = min(prepared.plan.settings.batch_rows, prepared.plan.estimated_rows)
    return int(_BASE + sum(prepared.bundle.sizes.values()) + _COPIES * row_bytes * rows)


@dataclass(frozen=True, slots=True)
class _Measured:
    rows: int = 0
    seconds: float = 0.0
    bytes: int = 0

    def __add__(self, other: _Measured) -> _Measured:
        return _Measured(self.rows + other.rows, self.seconds + other.seconds, self.bytes + other.bytes)


def _measure(work: Work, partition: Partition) -> _Measured:
    """Measure scoring the first block of a partition."""
    model = work.model.load()
    opened = PartitionReader(work.reading(model.bundle.columns), partition)
    before, begin = pa.total_allocated_bytes(), time.perf_counter()
    scored = next(Scorer(work, model, opened).readable(islice(opened, 1)), None)
    seconds = time.perf_counter() - begin
    rows = scored.table.num_rows if scored is not None else 0
    return _Measured(rows, seconds, pa.total_allocated_bytes() - before)
