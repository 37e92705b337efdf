"""Atomic publishing: an object appears whole or not at all."""

from __future__ import annotations

import hashlib
import re
import secrets
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

from scoremill.spec import Storage
from scoremill.units import MIB

from ..failures.explain import explained

if TYPE_CHECKING:
    from typing_extensions import Buffer

PART_BYTES = 8 * MIB
"""An object below this is one request; a larger one is uploaded in parts of at least this size."""

_TEMPORARY = re.compile(r"(.*/)?\.[^/]*\.[0-9a-f]{16}\.tmp")


def temporary_name(name: str) -> str:
    """A hidden name in the folder of `name`, which nobody else has: `.NAME.<16 digits>.tmp`."""
    folder, slash, base = name.rpartition("/")
    return f"{folder}{slash}.{base[:50]}.{secrets.token_hex(8)}.tmp"


def is_temporary(name: str) -> bool:
    """Return whether `name` is one that `temporary_name` gives."""
    return _TEMPORARY.fullmatch(name) is not None


class Upload(Protocol):
    """Bytes on their way to an object that nobody sees yet."""

    def write(self, data: memoryview) -> None:
        """Takes the next bytes."""

    def commit(self) -> None:
        """Makes the object appear, whole."""

    def abort(self) -> None:
        """Leaves nothing; harmless after a failed commit."""


class PartedUpload(ABC):
    """An upload to an object store: one request below PART_BYTES, else parts; holds one part in memory."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts = 0

    def write(self, data: memoryview) -> None:
        self._buffer += data
        while len(self._buffer) >= self._part_bytes():
            if self._parts == 0:
                self._begin()
            size = self._part_bytes()
            self._send(bytes(self._buffer[:size]))
            del self._buffer[:size]
            self._parts += 1

    def commit(self) -> None:
        if self._parts == 0:
            self._put(bytes(self._buffer))
        else:
            self._finish(bytes(self._buffer))
        self._parts = 0

    def abort(self) -> None:
        if self._parts:
            self._cancel()

    def _part_bytes(self) -> int:
        # S3 takes 10,000 parts: growing ones reach 440 GB.
        return PART_BYTES * (1 + self._parts // 1000)

    @abstractmethod
    def _put(self, data: bytes) -> None:
        """Publishes `data` in one request."""

    @abstractmethod
    def _begin(self) -> None:
        """Opens an upload in parts."""

    @abstractmethod
    def _send(self, data: bytes) -> None:
        """Sends the next part."""

    @abstractmethod
    def _finish(self, last: bytes) -> None:
        """Sends the `last` bytes, perhaps none, and publishes."""

    @abstractmethod
    def _cancel(self) -> None:
        """Drops all parts."""


class Publication:
    """What `Store.publish` gives: write bytes; after the `with` block `size` and `sha256` say what was published.

    Also a sink for pyarrow. `close` only ends writing: the `with` block decides whether the object appears.
    """

    def __init__(self, upload: Upload, uri: str, settings: Storage) -> None:
        self.uri = uri
        self.size = 0
        """Bytes written so far."""
        self.closed = False
        self._upload = upload
        self._settings = settings
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes written so far, in hexadecimal."""
        return self._hash.hexdigest()

    def write(self, data: Buffer) -> int:
        """The number of bytes in `data`, all of which are taken."""
        if self.closed:
            raise ValueError(f"{self.uri} is closed")
        view = memoryview(data).cast("B")
        with explained(self.uri, self._settings):
            self._upload.write(view)
        self._hash.update(view)
        self.size += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        """Nothing: parts leave when they are full."""

    def close(self) -> None:
        """Ends writing."""
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return not self.closed

    def seekable(self) -> bool:
        return False
