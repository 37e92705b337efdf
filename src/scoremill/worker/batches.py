"""Turn the blocks of rows that readers yield into batches of a fixed number of rows for the model."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from scoremill.tabular.rows import Reject, Rows, concat


def rebatch(blocks: Iterator[Rows], size: int) -> Iterator[Rows]:
    """Yield the same rows and rejects in batches of `size` rows; the last is shorter, and some have only rejects.

    Results of a model can depend on the number of rows in a call, so that number depends only on the partition, never on
    how much a store delivers at a time. Rejects are in the order of their numbers, after the rows that precede them.
    Only the blocks of the next batch are kept in memory.
    """
    held: list[Rows] = []
    rejects: list[Reject] = []
    count = 0
    for block in blocks:
        rejects += block.rejects
        if len(block):
            held.append(block)
            count += len(block)
        while count >= size:
            count -= size
            full, held = _split(held, count)
            cut = bisect_left(rejects, int(full.numbers[-1]), key=lambda reject: reject.row)
            full.rejects, rejects = rejects[:cut], rejects[cut:]
            yield full
            del full
        if rejects and not count:
            only = block.slice(0, 0)
            only.rejects, rejects = rejects, []
            yield only
    if held:
        last = concat(held)
        last.rejects = rejects
        yield last


def _split(held: list[Rows], left: int) -> tuple[Rows, list[Rows]]:
    """Return all rows of `held` except the last `left`, which are in its last block, and those rows."""
    last = held[-1]
    cut = len(last) - left
    return concat([*held[:-1], last.slice(0, cut)]), [last.slice(cut, len(last))] if left else []
