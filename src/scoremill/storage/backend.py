"""What each kind of store must do; errors are those of its client library, made readable by Store."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any, BinaryIO, Protocol

from scoremill.errors import InputChanged
from scoremill.units import MIB

from .commit import Upload
from .objects import ObjectInfo

READ_AHEAD = 4 * MIB
"""Bytes that an opened remote object fetches at a time."""


class Backend(Protocol):
    """One root on one file system. Names are below the root; missing objects raise FileNotFoundError."""

    @property
    def has_conditional_create(self) -> bool: ...

    def info(self, name: str) -> ObjectInfo | None: ...
    def listed(self, prefix: str) -> list[ObjectInfo]: ...
    def read(self, name: str, start: int, end: int | None, version: str | None) -> bytes: ...
    def open(self, name: str, version: str | None) -> BinaryIO: ...
    def write(self, name: str, data: bytes) -> None: ...
    def create(self, name: str, data: bytes) -> bool: ...
    def delete(self, names: Sequence[str]) -> None: ...
    def upload(self, name: str) -> Upload: ...
    def sweep(self) -> list[str]: ...


class RangeReader(io.RawIOBase):
    """Random access to one version of an object, each read a ranged request under the rules of retry."""

    def __init__(self, backend: Backend, info: ObjectInfo) -> None:
        self._backend = backend
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

    def readinto(self, buffer: Any) -> int:
        end = min(self._at + len(buffer), self._info.size)
        if end <= self._at:
            return 0
        data = self._backend.read(self._info.name, self._at, end, self._info.version)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def open_ranges(backend: Backend, name: str, version: str | None) -> BinaryIO:
    """A buffered RangeReader on `name`, pinned to `version` or to the one that is there now."""
    info = backend.info(name)
    if info is None:
        raise FileNotFoundError(name)
    if version is not None and info.version != version:
        raise changed(name)
    return io.BufferedReader(RangeReader(backend, info), READ_AHEAD)


def changed(name: str) -> InputChanged:
    """The error for an object that is another one than was asked for."""
    return InputChanged(
        f"{name} was replaced after the run was planned",
        "Keep inputs unchanged while they are scored; plan again to score the new content.",
    )


def described(name: str, detail: dict[str, Any]) -> ObjectInfo:
    """From the mapping with which an fsspec file system describes an object."""
    size = int(detail.get("size") or detail.get("Size") or 0)
    modified = next((_seconds(detail[key]) for key in _TIMES if detail.get(key)), 0.0)
    tag = next((str(detail[key]) for key in _TAGS if detail.get(key)), None)
    version = tag.removeprefix("W/").strip('"') if tag else f"{size}-{round(modified * 1e9)}"
    return ObjectInfo(name, size, version, modified)


_TIMES = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")
_TAGS = ("generation", "ETag", "etag")


def _seconds(time: object) -> float:
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    return time.timestamp() if isinstance(time, datetime) else float(time)  # type: ignore[arg-type]
