"""The list of what was published, written last, once, and only when the rows add up."""

from __future__ import annotations

import hashlib
import io
import json
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scoremill.errors import LeaseError, ScoremillError, VerificationError
from scoremill.naming import LEDGER, MANIFEST, SUCCESS
from scoremill.notebook import html_table
from scoremill.storage.filesystem import Store
from scoremill.units import format_bytes

from .journal import FORMAT, read_document, success_of
from .receipt import Part, Receipt

_REWRITE = f"Delete {MANIFEST} and run the same `scoremill score` again: completed partitions are kept."
SEGMENT_ROWS = 100_000
_LIBRARIES = ("scoremill", "scikit-learn", "numpy", "pandas", "pyarrow")
_SCHEMA = pa.schema(
    {
        "number": pa.int64(),
        "id": pa.string(),
        "kind": pa.string(),
        "name": pa.string(),
        "rows": pa.int64(),
        "size": pa.int64(),
        "sha256": pa.string(),
        "source": pa.string(),
        "start": pa.int64(),
        "first_line": pa.int64(),
    }
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a partition's rows came from, for people who look for one of them."""

    source: str
    start: int
    first_line: int
    """Line number, from 1, of the first line that begins in the range; 0 where lines do not count."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the receipts."""

    partitions: int = 0
    rows: int = 0
    scored: int = 0
    rejected: int = 0
    objects: int = 0
    bytes: int = 0
    left_out: int = 0
    """Rows that the job's condition did not choose; they are not among `rows`."""
    rejected_files: int = 0
    """Input objects that were rejected as a whole; their rows are not among `rows`."""

    @classmethod
    def of(cls, receipts: list[Receipt]) -> Totals:
        return cls(
            partitions=len(receipts),
            rows=sum(r.rows for r in receipts),
            scored=sum(r.scored for r in receipts),
            rejected=sum(r.rejected for r in receipts),
            objects=sum(len(r.objects) for r in receipts),
            bytes=sum(part.size for r in receipts for part in r.objects),
            left_out=sum(r.left_out for r in receipts),
            rejected_files=sum(len(r.rejected_files) for r in receipts),
        )


def parity_of(receipts: list[Receipt]) -> dict[str, int]:
    """Return the number of rows that the original model scored as well; a difference would have ended the run."""
    return {"rows": sum(receipt.compared for receipt in receipts), "different": 0}


@dataclass(frozen=True, slots=True)
class Entry:
    """One published object, with the partition it belongs to."""

    number: int
    id: str
    kind: str
    """`part`, `errors` or `files`."""
    part: Part
    first_line: int = 0
    """Line number, from 1, in the input at which the partition's range begins; 0 where lines do not count."""


@dataclass(frozen=True)
class Manifest:
    """What a complete run published."""

    totals: Totals
    fields: dict[str, Any]
    store: Store

    def _repr_html_(self) -> str:
        rows = {"rows": self.totals.rows, "scored": self.totals.scored, "rejected": self.totals.rejected}
        size = format_bytes(self.totals.bytes)
        return html_table(self.store.uri, {**rows, "partitions": self.totals.partitions, "size": size})

    def entries(self) -> Iterator[Entry]:
        """The published objects, in the order of the input."""
        for segment in self.fields["segments"]:
            if self.store.info(segment["name"]) is None:
                raise VerificationError(
                    f"{self.store.uri}/{segment['name']} is missing", _REWRITE, code="LedgerDamaged"
                )
            data = self.store.read(segment["name"])
            if hashlib.sha256(data).hexdigest() != segment["sha256"]:
                raise VerificationError(
                    f"{self.store.uri}/{segment['name']} is not what the manifest says", _REWRITE, code="LedgerDamaged"
                )
            for row in pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False).to_pylist():
                part = Part(row["name"], row["rows"], row["size"], row["sha256"])
                yield Entry(row["number"], row["id"], row["kind"], part, row["first_line"])


def read_manifest(store: Store) -> Manifest | None:
    """Return the manifest of the output at `store`, or None if no run is complete."""
    fields = read_document(
        store, MANIFEST, "Delete it and run the same `scoremill score` again: completed partitions are kept."
    )
    if fields is None:
        return None
    if fields["formatVersion"] > FORMAT:
        raise VerificationError(f"{store.uri} was written by a newer scoremill", "Update scoremill.")
    return Manifest(Totals(**fields["totals"]), fields, store)


def write_manifest(store: Store, receipts: list[Receipt], origins: list[Origin], extra: dict[str, Any]) -> Manifest:
    """Publishes the manifest, then `_SUCCESS`; refuses receipts whose rows do not add up."""
    for receipt in receipts:
        _refuse_lost_rows(receipt)
    rows = [row for receipt, origin in zip(receipts, origins, strict=True) for row in _rows(receipt, origin)]
    segments = []
    for index in range(0, max(1, len(rows)), SEGMENT_ROWS):
        name = f"{LEDGER}/manifest/{index // SEGMENT_ROWS:06d}.parquet"
        data = _table(rows[index : index + SEGMENT_ROWS])
        store.write(name, data)
        segments.append({"name": name, "sha256": hashlib.sha256(data).hexdigest()})
    totals = Totals.of(receipts)
    fields = {
        "formatVersion": FORMAT,
        "completed": datetime.now(UTC).isoformat(timespec="seconds"),
        "totals": asdict(totals),
        "versions": {name: version(name) for name in _LIBRARIES} | {"python": platform.python_version()},
        "cpu": cpu_family(),
        **extra,
        "segments": segments,
    }
    data = json.dumps(fields, indent=1).encode()
    if not store.create(MANIFEST, data):
        raise LeaseError(f"another driver has just completed {store.uri}", "See `scoremill verify`.")
    store.write(SUCCESS, success_of(data))
    return Manifest(totals, fields, store)


def cpu_family() -> str:
    """The processor as far as it shapes the last bits of a sum: its architecture and model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{platform.machine()} {model}".strip()


def _refuse_lost_rows(receipt: Receipt) -> None:
    published = sum(part.rows for part in receipt.parts), sum(part.rows for part in receipt.errors)
    if receipt.rows != receipt.scored + receipt.rejected or published != (receipt.scored, receipt.rejected):
        raise ScoremillError(
            f"partition {receipt.number}: {receipt.rows} rows in, {receipt.scored} scored, {receipt.rejected} "
            f"rejected, {published} published: they do not add up",
            "The output was not marked as complete. Report this bug, and attach the _scoremill folder of the output.",
        )


def _rows(receipt: Receipt, origin: Origin) -> Iterator[dict[str, Any]]:
    for kind, parts in (("part", receipt.parts), ("errors", receipt.errors), ("files", receipt.files)):
        for part in parts:
            yield {"number": receipt.number, "id": receipt.id, "kind": kind} | asdict(part) | asdict(origin)


def _table(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), sink, compression="zstd")
    return sink.getvalue()
