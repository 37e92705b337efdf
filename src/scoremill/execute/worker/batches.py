"""Blocks of rows, as readers give them, made into batches of a fixed count, as the model gets them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from scoremill.tabular.rows import Reject, Rows, concat


def rebatch(blocks: Iterator[Rows], size: int) -> Iterator[Rows]:
    """The same rows and rejects in batches of `size` rows, the last one shorter, and rejects without rows in between.

    A model's bits may depend on how many rows it is called with, so the count is a matter of the partition alone,
    never of what a store delivers at a time. Rejects come in the order of their numbers, none before a row that
    precedes it. No block is held but those that the rows of the next batch came from.
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
    """All rows of `held` but the last `left`, which are of its last block; and those."""
    last = held[-1]
    cut = len(last) - left
    return concat([*held[:-1], last.slice(0, cut)]), [last.slice(cut, len(last))] if left else []
