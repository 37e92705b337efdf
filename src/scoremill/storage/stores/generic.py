"""Any other installed file system of fsspec's: temporary names, then a move. `memory://` is one, made atomic by a lock."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

from ..connection import Connection
from ..failures.faults import VersionChanged
from .backend import described
from .commit import PART_BYTES, Upload, is_temporary, temporary_name
from .objects import MOST_CHILDREN, ObjectInfo


class GenericBackend:
    """A folder of a file system of which no more is known than fsspec's interface."""

    has_conditional_create = False

    def __init__(self, connection: Connection, uri: str) -> None:
        self._connection = connection
        self._uri = uri

    def info(self, name: str) -> ObjectInfo | None:
        def describe(fs: Any) -> ObjectInfo | None:
            try:
                detail = fs.info(self.path(fs, name))
            except (FileNotFoundError, NotADirectoryError):
                return None
            return None if detail["type"] == "directory" else described(name, detail)

        return self._connection.call(describe)

    def listed(self, prefix: str) -> list[ObjectInfo]:
        return [one for one in self._all(prefix) if not is_temporary(one.name)]

    def children(self, folder: str) -> list[str]:
        def children(fs: Any) -> list[str]:
            path = self.path(fs, folder).rstrip("/")
            try:
                found = [one for one in fs.ls(path, detail=True) if one["name"].rstrip("/") != path]
            except (FileNotFoundError, NotADirectoryError):
                return []
            names = (one["name"].rstrip("/").rpartition("/")[2] + "/" * (one["type"] == "directory") for one in found)
            return list(islice(names, MOST_CHILDREN))

        return self._connection.call(children)

    def read(self, name: str, start: int, end: int | None, version: str | None) -> bytes:
        if end is not None and end <= start:
            return b""
        data: bytes = self._connection.call(lambda fs: fs.cat_file(self.path(fs, name), start=start, end=end))
        if version is not None and getattr(self.info(name), "version", None) != version:
            raise VersionChanged
        return data

    def write(self, name: str, data: bytes) -> None:
        upload = self.upload(name)
        upload.write(memoryview(data))
        try:
            upload.commit()
        except BaseException:
            upload.abort()
            raise

    def create(self, name: str, data: bytes) -> bool:
        def pipe(fs: Any) -> None:
            _in_a_folder(fs, self.path(fs, name), lambda path: fs.pipe_file(path, data, mode="create"))

        try:
            self._connection.call(pipe)
        except FileExistsError:
            return False
        return True

    def delete(self, names: Sequence[str]) -> None:
        for name in names:
            self._connection.call(partial(self._remove, name))

    def upload(self, name: str) -> Upload:
        return SpooledUpload(self, self._connection, name)

    def sweep(self, *, remove: bool = True) -> list[str]:
        left = [one.name for one in self._all("") if is_temporary(one.name)]
        if remove:
            self.delete(left)
        return left

    def _remove(self, name: str, fs: Any) -> None:
        with suppress(FileNotFoundError):
            fs.rm_file(self.path(fs, name))

    def path(self, fs: Any, name: str) -> str:
        """Return the path of the object `name` in the notation of `fs`."""
        return f"{str(fs._strip_protocol(self._uri)).rstrip('/')}/{name}"

    def _all(self, prefix: str) -> list[ObjectInfo]:
        def find(fs: Any) -> list[ObjectInfo]:
            root, folder = self.path(fs, ""), self.path(fs, prefix.rpartition("/")[0]).rstrip("/")
            details = fs.find(folder, detail=True)
            if set(details) == {folder}:
                # An object of the folder's own name: some file systems then list nothing below it.
                details = fs.find(fs._parent(folder), detail=True)
            return [
                described(path[len(root) :], one) for path, one in details.items() if path.startswith(root + prefix)
            ]

        return sorted(self._connection.call(find), key=lambda one: one.name)


class MemoryBackend(GenericBackend):
    """fsspec's memory file system, which all threads of a process share."""

    has_conditional_create = True
    _lock = threading.Lock()

    def write(self, name: str, data: bytes) -> None:
        fs = self._connection.fs
        fs.pipe_file(self.path(fs, name), data)

    def create(self, name: str, data: bytes) -> bool:
        with self._lock:
            return super().create(name, data)

    def upload(self, name: str) -> Upload:
        return WholeUpload(self, name)


class WholeUpload:
    """Collects an object in memory."""

    def __init__(self, backend: MemoryBackend, name: str) -> None:
        self._backend = backend
        self._name = name
        self._data = bytearray()

    def write(self, data: memoryview) -> None:
        self._data += data

    def commit(self) -> None:
        self._backend.write(self._name, bytes(self._data))

    def abort(self) -> None:
        self._data.clear()


class SpooledUpload:
    """Collects an object here, in memory or in a temporary file, so that each step of its upload can be repeated."""

    def __init__(self, backend: GenericBackend, connection: Connection, name: str) -> None:
        self._backend = backend
        self._connection = connection
        self._name = name
        self._temporary = temporary_name(name)
        self._spool = tempfile.SpooledTemporaryFile(PART_BYTES)  # noqa: SIM115 - closed by commit and abort

    def write(self, data: memoryview) -> None:
        self._spool.write(data)

    def commit(self) -> None:
        self._connection.call(lambda fs: _in_a_folder(fs, self._backend.path(fs, self._temporary), self._send(fs)))
        self._connection.call(self._move)
        self._spool.close()

    def abort(self) -> None:
        self._spool.close()
        self._backend.delete([self._temporary])

    def _send(self, fs: Any) -> Callable[[str], None]:
        def send(path: str) -> None:
            self._spool.seek(0)
            with fs.open(path, "wb") as file:
                shutil.copyfileobj(self._spool, file, PART_BYTES)

        return send

    def _move(self, fs: Any) -> None:
        source, target = (self._backend.path(fs, one) for one in (self._temporary, self._name))
        try:
            fs.mv(source, target)
        except FileNotFoundError:
            # An earlier attempt might have moved it, although its response was lost.
            if not fs.exists(target) or fs.exists(source):
                raise


def _in_a_folder(fs: Any, path: str, action: Callable[[str], None]) -> None:
    """Does `action` at `path`, whose folder is made if that is what is missing."""
    try:
        action(path)
    except FileNotFoundError:
        fs.makedirs(fs._parent(path), exist_ok=True)
        action(path)
