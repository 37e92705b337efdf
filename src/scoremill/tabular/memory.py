"""Reads that take no more memory than there is: a file of a few kilobytes can decode to gigabytes.

What a file says of its sizes is not to be believed, so it is the kernel that sets the limit: beyond it, allocations fail.
"""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

Item = TypeVar("Item")

_SHARE = 0.95
"""Fraction of a process's limit at which Dask ends a worker."""
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_NO_THREAD = "Failed to launch worker thread"
"""What Arrow says if there is no memory for the stack of a thread."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


def _available() -> int:
    """Return the bytes that the machine could give to processes without swapping."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def _of_groups() -> Iterator[int]:
    """The limits of the container that this process is in."""
    for path in map(Path, _CGROUPS):
        text = path.read_text().strip() if path.exists() else ""
        if text.isdecimal():
            yield int(text)


class _MemoryLimit:
    """The limit of this process's memory; reads at the same time share the one that the first of them has set."""

    def __init__(self) -> None:
        self.of_process: int | None = None
        """Bytes of memory that this process can use; None for all of the machine."""
        self._lock, self._holders, self._before = threading.Lock(), 0, ExitStack()

    @contextmanager
    def held(self, spare: int) -> Iterator[None]:
        with self._lock:
            if not self._holders:
                self._set(spare)
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if not self._holders:
                    self._before.close()

    def _set(self, spare: int) -> None:
        # Arrow's own pool reserves a gigabyte of addresses, which it can then fill whatever the limit is.
        self._before.callback(pa.set_memory_pool, pa.default_memory_pool())
        pa.set_memory_pool(pa.system_memory_pool())
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = _data_bytes() + spare
        self._before.callback(resource.setrlimit, resource.RLIMIT_DATA, (soft, hard))
        if soft == resource.RLIM_INFINITY or most < soft:
            resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _data_bytes() -> int:
    """What the kernel counts against the limit: all private memory that can be written."""
    return int(Path("/proc/self/statm").read_text().split()[5]) * _PAGE


_LIMIT = _MemoryLimit()


def limit_memory(limit: int | None) -> None:
    """Limit the memory of this process to `limit` bytes; None for all of the machine."""
    _LIMIT.of_process = limit or None


def spare_memory() -> int | None:
    """Return the bytes that this process can still take; None if that is not known here."""
    try:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
        if _LIMIT.of_process:
            left = [_SHARE * _LIMIT.of_process - resident]
        else:
            left = [_SHARE * _available(), *(_SHARE * limit - resident for limit in _of_groups())]
    except OSError:
        return None
    return max(0, int(min(left)))


class OutOfMemoryError(MemoryError):
    """Something takes more memory than there is."""

    def __init__(self, spare: int) -> None:
        super().__init__(spare)
        self.spare = spare
        """Bytes that there were."""


def is_out_of_memory(error: Exception) -> bool:
    """Return whether `error` is one of Arrow or Python that says that memory ran out."""
    return isinstance(error, MemoryError) or _NO_THREAD in str(error)


def bounded(items: Iterator[Item]) -> Iterator[Item]:
    """The same items; OutOfMemoryError if one takes more than `spare_memory`."""
    while True:
        spare = spare_memory()
        try:
            if spare is None:
                item = next(items)
            else:
                with _LIMIT.held(spare):
                    item = next(items)
        except StopIteration:
            return
        except (MemoryError, OSError, pa.ArrowException) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemoryError(spare or 0) from None
        yield item
