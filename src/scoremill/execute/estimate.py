"""How long a run will take and how much memory a worker will need, measured on the first rows."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import pyarrow as pa

from .inputs import open_partition
from .prepare import Prepared
from .scoring import Clock, Counts, scored_batches

SAMPLE_ROWS = 20_000
"""Rows scored for the measurement: enough that fixed costs of a call do not count for much."""
_BASE = 300 * 2**20
"""A worker's memory before its first task: Python, pandas, pyarrow and scikit-learn."""
_COPIES = 6
"""Times that a batch's text exists at once, as text, frame, features and results."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will probably need."""

    seconds: float
    worker_bytes: int
    workers: int
    sampled_rows: int


def estimate(prepared: Prepared) -> Estimate | None:
    """The estimate of a plan, from scoring its first rows here; None where there are no rows."""
    work = prepared.work(prepared.plan)
    spec = prepared.job
    workers = spec.cluster.workers.max if spec.cluster.workers else os.cpu_count() or 1
    for partition in prepared.plan.partitions():
        opened = open_partition(work, partition)
        opened.rows = (rows.slice(0, SAMPLE_ROWS) for rows in opened.rows)
        batches = scored_batches(work, opened, Clock(), Counts())
        before, begin = pa.total_allocated_bytes(), time.perf_counter()
        first = next(batches, None)
        seconds = time.perf_counter() - begin
        if first is not None and first.table.num_rows:
            rows = first.table.num_rows
            row_bytes = max(prepared.plan.row_bytes, (pa.total_allocated_bytes() - before) / rows)
            return Estimate(
                seconds=seconds / rows * prepared.plan.estimated_rows / workers,
                worker_bytes=int(
                    _BASE + _COPIES * row_bytes * min(spec.model.batch_rows, prepared.plan.estimated_rows)
                ),
                workers=workers,
                sampled_rows=rows,
            )
    return None
