"""One thread for BLAS, OpenMP and Arrow: a worker is one core, and sums in one order give the same bits."""

from __future__ import annotations

import os
from collections.abc import Mapping

ONE_THREAD: Mapping[str, str] = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""Environment of a process whose numeric libraries are not loaded yet."""


def limit_threads() -> None:
    """From here on this process computes on one thread, in libraries loaded already and in those to come."""
    import pyarrow as pa
    from threadpoolctl import threadpool_limits

    os.environ.update(ONE_THREAD)
    threadpool_limits(limits=1)
    pa.set_cpu_count(1)
