"""Positions of single bytes in CSV text: newlines, and what an escape character makes an ordinary character."""

from __future__ import annotations

import numpy as np

from ..rows import Positions

Text = np.ndarray[tuple[int], np.dtype[np.uint8]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]

LF, CR, SPACE = 10, 13, 32
NONE: Positions = np.empty(0, np.int64)


def as_array(text: bytes | memoryview) -> Text:
    """Return the bytes of `text` as uint8, without a copy."""
    return np.frombuffer(text, np.uint8)


def are_in(values: Positions, positions: Positions) -> Flags:
    """Return for each of `values` whether it is one of `positions`, which are sorted."""
    if not len(positions):
        return np.zeros(len(values), np.bool_)
    found: Flags = positions[np.minimum(np.searchsorted(positions, values), len(positions) - 1)] == values
    return found


def escaping(text: bytes, escape: bytes) -> Positions:
    """Positions of the escape characters that are not escaped themselves: the odd ones of each run."""
    if escape not in text:
        return NONE
    at = np.flatnonzero(as_array(text) == escape[0])
    begins_run = np.concatenate([[True], np.diff(at) != 1])
    run_starts = at[begins_run][np.cumsum(begins_run) - 1]
    acting: Positions = at[((at - run_starts) & 1) == 0]
    return acting


def newline_ends(text: bytes | memoryview, final: bool) -> Positions:
    """Positions just behind each newline (LF, CR, CRLF), quoted or not.

    A CR that ends a text that is not `final` can be half a CRLF and does not count.
    """
    array = as_array(text)
    newline = array == LF
    carriage = array == CR
    if carriage.any():
        carriage[:-1] &= ~newline[1:]
        carriage[-1] &= final
        newline |= carriage
    ends: Positions = np.flatnonzero(newline) + 1
    return ends


def count_newlines(text: bytes, begin: int, stop: int) -> int:
    """Newlines (LF, CR, CRLF) whose last byte lies between positions `begin` and `stop` of `text`."""
    array = as_array(text)
    count = int(np.count_nonzero(array[begin:stop] == LF))
    if text.find(b"\r", begin, stop) < 0:
        return count
    carriages = np.flatnonzero(array[begin:stop] == CR) + begin
    alone = np.append(array, 0)[carriages + 1] != LF
    return count + int(alone.sum())
