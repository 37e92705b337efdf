"""Bytes of records as UTF-8, and which of them are not text."""

from __future__ import annotations

import codecs

import numpy as np
import pyarrow as pa


def is_utf8(encoding: str) -> bool:
    """Return whether `encoding` is a name of UTF-8, with or without a byte order mark."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def to_utf8(text: bytes | memoryview, encoding: str) -> bytes | memoryview | None:
    """Return `text` as UTF-8, unchanged if it is that already; None if it is not text in `encoding`."""
    if is_utf8(encoding):
        return text if _is_valid_utf8(text) else None
    try:
        return codecs.decode(text, encoding).encode()
    except UnicodeError:
        return None


def _is_valid_utf8(text: bytes | memoryview) -> bool:
    offsets = pa.py_buffer(np.array([0, len(text)], np.int64))
    array = pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(text))
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
