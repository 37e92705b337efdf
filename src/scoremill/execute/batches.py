"""Blocks of rows, as readers give them, made into batches of a fixed count, as the model gets them."""

from __future__ import annotations

from collections.abc import Iterator

from scoremill.storage.rows import Rows, concat


def rebatch(blocks: Iterator[Rows], size: int) -> Iterator[Rows]:
    """The same rows and rejects in batches of `size` rows, the last one shorter.

    A model's bits may depend on how many rows it is called with, so the count is a matter of the partition alone,
    never of what a store delivers at a time. A reject goes with the batch that ends after it.
    """
    held: list[Rows] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += len(block)
        while count >= size:
            full, rest = _split(held, size)
            yield full
            held, count = [rest], count - size
    if held and (count or any(rows.rejects for rows in held)):
        yield concat(held)


def _split(held: list[Rows], size: int) -> tuple[Rows, Rows]:
    rows = concat(held)
    full, rest = rows.slice(0, size), rows.slice(size, len(rows))
    after = int(full.numbers[-1])
    full.rejects = [reject for reject in rows.rejects if reject.row < after]
    rest.rejects = [reject for reject in rows.rejects if reject.row > after]
    return full, rest
