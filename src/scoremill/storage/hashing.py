"""The SHA-256 of what an object or a file holds, in hexadecimal."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

_CHUNK = 2**23


def sha256(file: BinaryIO) -> str:
    """The hash of what is left in `file`."""
    state = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        state.update(chunk)
    return state.hexdigest()
