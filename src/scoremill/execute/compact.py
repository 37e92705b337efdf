"""An output rewritten with parts of another size: the same rows in the same order, proven equal."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from scoremill import naming
from scoremill.errors import UsageError, VerificationError
from scoremill.ledger import Lease, Ledger, Manifest, Origin, Part, Receipt, read_manifest, verify, write_manifest
from scoremill.plan import Settings
from scoremill.storage.filesystem import Publication, Store
from scoremill.storage.writers import ParquetWriter

_WINDOW = 65_536
"""Rows held at a time."""

Rows = Any
"""A pyarrow Table, or a list of records."""


def compact(output: Store, target: Store, rows_per_file: int) -> Manifest:
    """Rewrites the parts of `output` to `target`, `rows_per_file` rows each (fewer at the end of a folder).

    `output` is verified first, and the rows of both are compared afterwards; VerificationError where they differ.
    """
    verify(output)
    manifest = read_manifest(output)
    if manifest is None or target.list():
        raise UsageError(f"{target.uri} is not empty", "Choose an empty folder or prefix with --output.")
    settings = Settings.from_json(manifest.fields["settings"])
    lease = Lease.acquire(target)
    try:
        ledger = Ledger(target)
        ledger.hold(lease)
        ledger.begin({**(Ledger(output).job() or {}), "compactedFrom": output.uri})
        receipts = _rewrite(output, target, manifest, settings, rows_per_file)
        _refuse_difference(output, target, manifest, receipts)
        for receipt in receipts:
            ledger.append(receipt)
        ledger.flush()
        extra = {name: manifest.fields[name] for name in ("method", "bundle", "settings")}
        extra["compactedFrom"] = {"output": output.uri, "completed": manifest.fields["completed"]}
        origins = [Origin("", 0, 0)] * len(receipts)
        return write_manifest(target, receipts, origins, extra)
    finally:
        lease.release()


def _rewrite(output: Store, target: Store, manifest: Manifest, settings: Settings, most: int) -> list[Receipt]:
    receipts: list[Receipt] = []
    for folder, names in _folders(manifest).items():
        header = _header(output, names[0])
        for rows in regrouped(_windows(output, names), most):
            number = len(receipts)
            identity = naming.digest([manifest.fields["segments"], most, number])[:16]
            name = folder + naming.part_name(number, identity, settings.format)
            with target.publish(name) as stream:
                _write(stream, rows, header)
            part = Part(name, len(rows), stream.size, stream.sha256)
            receipts.append(Receipt(number, identity, len(rows), len(rows), 0, (part,)))
    return [*receipts, *_copied_errors(output, target, manifest, len(receipts))]


def _copied_errors(output: Store, target: Store, manifest: Manifest, number: int) -> Iterator[Receipt]:
    for entry in manifest.entries():
        if entry.kind == "errors":
            with target.publish(entry.part.name) as stream, output.open(entry.part.name) as file:
                while block := file.read(2**23):
                    stream.write(block)
            yield Receipt(number, entry.id, entry.part.rows, 0, entry.part.rows, (), (entry.part,))
            number += 1


def _refuse_difference(output: Store, target: Store, manifest: Manifest, receipts: list[Receipt]) -> None:
    """Reads both again, row by row."""
    made = [part.name for receipt in receipts for part in receipt.parts]
    for folder, names in _folders(manifest).items():
        here = [name for name in made if name.rpartition("/")[0] + "/" * ("/" in name) == folder]
        windows = (regrouped(_windows(store, some), _WINDOW) for store, some in ((output, names), (target, here)))
        for before, after in zip_longest(*windows):
            same = before.equals(after) if isinstance(before, pa.Table) else before == after
            if not same:
                raise VerificationError(
                    f"{target.uri} does not hold the rows of {output.uri}", "Delete it; the output itself is untouched."
                )


def _folders(manifest: Manifest) -> dict[str, list[str]]:
    """The names of the parts by their folder, in the order of the input."""
    folders: dict[str, list[str]] = {}
    for entry in manifest.entries():
        if entry.kind == "part":
            folder, slash, _ = entry.part.name.rpartition("/")
            folders.setdefault(folder + slash, []).append(entry.part.name)
    return folders


def regrouped(windows: Iterable[Rows], most: int) -> Iterator[Rows]:
    """The same rows, `most` at a time and fewer at the end; one empty group where there are none."""
    held: Rows = None
    for rows in windows:
        held = rows if held is None else _joined(held, rows)
        while len(held) > most:
            yield held[:most]
            held = held[most:]
    if held is not None:
        yield held


def _joined(first: Rows, second: Rows) -> Rows:
    return pa.concat_tables([first, second]) if isinstance(first, pa.Table) else first + second


def _windows(store: Store, names: list[str]) -> Iterator[Rows]:
    """The rows of parts, some at a time: tables of Parquet, else records as they stand in the file."""
    for name in names:
        with store.open(name) as file:
            if name.endswith(".parquet"):
                parquet = pq.ParquetFile(file)
                yield parquet.schema_arrow.empty_table()
                yield from (pa.Table.from_batches([batch]) for batch in parquet.iter_batches(_WINDOW))
            else:
                is_csv = name.endswith(".csv")
                records = islice(_records(file, quoted=is_csv), int(is_csv), None)
                yield []
                while window := list(islice(records, _WINDOW)):
                    yield window


def _records(file: BinaryIO, *, quoted: bool) -> Iterator[bytes]:
    """The records of a text; a newline inside quotes does not end one."""
    record = b""
    for line in io.BufferedReader(file, 2**20):  # type: ignore[type-var]
        record += line
        if not quoted or record.count(b'"') % 2 == 0:
            yield record
            record = b""


def _header(store: Store, name: str) -> bytes:
    """The first record of a CSV; nothing of other formats."""
    if not name.endswith(".csv"):
        return b""
    with store.open(name) as file:
        return next(_records(file, quoted=True), b"")


def _write(stream: Publication, rows: Rows, header: bytes) -> None:
    if isinstance(rows, pa.Table):
        writer = ParquetWriter(stream, rows.schema)
        writer.write(rows)
        writer.close()
    else:
        stream.write(b"".join([header, *rows]))
