"""Choose the batches that the original model scores as well: at random, and by nothing but the plan."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from .partition import COMPRESSED, Partition, Piece
from .plan import Plan

_CAUTION = 0.8
"""Fraction of the estimated rows that is expected: a partition with fewer rows might have to be scored again."""
_MOST_BATCHES = 64
"""Maximum number of batches of a partition to choose from."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Batches of a partition, by their position from 0."""

    batches: frozenset[int] = frozenset()
    last: int = 0
    """The batch that stands for all later ones too, because the number of batches is not known in advance."""

    def __contains__(self, batch: int) -> bool:
        return min(batch, self.last) in self.batches


NOTHING = Sample()
EVERYTHING = Sample(frozenset({0}))


def choose_batches(plan: Plan, rows: int) -> dict[int, Sample]:
    """Return the batches to compare in each partition, by its number, so that they are expected to have `rows` rows."""
    found: dict[int, set[int]] = defaultdict(set)
    lasts: dict[int, int] = {}
    by_chance = sorted(_batches(plan), key=lambda batch: rank(plan, *batch[:2])) if rows else []
    for number, batch, last, expected in by_chance:
        if rows <= 0:
            break
        found[number].add(batch)
        lasts[number] = last
        rows -= expected
    return {number: Sample(frozenset(batches), lasts[number]) for number, batches in found.items()}


def rank(plan: Plan, number: int, batch: int = 0) -> bytes:
    """Return a random key to sort by, which depends only on the settings of `plan` and on the numbers."""
    return sha256(f"{plan.settings_hash} {number} {batch}".encode()).digest()


def _batches(plan: Plan) -> Iterator[tuple[int, int, int, int]]:
    """Yield the partition, the position, the last position in the partition, and the expected rows of each batch."""
    size = plan.settings.batch_rows
    for partition in plan.partitions():
        expected = _expected_rows(partition, plan.row_bytes)
        last = min(max(math.ceil(expected / size), 1), _MOST_BATCHES) - 1
        for batch in range(last + 1):
            yield partition.number, batch, last, max(1, min(size, expected - batch * size))


def _expected_rows(partition: Partition, row_bytes: float) -> int:
    return math.floor(_CAUTION * sum(_rows(piece, row_bytes) for piece in partition.pieces))


def _rows(piece: Piece, row_bytes: float) -> float:
    source, length = piece.source, piece.end - piece.start
    if source.format == "parquet":
        return source.rows * length / max(1, source.row_groups)
    return length * (COMPRESSED if source.is_compressed else 1) / row_bytes if row_bytes else 0.0
