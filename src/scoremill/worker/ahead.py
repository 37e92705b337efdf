"""Fetch small objects before they are needed, several at a time: a store answers one request in milliseconds, and many in parallel."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from scoremill.planning import Piece
from scoremill.spec import Storage
from scoremill.storage.filesystem import Store, is_local
from scoremill.units import MIB

_SMALL = MIB
_AHEAD = 16
"""Number of objects that are fetched at the same time, each of `_SMALL` bytes at most."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The bytes of one object in memory."""

    name: str
    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def read(self, start: int, end: int) -> bytes:
        return self.content[start:end]


class Ahead:
    """The small remote objects of a partition, in the order of their pieces."""

    def __init__(self, pieces: Sequence[Piece], storage: Storage) -> None:
        self._storage = storage
        small = [piece for piece in pieces if _is_small(piece)]
        # A single object is read as fast without this.
        self._left = deque(small if len(small) > 1 else ())
        self._coming: deque[tuple[Piece, Future[bytes]]] = deque()

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(_AHEAD, thread_name_prefix="scoremill-ahead") if self._left else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def take(self, piece: Piece) -> Fetched | None:
        """Return the object of the next piece, or None if it is not fetched ahead; raise what the request has raised."""
        self._request()
        if not self._coming or self._coming[0][0] is not piece:
            return None
        _, future = self._coming.popleft()
        content = future.result()
        self._request()
        return Fetched(piece.source.uri, content)

    def _request(self) -> None:
        while self._pool is not None and self._left and len(self._coming) < _AHEAD:
            piece = self._left.popleft()
            self._coming.append((piece, self._pool.submit(self._fetch, piece)))

    def _fetch(self, piece: Piece) -> bytes:
        source = piece.source
        return Store(source.root, self._storage).read(source.name, 0, source.size, source.version)


def _is_small(piece: Piece) -> bool:
    return (
        piece.start == 0 and 0 < piece.source.size <= _SMALL and not piece.rejected and not is_local(piece.source.root)
    )
