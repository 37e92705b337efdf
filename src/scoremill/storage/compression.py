"""How objects are compressed: their first bytes tell, and before those are read, their names."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal

Compression = Literal["gzip", "bzip2", "xz", "zstd"]

SUFFIXES: dict[str, Compression] = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
"""Suffixes of objects that are taken for compressed as long as nobody has looked into them."""
MAGIC_BYTES = 16
"""Bytes at the beginning of an object that tell how it is compressed."""

_MAGIC: tuple[tuple[re.Pattern[bytes], Compression], ...] = (
    (re.compile(rb"\x1f\x8b\x08"), "gzip"),
    # Text can begin with BZh9, so the mark of the first block, or of an empty file, counts too.
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), "bzip2"),
    (re.compile(rb"\xfd7zXZ\x00"), "xz"),
    (re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", re.DOTALL), "zstd"),
)


def compression_by_name(name: str) -> Compression | None:
    """Return how an object of that name is probably compressed."""
    return SUFFIXES.get(PurePosixPath(name.lower()).suffix)


def compression_of(head: bytes) -> Compression | None:
    """Return how the object that begins with `head` is compressed; None if it is not, or in no way that can be read."""
    return next((kind for magic, kind in _MAGIC if magic.match(head)), None)
