"""What each kind of store must do; errors are those of its client library, made readable by Store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from .commit import Upload, temporary_name
from .objects import ObjectInfo


class Backend(Protocol):
    """One root on one file system. Missing objects raise FileNotFoundError, replaced ones VersionChanged."""

    @property
    def has_conditional_create(self) -> bool: ...

    def info(self, name: str) -> ObjectInfo | None: ...
    def listed(self, prefix: str) -> list[ObjectInfo]: ...
    def children(self, folder: str) -> list[str]: ...
    def read(self, name: str, start: int, end: int | None, version: str | None) -> bytes: ...
    def write(self, name: str, data: bytes) -> None: ...
    def create(self, name: str, data: bytes) -> bool: ...
    def delete(self, names: Sequence[str]) -> None: ...
    def upload(self, name: str) -> Upload: ...
    def sweep(self, *, remove: bool = True) -> list[str]: ...


def probe(backend: Backend) -> None:
    """Create a hidden marker on condition that it does not exist, and remove it."""
    name = temporary_name("probe")
    backend.create(name, b"")
    backend.delete([name])


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
