"""One thread for BLAS, OpenMP and Arrow: a worker is one core, and sums in one order give the same bits."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

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


class _ThreadLimit:
    """One thread for as long as anybody holds it; what the process had before comes back afterwards."""

    def __init__(self) -> None:
        self._lock, self._holders, self._before = threading.Lock(), 0, ExitStack()

    def hold(self, *, only_first: bool = False) -> bool:
        """Return whether nobody held it before; with `only_first`, hold it only in that case."""
        with self._lock:
            is_first = not self._holders
            if is_first:
                self._set()
            self._holders += is_first or not only_first
            return is_first

    def release(self) -> None:
        with self._lock:
            self._holders -= 1
            if not self._holders:
                self._before.close()

    def _set(self) -> None:
        import pyarrow as pa
        from threadpoolctl import threadpool_limits

        self._before.callback(_restore, {name: os.environ.get(name) for name in ONE_THREAD})
        os.environ.update(ONE_THREAD)
        self._before.enter_context(threadpool_limits(limits=1))
        self._before.callback(pa.set_cpu_count, pa.cpu_count())
        pa.set_cpu_count(1)


_LIMIT = _ThreadLimit()


def limit_threads() -> bool:
    """From here on this process computes on one thread, in libraries loaded already and in those to come.

    Whether that was not so before.
    """
    return _LIMIT.hold(only_first=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, this process computes on one thread; libraries that were loaded before get back what they had."""
    _LIMIT.hold()
    try:
        yield
    finally:
        _LIMIT.release()


def _restore(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
