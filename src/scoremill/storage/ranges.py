"""Random access to remote objects, by ranged requests."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from .stores.objects import ObjectInfo

Read = Callable[[str, int, int | None, str | None], bytes]
"""Store.read: name, start, end, version."""


class RangeReader(io.RawIOBase):
    """One version of an object, each read one request under the rules of retry."""

    def __init__(self, read: Read, info: ObjectInfo) -> None:
        self._read = read
        self._info = info
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._info.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readall(self) -> bytes:
        # Python's own asks for 8 KiB at a time.
        data = self._read(self._info.name, self._at, self._info.size, self._info.version)
        self._at += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        end = min(self._at + len(buffer), self._info.size)
        if end <= self._at:
            return 0
        data = self._read(self._info.name, self._at, end, self._info.version)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
