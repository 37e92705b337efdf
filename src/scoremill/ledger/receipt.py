"""What is known once a partition is done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from scoremill.naming import partition_of
from scoremill.storage.filesystem import Store
from scoremill.units import quoted


@dataclass(frozen=True, slots=True)
class Part:
    """One object of the output."""

    name: str
    """Name relative to the root of the output"""
    rows: int
    size: int
    """Size in bytes."""
    sha256: str

    def records(self, store: Store) -> Iterator[dict[str, Any]]:
        """Yield the lines of an object of rejected rows or rejected input objects."""
        return (json.loads(line) for line in store.read(self.name).splitlines())


@dataclass(frozen=True, slots=True)
class Receipt:
    """A partition's result: rows in = rows scored + rows rejected."""

    number: int
    id: str
    rows: int
    """Rows read."""
    scored: int
    rejected: int
    parts: tuple[Part, ...]
    errors: tuple[Part, ...] = ()
    files: tuple[Part, ...] = ()
    """Objects that list the input objects that were rejected as a whole."""
    rejected_files: tuple[str, ...] = ()
    """URIs of those input objects."""
    lines: tuple[int, ...] = ()
    """Number of physical lines that start in each piece"""
    quotes: int = 0
    """Quote characters in the range; their parities prove the starts of later partitions."""
    irregular: tuple[int, ...] = ()
    """Numbers of the pieces that hold a quote inside an unquoted field."""
    unseen: dict[str, int] = field(default_factory=dict)
    """Values outside the categories that the model was trained with, by column."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Rejected rows by column and kind of reason."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Spent in `load` (the model), `read`, `predict` and `write`."""
    peak_memory: int = 0
    """Bytes; the worker process' peak resident set so far."""
    left_out: int = 0
    """Rows that the job's condition did not choose; they are not among `rows`."""
    compared: int = 0
    """Scored rows for which the original model gave the same results as the accelerated one."""
    first_line: int = 0
    """The line of the file, from 1, at which the partition begins; 0 if that was not known, or does not count."""
    starts: int = 1
    """Number of times that its run started the partition: more than once if the store failed or its worker was lost.

    0 in a second receipt, for the same objects with the lines of rejected rows numbered.
    """
    worker: str = ""
    ended: float = 0.0
    """Seconds since the epoch, by the worker's clock."""

    @property
    def objects(self) -> tuple[Part, ...]:
        return self.parts + self.errors + self.files

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Receipt:
        # A ledger of an older version lacks later fields, which have defaults.
        fields = dict(fields)
        for name in ("parts", "errors", "files"):
            fields[name] = tuple(Part(**part) for part in fields[name])
        for name in ("lines", "irregular", "rejected_files"):
            fields[name] = tuple(fields[name])
        receipt = cls(**fields)
        for part in receipt.objects:
            written_by = partition_of(part.name)
            if written_by is None or written_by[1] != receipt.id:
                raise ValueError(f"partition {receipt.id} does not write {quoted(part.name)}")
        return receipt
