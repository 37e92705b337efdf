"""Many small changes of a text, applied together."""

from __future__ import annotations

import numpy as np

from ...rows import Positions
from ..positions import NONE, as_array


class Edits:
    """Bytes of `text` to drop or to change, and copies of one byte to insert, all by their positions in `text`."""

    def __init__(self, text: bytes, inserted: bytes = b'"') -> None:
        self._array = as_array(text).copy()
        self._keep = np.ones(len(text), np.bool_)
        self._inserted, self._insertions = inserted, NONE

    def drop(self, positions: Positions) -> None:
        self._keep[positions] = False

    def drop_stretches(self, begins: Positions, ends: Positions) -> None:
        lengths = ends - begins
        firsts = np.repeat(begins - (np.cumsum(lengths) - lengths), lengths)
        self.drop(firsts + np.arange(len(firsts)))

    def put(self, positions: Positions, byte: bytes) -> None:
        self._array[positions] = byte[0]

    def insert(self, *positions: Positions) -> None:
        self._insertions = np.concatenate([self._insertions, *positions])

    def text(self) -> bytes:
        """Return the edited text."""
        kept = self._array[self._keep]
        if len(self._insertions):
            dropped = np.flatnonzero(~self._keep)
            moved = self._insertions - np.searchsorted(dropped, self._insertions)
            kept = np.insert(kept, moved, self._inserted[0])
        return kept.tobytes()
