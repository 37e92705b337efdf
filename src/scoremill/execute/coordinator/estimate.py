"""How long a run will take and how much memory a worker will need, measured on the first rows."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa

from scoremill.discovery import Problem
from scoremill.planning import Partition
from scoremill.spec.cluster import LOCAL_MEMORY
from scoremill.units import GIB, format_bytes

from ..worker.inputs import PartitionReader
from ..worker.scoring import Scorer
from ..worker.work import Work
from .prepare import Prepared

SAMPLE_ROWS = 20_000
"""Rows scored for the measurement: enough that fixed costs of a call do not count for much."""
SAMPLE_FILES = 16
"""Files whose first rows are scored where one alone is too short."""
_BASE = 300 * 2**20
"""A worker's memory before its first task: Python, pandas, pyarrow and scikit-learn."""
_COPIES = 6
"""Times that a batch's text exists at once, as text, frame, features and results."""
_CLUSTER_SECONDS = 2.0
"""Measured: a local cluster's scheduler, certificates and nannies. Its workers then import what this process has."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will probably need."""

    seconds: float
    """Of the whole run on a local cluster, its start included."""
    startup_seconds: float
    """Of those, before the first row is scored."""
    worker_bytes: int
    row_bytes: float
    """Of a row of the input, as it was read."""
    workers: int
    sampled_rows: int


def estimate(prepared: Prepared, elapsed: float) -> Estimate | None:
    """The estimate of a plan, from scoring its first rows here; None if there are no rows.

    `elapsed` are the seconds that this process took for imports and plan, which a run takes again.
    """
    imports = time.process_time()
    plan, spec = prepared.plan, prepared.job
    work = prepared.work(plan)
    workers = spec.cluster.bounds.max if spec.cluster.bounds else os.cpu_count() or 1
    # The first call of a model pays for imports and tables that no later one pays for.
    any(_measure(work, partition).rows for partition in plan.uncut())
    done = _Measured()
    for partition in islice(plan.uncut(), SAMPLE_FILES):
        done += _measure(work, partition)
        if done.rows >= SAMPLE_ROWS:
            break
    if not done.rows:
        return None
    row_bytes = max(plan.row_bytes, done.bytes / done.rows)
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
    """A warning where a worker will probably need more memory than the job gives it.

    `row_bytes` are those of a row of the input as it was measured; without them those of the plan's samples of CSV.
    """
    needed, given = _worker_bytes(prepared, row_bytes or prepared.plan.row_bytes), prepared.job.cluster.memory
    if needed <= (given or LOCAL_MEMORY):
        return None
    return Problem(
        "warning",
        "--memory",
        f"a worker will probably need {format_bytes(needed)}, and has {format_bytes(given or LOCAL_MEMORY)}",
        f"Give --memory {-(-needed * 5 // 4 // GIB)}GiB, or less --batch-rows (now {prepared.job.model.batch_rows:,}).",
    )


def _worker_bytes(prepared: Prepared, row_bytes: float) -> int:
    rows = min(prepared.job.model.batch_rows, prepared.plan.estimated_rows)
    return int(_BASE + sum(prepared.bundle.sizes.values()) + _COPIES * row_bytes * rows)


@dataclass(frozen=True, slots=True)
class _Measured:
    rows: int = 0
    seconds: float = 0.0
    bytes: int = 0

    def __add__(self, other: _Measured) -> _Measured:
        return _Measured(self.rows + other.rows, self.seconds + other.seconds, self.bytes + other.bytes)


def _measure(work: Work, partition: Partition) -> _Measured:
    """What scoring the first block of a partition costs."""
    model = work.model.load()
    opened = PartitionReader(work.reading(model.bundle.columns), partition)
    before, begin = pa.total_allocated_bytes(), time.perf_counter()
    scored = next(Scorer(work, model, opened).readable(islice(opened, 1)), None)
    seconds = time.perf_counter() - begin
    rows = scored.table.num_rows if scored is not None else 0
    return _Measured(rows, seconds, pa.total_allocated_bytes() - before)
