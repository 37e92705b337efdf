"""Files on this machine: temporary names in the same folder, then a rename or a link."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from scoremill.errors import StorageError
from scoremill.units import MIB

from ..failures.faults import VersionChanged
from .commit import is_temporary, temporary_name
from .objects import MOST_CHILDREN, ObjectInfo

_PROBE_BYTES = 4096
"""Enough that a full disk refuses them."""
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class LocalBackend:
    """A folder, which need not exist before the first write."""

    has_conditional_create = True

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def info(self, name: str) -> ObjectInfo | None:
        try:
            status = self._path(name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return None if stat.S_ISDIR(status.st_mode) else _described(name, status)

    def listed(self, prefix: str) -> list[ObjectInfo]:
        names = (name for name in self._names(prefix) if name.startswith(prefix) and not is_temporary(name))
        return sorted(filter(None, map(self.info, names)), key=lambda one: one.name)

    def children(self, folder: str) -> list[str]:
        try:
            with os.scandir(self._path(folder)) as entries:
                return [f"{one.name}/" if one.is_dir() else one.name for one in islice(entries, MOST_CHILDREN)]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def read(self, name: str, start: int, end: int | None, version: str | None) -> bytes:
        with self.open(name, version) as file:
            file.seek(start)
            data = file.read() if end is None else file.read(max(0, end - start))
            if version is not None and _described(name, os.fstat(file.fileno())).version != version:
                raise VersionChanged
            return data

    def open(self, name: str, version: str | None) -> BinaryIO:
        file = self._path(name).open("rb")
        if version is not None and _described(name, os.fstat(file.fileno())).version != version:
            file.close()
            raise VersionChanged
        return file

    def write(self, name: str, data: bytes) -> None:
        upload = self.upload(name)
        try:
            upload.write(memoryview(data))
            upload.commit()
        except BaseException:
            upload.abort()
            raise

    def create(self, name: str, data: bytes) -> bool:
        upload = self.upload(name)
        try:
            upload.write(memoryview(data))
            return upload.link()
        finally:
            upload.abort()

    def probe(self) -> None:
        """A marker in the folder, or in the closest one above it: no folder is made that a run does not need."""
        folder = next(path for path in (self._root, *self._root.parents) if path.exists())
        marker = folder / temporary_name("probe")
        try:
            with _creating(folder), marker.open("xb") as file:
                file.write(bytes(_PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        finally:
            marker.unlink(missing_ok=True)

    def delete(self, names: Sequence[str]) -> None:
        for name in names:
            self._own_path(name).unlink(missing_ok=True)

    def upload(self, name: str) -> LocalUpload:
        return LocalUpload(self._own_path(name))

    def sweep(self, *, remove: bool = True) -> list[str]:
        left = sorted(name for name in self._names("", follows_links=False) if is_temporary(name))
        if remove:
            self.delete(left)
        return left

    def _path(self, name: str) -> Path:
        return self._root / name

    def _own_path(self, name: str) -> Path:
        """The path of a file to create or remove; StorageError if it is in a folder elsewhere, where a link leads."""
        path = self._path(name)
        top, folder = os.path.realpath(self._root), os.path.realpath(path.parent)
        if os.path.commonpath([top, folder]) != top:
            raise StorageError(
                f"{path} is not below {self._root}: a link leads to {folder}",
                "Replace the link by a folder. If you did not make it, the output was tampered with.",
                code="FileSystemFailed",
            )
        return path

    def _names(self, prefix: str, *, follows_links: bool = True) -> Iterator[str]:
        """Yield the names of all files in the folder of `prefix`; links to folders are followed, but never in circles."""
        top = self._path(prefix.rpartition("/")[0])
        for folder, folders, files in os.walk(top, followlinks=follows_links):
            here = os.path.realpath(folder)
            folders[:] = [
                one for one in folders if not f"{here}/".startswith(f"{os.path.realpath(Path(folder, one))}/")
            ]
            below = Path(folder).relative_to(self._root)
            yield from ((below / file).as_posix() for file in files)


class LocalUpload:
    """A hidden file in the folder of its final path."""

    def __init__(self, path: Path) -> None:
        with _creating(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._temporary = path.with_name(temporary_name(path.name))
        self._file = self._temporary.open("xb", buffering=MIB)

    def write(self, data: memoryview) -> None:
        self._file.write(data)

    def commit(self) -> None:
        self._finish()
        self._temporary.replace(self._path)

    def link(self) -> bool:
        """Create the object if it does not exist, and return whether it was created."""
        self._finish()
        try:
            os.link(self._temporary, self._path)
        except FileExistsError:
            # A network file system can lose the response to a link that it made.
            return self._temporary.stat().st_nlink == 2
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._create_without_links()
        return True

    def abort(self) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _create_without_links(self) -> bool:
        try:
            with self._path.open("xb") as file:
                file.write(self._temporary.read_bytes())
        except FileExistsError:
            return False
        return True


@contextmanager
def _creating(path: Path) -> Iterator[None]:
    """What is created at `path` is missing nothing, unless this is /proc or something like it."""
    try:
        yield
    except FileNotFoundError:
        raise OSError(errno.EOPNOTSUPP, "no files can be created there", str(path)) from None


def _described(name: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(name, status.st_size, f"{status.st_size}-{status.st_mtime_ns}", status.st_mtime)
