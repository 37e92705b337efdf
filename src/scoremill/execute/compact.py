"""An output rewritten with parts of another size: the same rows in the same order, proven equal."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby, islice, repeat, zip_longest
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scoremill import naming
from scoremill.errors import UsageError, VerificationError
from scoremill.ledger import (
    Lease,
    Ledger,
    Manifest,
    Origin,
    Part,
    Receipt,
    read_manifest,
    verify,
    write_manifest,
)
from scoremill.plan import Settings
from scoremill.storage.filesystem import Publication, Store
from scoremill.storage.uri import absolute
from scoremill.storage.writers import ParquetWriter

WINDOW = 65_536
"""Rows read or written at a time, and the most in a row group; a few such windows are held, however large the parts."""

_PART = re.compile(r"(?:.*/)?part-[a-z]?(\d+)-([0-9a-f]{16})\.[a-z]+")

Rows = Any
"""A pyarrow Table, or a list of records."""


def compact(output: Store, target: Store, rows_per_file: int) -> Manifest:
    """Rewrites the parts of `output` to `target`, `rows_per_file` rows each (fewer at the end of a folder).

    `output` is verified first, and the rows of both are compared afterwards; VerificationError where they differ.
    What a compaction of the same output left in `target` when it was killed is erased first.
    """
    verify(output)
    manifest = read_manifest(output)
    if manifest is None:
        raise VerificationError(f"{output.uri} lost its manifest while it was read", "Run the command again.")
    _refuse_strangers(output, target, manifest)
    lease = Lease.acquire(target)
    try:
        ledger = Ledger(target)
        ledger.hold(lease)
        _begin(ledger, output, manifest, rows_per_file)
        return _compacted(ledger, output, manifest, rows_per_file)
    finally:
        lease.release()


def _begin(ledger: Ledger, output: Store, manifest: Manifest, most: int) -> None:
    """An empty target but for the job, once another look at it, under the lease, found nothing to keep."""
    ours = _refuse_strangers(output, ledger.store, manifest)
    ledger.store.sweep()
    ledger.erase(ours)
    job = Ledger(output).job() or {}
    ledger.begin({**job, "compactedFrom": absolute(output.uri), "compaction": _seed(manifest, most)})


def _compacted(ledger: Ledger, output: Store, manifest: Manifest, most: int) -> Manifest:
    receipts = _rewrite(output, ledger.store, manifest, most)
    _refuse_difference(output, ledger.store, manifest, receipts)
    for receipt in receipts:
        ledger.append(receipt)
    ledger.flush()
    extra = {name: manifest.fields[name] for name in ("method", "bundle", "settings")}
    extra["compactedFrom"] = {"output": output.uri, "completed": manifest.fields["completed"]}
    origins = [Origin("", 0, 0)] * len(receipts)
    return write_manifest(ledger.store, receipts, origins, extra)


def _refuse_strangers(output: Store, target: Store, manifest: Manifest) -> list[str]:
    """The objects that a killed compaction of `output` left in `target`; UsageError where there is anything else."""
    begun = Ledger(target).job() or {}
    ours: set[str] = set()
    if begun.get("compactedFrom") == absolute(output.uri) and target.info(naming.SUCCESS) is None:
        seed = begun.get("compaction", "")
        ours = {info.name for info in target.list(f"{naming.LEDGER}/")}
        ours |= {entry.part.name for entry in manifest.entries() if entry.kind == "errors"}
        ours |= {name for name in Ledger(target).published() if _is_named_by(seed, name)}
    there = {info.name for info in target.list() if not info.name.startswith(f"{naming.LEDGER}/lease/")}
    if there - ours:
        raise UsageError(f"{target.uri} is not empty", "Choose an empty folder or prefix with --to.")
    return sorted(name for name in there if not name.startswith(f"{naming.LEDGER}/"))


def _seed(manifest: Manifest, most: int) -> str:
    return naming.digest([manifest.fields["segments"], most])


def _identity(seed: str, number: int) -> str:
    return naming.digest([seed, number])[:16]


def _is_named_by(seed: str, name: str) -> bool:
    match = _PART.fullmatch(name)
    return match is not None and match[2] == _identity(seed, int(match[1]))


def _rewrite(output: Store, target: Store, manifest: Manifest, most: int) -> list[Receipt]:
    receipts: list[Receipt] = []
    seed, settings = _seed(manifest, most), Settings.from_json(manifest.fields["settings"])
    for folder, names in _folders(manifest).items():
        header = _header(output, names[0])
        for windows in _cut(_windows(output, names), most):
            number = len(receipts)
            identity = _identity(seed, number)
            name = folder + naming.part_name(number, identity, settings.format)
            with target.publish(name) as stream:
                count = _write(stream, windows, header)
            part = Part(name, count, stream.size, stream.sha256)
            receipts.append(Receipt(number, identity, count, count, 0, (part,)))
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
        windows = (
            regrouped(_windows(store, some), repeat(WINDOW)) for store, some in ((output, names), (target, here))
        )
        for before, after in zip_longest(*windows):
            if not _is_same(before, after):
                raise VerificationError(
                    f"{target.uri} does not hold the rows of {output.uri}", "Delete it; the output itself is untouched."
                )


def _is_same(before: Rows, after: Rows) -> bool:
    if not (isinstance(before, pa.Table) and isinstance(after, pa.Table)):
        return bool(before == after)
    # To Arrow a NaN is no other's equal.
    return before.schema.equals(after.schema) and all(
        first.equals(second)
        for column, other in zip(before.columns, after.columns, strict=True)
        for first, second in zip(_numbers_and_nans(column), _numbers_and_nans(other), strict=True)
    )


def _numbers_and_nans(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, ...]:
    if not pa.types.is_floating(column.type):
        return (column,)
    is_nan = pc.is_nan(column)
    return pc.if_else(is_nan, None, column), is_nan


def _folders(manifest: Manifest) -> dict[str, list[str]]:
    """The names of the parts by their folder, in the order of the input."""
    folders: dict[str, list[str]] = {}
    for entry in manifest.entries():
        if entry.kind == "part":
            folder, slash, _ = entry.part.name.rpartition("/")
            folders.setdefault(folder + slash, []).append(entry.part.name)
    return folders


def _cut(windows: Iterable[Rows], most: int) -> Iterator[Iterator[Rows]]:
    """Of each part of `most` rows the windows, which are read as they are asked for."""

    def sizes() -> Iterator[int]:
        while True:
            yield from (min(left, WINDOW) for left in range(most, 0, -WINDOW))

    windows_of_part = -(-most // WINDOW)
    numbered = enumerate(regrouped(windows, sizes()))
    for _, part in groupby(numbered, lambda each: each[0] // windows_of_part):
        yield (rows for _, rows in part)


def regrouped(windows: Iterable[Rows], sizes: Iterator[int]) -> Iterator[Rows]:
    """The same rows, as many at a time as `sizes` says and fewer at the end; one empty group where there are none."""
    held: list[Rows] = []
    count, size = 0, next(sizes)
    for rows in windows:
        held.append(rows)
        count += len(rows)
        while count > size:
            whole = _joined(held)
            yield whole[:size]
            held, count, size = [whole[size:]], count - size, next(sizes)
    if held:
        yield _joined(held)


def _joined(windows: list[Rows]) -> Rows:
    return pa.concat_tables(windows) if isinstance(windows[0], pa.Table) else [row for rows in windows for row in rows]


def _windows(store: Store, names: list[str]) -> Iterator[Rows]:
    """The rows of parts, some at a time: tables of Parquet, else records as they stand in the file."""
    for name in names:
        with store.open(name) as file:
            if name.endswith(".parquet"):
                parquet = pq.ParquetFile(file)
                yield parquet.schema_arrow.empty_table()
                yield from (pa.Table.from_batches([batch]) for batch in parquet.iter_batches(WINDOW))
            else:
                is_csv = name.endswith(".csv")
                records = islice(_records(file, quoted=is_csv), int(is_csv), None)
                yield []
                while window := list(islice(records, WINDOW)):
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


def _write(stream: Publication, windows: Iterator[Rows], header: bytes) -> int:
    """The number of rows written, a window at a time."""
    first = next(windows)
    count = len(first)
    if not isinstance(first, pa.Table):
        stream.write(b"".join([header, *first]))
        for rows in windows:
            stream.write(b"".join(rows))
            count += len(rows)
        return count
    with closing(ParquetWriter(stream, first.schema)) as writer:
        writer.write(first)
        for rows in windows:
            writer.write(rows)
            count += len(rows)
    return count
