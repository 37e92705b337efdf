"""What a job is cut into: sources, pieces of them, and partitions with stable ids and numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from scoremill.discovery import Source

PACK_BELOW = 16
"""Files smaller than 1/16 of a partition are packed, several to a partition."""
PACK_TO = 4
"""Packing stops at 1/4 of a partition, so that many small files still spread over workers."""
PACK_FILES = 1000
"""The most files in one partition."""
COMPRESSED = 8
"""Bytes of plain CSV that a byte of a compressed CSV or of a Parquet object counts for when files are packed."""
ROW_BYTES = 128
"""Bytes of plain CSV that a row of a Parquet object counts for at least: repeated values take hardly any bytes there."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A byte range of a CSV, or a range of row groups of a Parquet object."""

    source: Source
    start: int
    end: int
    inside_quotes: bool = False
    """The hypothesis about `start`: does it lie inside a quoted field?"""
    whole: bool = False
    """The file's quotes are irregular: it is read from its first byte to its last by a state machine."""
    rejected: bool = False
    """The object cannot be read, and is rejected as a whole."""

    def __str__(self) -> str:
        unit = "row groups" if self.source.format == "parquet" else "bytes"
        return f"{self.source.uri}, {unit} {self.start} to {self.end}"


@dataclass(frozen=True, slots=True)
class Partition:
    """The unit of work, of retry and of receipt."""

    number: int
    """Position in the order of the input."""
    id: str
    """Hash of all that shapes its rows and bytes."""
    pieces: tuple[Piece, ...]

    def __str__(self) -> str:
        return f"partition {self.number} ({self.pieces[0]})"

    @property
    def size(self) -> int:
        return sum(piece.end - piece.start for piece in self.pieces if piece.source.format == "csv")


@dataclass(frozen=True, slots=True)
class Group:
    """Partitions that are proven together: one file cut into `count`, or several small ones in one."""

    first: int
    """Number of its first partition."""
    count: int
    sources: tuple[Source, ...]


def partition_id(settings: str, pieces: tuple[Piece, ...]) -> str:
    """16 hexadecimal digits: a hash of `settings` (itself a hash) and of the pieces' objects and ranges."""
    hashed = hashlib.sha256(settings.encode())
    for p in pieces:
        hashed.update(
            f"\0{p.source.name}\0{p.source.identity}\0{p.start}\0{p.end}\0{p.inside_quotes:d}{p.whole:d}".encode()
        )
    if any(p.rejected for p in pieces):
        # Which objects cannot be read follows from the objects: one id, whichever were found so far.
        hashed.update(b"\0rejected")
    return hashed.hexdigest()[:16]


def make_partition(settings: str, number: int, *pieces: Piece) -> Partition:
    """The partition of these pieces, with its id."""
    return Partition(number, partition_id(settings, pieces), pieces)


def group_sources(sources: list[Source], partition_bytes: int, first: int = 0) -> list[Group]:
    """`sources` in their order as groups, numbered from `first`; a function of the sources alone."""
    groups: list[Group] = []
    for packed in _pack(sources, partition_bytes):
        count = _parts(packed[0], partition_bytes) if len(packed) == 1 else 1
        groups.append(Group(first, count, tuple(packed)))
        first += count
    return groups


def partition_at(
    group: Group, index: int, settings: str, partition_bytes: int, inside_quotes: bool = False
) -> Partition:
    """Partition `index` of `group`, under a hypothesis about its start."""
    if len(group.sources) > 1:
        pieces = tuple(whole_pieces(group))
    else:
        pieces = (piece_at(group, index, partition_bytes, inside_quotes),)
    return make_partition(settings, group.first + index, *pieces)


def piece_at(group: Group, index: int, partition_bytes: int, inside_quotes: bool = False) -> Piece:
    """Piece `index` of the one source of `group`."""
    source = group.sources[0]
    if source.format == "parquet":
        return Piece(source, index, min(index + 1, source.row_groups))
    if group.count == 1:
        return Piece(source, 0, source.size, inside_quotes)
    start = index * partition_bytes
    return Piece(source, start, min(start + partition_bytes, source.size), inside_quotes)


def whole_pieces(group: Group) -> Iterator[Piece]:
    """Each object of a group as one piece."""
    return (Piece(source, 0, end_of(source)) for source in group.sources)


def end_of(source: Source) -> int:
    """The end of a piece that is the whole object: its row groups, or its bytes."""
    return source.row_groups if source.format == "parquet" else source.size


def _parts(source: Source, partition_bytes: int) -> int:
    if source.format == "parquet":
        return max(1, source.row_groups)
    return 1 if source.is_compressed else max(1, -(-source.size // partition_bytes))


def _pack(sources: list[Source], partition_bytes: int) -> Iterator[list[Source]]:
    """Yield runs of neighboring small files that are read alike; every other file alone."""
    run: list[Source] = []
    held = 0
    for source in sources:
        weight = _weight(source)
        small = weight * PACK_BELOW < partition_bytes
        fits = small and held + weight <= partition_bytes // PACK_TO and len(run) < PACK_FILES
        if run and not (fits and _is_alike(run[0], source)):
            yield run
            run, held = [], 0
        if small:
            run.append(source)
            held += weight
        else:
            yield [source]
    if run:
        yield run


def _weight(source: Source) -> int:
    """Return about how many bytes of plain CSV the rows of `source` would take."""
    if source.format == "parquet":
        return max(source.size * COMPRESSED, source.rows * ROW_BYTES)
    return source.size * COMPRESSED if source.is_compressed else source.size


def _is_alike(one: Source, other: Source) -> bool:
    """Return whether rows of both can be in one batch: text, or the same columns of the same types."""
    return (one.format, one.schema, [*one.hive()]) == (other.format, other.schema, [*other.hive()])
