"""Compressed objects as the bytes they hold."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from types import TracebackType
from typing import BinaryIO, Protocol, Self, cast

import zstandard

from scoremill.errors import InputError
from scoremill.storage.compression import MAGIC_BYTES, Compression, compression_of

_FEED = 1 << 10
"""Compressed bytes fed to zstandard at a time, which gives all that they hold: 32 MiB at most (a block of 4 bytes is 128 KiB)."""
_BROKEN = (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, gzip.BadGzipFile)


class Stream(Protocol):
    """Decompressed bytes, forwards."""

    def read(self, n: int, /) -> bytes: ...


def open_decoded(file: BinaryIO, compression: Compression | None) -> Stream:
    """Return the bytes that `file` holds, of all its members; `file` itself if it is not compressed."""
    match compression:
        case "gzip":
            return cast(Stream, gzip.GzipFile(fileobj=file, mode="rb"))
        case "bzip2":
            return cast(Stream, bz2.BZ2File(file))
        case "xz":
            return cast(Stream, lzma.LZMAFile(file))
        case "zstd":
            return _Zstandard(file)
    return file


class DecodedSource:
    """An object as a Source of unknown size, decompressed as its first bytes tell; going back decompresses it again.

    InputError that names the object if it is truncated or damaged.
    """

    size = None

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self._file = file
        self.compression = compression_of(file.read(MAGIC_BYTES))
        """How the object is compressed; None if it is not."""
        self._rewind()

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`; fewer only where the object ends."""
        if start < self._at:
            self._rewind()
        while self._at < start:
            if not self._next(min(start - self._at, 1 << 20)):
                return b""
        pieces: list[bytes] = []
        while self._at < end and (piece := self._next(end - self._at)):
            pieces.append(piece)
        return b"".join(pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _rewind(self) -> None:
        self._file.seek(0)
        self._stream, self._at = open_decoded(self._file, self.compression), 0

    def _next(self, count: int) -> bytes:
        try:
            piece = self._stream.read(count)
        except (*_BROKEN, OSError) as error:
            if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile) and error.errno is not None:
                raise
            raise InputError(
                f"{self.name} is truncated or damaged: {error}",
                "Upload it again; `gzip -t`, `bzip2 -t`, `zstd -t` or `xz -t` shows whether a copy is complete.",
                code="InputDamaged",
            ) from None
        self._at += len(piece)
        return piece


class _Zstandard:
    """zstandard's reader, which takes a truncated frame for the end, made to tell."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._held = b""
        self._rest = b""
        self._frame: zstandard.ZstdDecompressionObj | None = None

    def read(self, n: int, /) -> bytes:
        while not self._held:
            if not self._rest:
                self._rest = self._file.read(_FEED)
            if not self._rest:
                if self._frame is not None:
                    raise EOFError("the last frame is not complete")
                return b""
            self._feed()
        piece, self._held = self._held[:n], self._held[n:]
        return piece

    def _feed(self) -> None:
        self._frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
        self._held = self._frame.decompress(self._rest)
        self._rest = b""
        if self._frame.eof:
            self._rest, self._frame = self._frame.unused_data, None
