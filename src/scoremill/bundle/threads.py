"""One thread for BLAS, OpenMP and Arrow: a worker is one core, and sums in one order give the same bits."""

from __future__ import annotations

import ctypes
import os

from scoremill import naming

ONE_THREAD = naming.ONE_THREAD


_TRIM, _MAP = -1, -3
"""mallopt's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, from malloc.h."""


def keep_memory() -> None:
    """From here on glibc keeps up to 64 MiB of what is freed, and maps only blocks above 32 MiB.

    Dask starts workers with a trim threshold of 64 KiB, which also ends glibc's own adaptation: every array of a batch
    would then be mapped, faulted in page by page, and unmapped again. Elsewhere than on glibc nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_MAP, 32 * 2**20)
    mallopt(_TRIM, 64 * 2**20)


def limit_threads() -> None:
    """From here on this process computes on one thread, in libraries loaded already and in those to come."""
    import pyarrow as pa
    from threadpoolctl import threadpool_limits

    os.environ.update(ONE_THREAD)
    threadpool_limits(limits=1)
    pa.set_cpu_count(1)
