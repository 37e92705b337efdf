"""Batches have a fixed number of rows for any blocks of readers."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from scoremill.tabular.rows import Reject, Rows
from scoremill.worker.batches import rebatch

BLOCKS = st.lists(st.lists(st.booleans(), max_size=12), max_size=8)
"""Blocks of rows; False is one that could not be read."""


def blocks_of(kinds: list[list[bool]]) -> list[Rows]:
    blocks, first = [], 0
    for block in kinds:
        numbers = np.array([first + at for at, good in enumerate(block) if good], np.int64)
        rejects = [Reject(first + at, 10 * (first + at), None, "bad", b"") for at, good in enumerate(block) if not good]
        blocks.append(
            Rows(
                pa.table({"n": numbers}),
                numbers,
                rejects,
                lambda numbers=numbers: numbers * 10,
                lambda i, numbers=numbers: str(numbers[i]).encode(),
                lambda i, numbers=numbers: int(numbers[i]),
            )
        )
        first += len(block)
    return blocks


@given(kinds=BLOCKS, size=st.integers(1, 9))
def test_batches_of_a_fixed_size_keep_rows_and_rejects_in_order(kinds, size):
    flat = [good for block in kinds for good in block]
    batches = list(rebatch(iter(blocks_of(kinds)), size))
    good = [at for at, one in enumerate(flat) if one]
    assert [n for batch in batches for n in batch.table["n"].to_pylist()] == good
    assert [len(batch) for batch in batches if len(batch)] == [
        min(size, len(good) - start) for start in range(0, len(good), size)
    ]
    assert [reject.row for batch in batches for reject in batch.rejects] == [
        at for at, one in enumerate(flat) if not one
    ]


@given(kinds=BLOCKS, size=st.integers(1, 9))
def test_offsets_lines_and_texts_stay_with_their_rows(kinds, size):
    for batch in rebatch(iter(blocks_of(kinds)), size):
        numbers = batch.numbers.tolist()
        assert batch.table["n"].to_pylist() == numbers
        assert batch.offsets().tolist() == [10 * n for n in numbers]
        assert [batch.raw(i) for i in range(len(batch))] == [str(n).encode() for n in numbers]
        assert [batch.line(i) for i in range(len(batch))] == numbers


@given(kinds=BLOCKS, cuts=st.lists(st.integers(0, 20), max_size=5), size=st.integers(1, 9))
def test_rows_of_a_batch_do_not_depend_on_the_blocks(kinds, cuts, size):
    flat = [good for block in kinds for good in block]
    edges = [0, *sorted(min(cut, len(flat)) for cut in cuts), len(flat)]
    other = [flat[start:stop] for start, stop in pairwise(edges)]

    def held(blocks: list[list[bool]]) -> list[list[int]]:
        return [batch.table["n"].to_pylist() for batch in rebatch(iter(blocks_of(blocks)), size) if len(batch)]

    assert held(kinds) == held(other)


def test_blocks_are_released_when_no_batch_needs_them():
    alive: list[weakref.ref[pa.Table]] = []

    def blocks() -> Iterator[Rows]:
        left = blocks_of([[True] * 5] * 200)[::-1]
        while left:
            alive.append(weakref.ref(left[-1].table))
            yield left.pop()

    most = 0
    for batch in rebatch(blocks(), 7):
        del batch
        most = max(most, sum(ref() is not None for ref in alive))
    assert most <= 3, "blocks are held until the partition ends"


def test_offsets_and_lines_are_known_in_the_two_thousandth_batch():
    *_, last = rebatch(iter(blocks_of([[True] * 4001])), 2)
    assert (last.offsets().tolist(), last.raw(0), last.line(0)) == ([40000], b"4000", 4000)


def test_rejects_are_yielded_immediately_if_no_row_is_held():
    batches = rebatch(iter(blocks_of([[False] * 3, [False] * 3, [True]])), 100)
    assert [reject.row for reject in next(batches).rejects] == [0, 1, 2]
