"""The objects that earlier runs scored: left out of a plan, and remembered by the output that follows them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scoremill.storage.filesystem import Found
from scoremill.storage.uri import canonical

from .source import Source

_SCHEMA = pa.schema([("uri", pa.string()), ("version", pa.string()), ("modified", pa.float64())])
_SINCE = b"since"


@dataclass(frozen=True, slots=True)
class Earlier:
    """Objects that earlier runs scored, by name and version."""

    objects: pa.Table
    since: datetime | None = None
    """Objects modified before this time are not remembered; None if all are."""

    @classmethod
    def of(cls, objects: Iterable[Source | Found]) -> Self:
        """Return the given objects as scored ones."""
        listed = list(objects)
        roots = {root: canonical(root).rstrip("/") for root in {one.root for one in listed}}
        columns = [
            [f"{roots[one.root]}/{one.name}" for one in listed],
            [one.version for one in listed],
            [one.modified for one in listed],
        ]
        return cls(pa.table(dict(zip(_SCHEMA.names, columns, strict=True)), _SCHEMA))

    @classmethod
    def joined(cls, parts: Sequence[Earlier], since: datetime | None) -> Self:
        """Return the objects of all `parts` that were modified from `since` on, each once."""
        objects = pa.concat_tables([_SCHEMA.empty_table(), *(part.objects for part in parts)])
        if since is not None:
            objects = objects.filter(pc.greater_equal(objects["modified"], since.timestamp()))
        return cls(objects.group_by(_SCHEMA.names, use_threads=False).aggregate([]).select(_SCHEMA.names), since)

    def holds(self, found: Sequence[Found]) -> list[bool]:
        """Return for each of the objects found whether it was scored in this version."""
        scored: list[bool] = pc.is_in(_keys(Earlier.of(found).objects), value_set=_keys(self.objects)).to_pylist()
        return scored

    def to_bytes(self) -> bytes:
        """Return the objects as a Parquet file."""
        since = self.since.astimezone(UTC).isoformat() if self.since else ""
        sink = io.BytesIO()
        pq.write_table(self.objects.replace_schema_metadata({_SINCE: since}), sink, compression="zstd")
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return what `to_bytes` wrote; raises pyarrow.ArrowInvalid if it is damaged."""
        objects = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
        since = (objects.schema.metadata or {}).get(_SINCE, b"").decode()
        return cls(
            objects.replace_schema_metadata(None).cast(_SCHEMA), datetime.fromisoformat(since) if since else None
        )


def _keys(objects: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(objects["version"], objects["uri"], "\n")
