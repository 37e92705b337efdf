"""One root on one file system: the only way that the rest of scoremill reads and writes bytes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import BinaryIO

from scoremill.spec import Storage
from scoremill.units import MIB

from .connection import Connection, require_protocol
from .failures.explain import explained
from .failures.faults import VersionChanged
from .names import readable_name, writable_name
from .ranges import RangeReader
from .stores.backend import Backend, probe
from .stores.commit import Publication
from .stores.local import LocalBackend
from .stores.objects import ObjectInfo
from .uri import join, local_path, normalise, protocol_of

DEFAULTS = Storage()
"""Settings that leave everything to the environment."""
READ_AHEAD = 4 * MIB
"""Bytes that an opened remote object fetches at a time."""
Names = list[str]


class Store:
    """A folder or prefix. Cheap to make; pickles as its URI and settings, never with credentials.

    Names are below the root, with `/` between folders. Every operation can raise StorageError, whose hint says what
    to check, after transient faults were retried and expired credentials read again.
    """

    def __init__(self, uri: str, settings: Storage = DEFAULTS) -> None:
        self.uri = normalise(uri)
        self.settings = settings
        self._backend = _backend(self.uri, settings)

    @property
    def has_conditional_create(self) -> bool:
        """True if `create` surely lets only one of several writers win; S3 servers other than Amazon's are tested."""
        with self._explained(self.uri):
            return self._backend.has_conditional_create

    def info(self, name: str) -> ObjectInfo | None:
        """The object `name` as it is now; None if it is not there."""
        with self._explained(self._of(name)):
            return self._backend.info(self._readable(name))

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        """All objects whose names begin with `prefix`, sorted by name, as they are now."""
        with self._explained(self._of(prefix)):
            return self._backend.listed(self._prefix(prefix))

    def children(self, folder: str = "") -> Names:
        """Names directly below `folder`, which is empty or ends in a slash; those of folders end in one. Many are cut off."""
        with self._explained(self._of(folder)):
            return self._backend.children(self._prefix(folder))

    def read(self, name: str, start: int = 0, end: int | None = None, version: str | None = None) -> bytes:
        """Bytes `start` to `end` of an object, fewer where it ends; InputChanged if it is not `version` any more."""
        with self._explained(self._of(name), version):
            return self._backend.read(self._readable(name), start, end, version)

    def open(self, name: str, version: str | None = None) -> BinaryIO:
        """A file for random access to one version of an object: `version`, or the one that is there now."""
        with self._explained(self._of(name), version):
            name = self._readable(name)
            if isinstance(self._backend, LocalBackend):
                return self._backend.open(name, version)
            info = self._backend.info(name)
            if info is None:
                raise FileNotFoundError(name)
            if version not in (None, info.version):
                raise VersionChanged
        return io.BufferedReader(RangeReader(self.read, info), READ_AHEAD)

    def write(self, name: str, data: bytes) -> None:
        """The object `name` holds `data`, whole, in place of what it was."""
        with self._explained(self._of(name)):
            self._backend.write(self._writable(name), data)

    def create(self, name: str, data: bytes) -> bool:
        """Create the object with `data` if it does not exist, and return whether it was created; only one of several callers creates it."""
        with self._explained(self._of(name)):
            return self._backend.create(self._writable(name), data)

    def probe(self) -> None:
        """Return if objects can be created and removed here; nothing stays behind. StorageError says why not."""
        with self._explained(self.uri):
            if isinstance(self._backend, LocalBackend):
                self._backend.probe()
            else:
                probe(self._backend)

    def delete(self, names: Iterable[str]) -> None:
        """None of `names` is there any more."""
        with self._explained(self.uri):
            self._backend.delete([self._writable(name) for name in names])

    @contextmanager
    def publish(self, name: str) -> Iterator[Publication]:
        """Streams an object, which appears whole at the end of the block, and not at all if the block raises."""
        uri = self._of(name)
        with self._explained(uri):
            upload = self._backend.upload(self._writable(name))
        publication = Publication(upload, uri, self.settings)
        try:
            yield publication
            publication.close()
            with self._explained(uri):
                upload.commit()
        except BaseException:
            # What cannot be taken back now is found by `sweep`.
            with suppress(Exception):
                upload.abort()
            raise

    def sweep(self, *, remove: bool = True) -> Names:
        """Remove unfinished uploads and temporary files below the root, or only list them; return their names.

        Nobody else must be writing there: their uploads look like those that a killed process left.
        """
        with self._explained(self.uri):
            return self._backend.sweep(remove=remove)

    def __repr__(self) -> str:
        return f"Store({self.uri!r})"

    def __reduce__(self) -> tuple[object, ...]:
        # A relative path must mean the same in a worker that runs elsewhere.
        uri = local_path(self.uri) if protocol_of(self.uri) == "file" else self.uri
        return type(self), (uri, self.settings)

    def _explained(self, uri: str, version: str | None = None) -> AbstractContextManager[None]:
        return explained(uri, self.settings, version)

    def _prefix(self, prefix: str) -> str:
        if prefix:
            self._readable(prefix.removesuffix("/"))
        return prefix

    def _readable(self, name: str) -> str:
        return readable_name(name, is_local=isinstance(self._backend, LocalBackend))

    def _writable(self, name: str) -> str:
        return writable_name(name, is_local=isinstance(self._backend, LocalBackend))

    def _of(self, name: str) -> str:
        return join(self.uri, name)


def _backend(uri: str, settings: Storage) -> Backend:
    protocol = protocol_of(uri)
    if protocol == "file":
        return LocalBackend(local_path(uri))
    require_protocol(protocol)
    connection = Connection(uri, settings)
    if protocol == "s3":
        from .stores.s3 import S3Backend

        return S3Backend(connection, uri)
    if protocol == "gs":
        from .stores.gcs import GcsBackend

        return GcsBackend(connection, uri)
    from .stores.generic import GenericBackend, MemoryBackend

    return MemoryBackend(connection, uri) if protocol == "memory" else GenericBackend(connection, uri)
