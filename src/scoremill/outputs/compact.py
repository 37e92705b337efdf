"""An output rewritten with parts of another size: the same rows in the same order, proven equal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby, repeat, zip_longest

import pyarrow as pa

from scoremill import naming
from scoremill.errors import UsageError, VerificationError
from scoremill.ledger import (
    Entry,
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
from scoremill.planning import Settings
from scoremill.storage.filesystem import Publication, Store
from scoremill.storage.uri import absolute
from scoremill.tabular.writers import ParquetWriter

from .compare import is_same
from .windows import WINDOW, Rows, parts_by_folder, read_windows, records, regrouped


def compact(output: Store, target: Store, rows_per_file: int) -> Manifest:
    """Rewrites the parts of `output` to `target`, `rows_per_file` rows each (fewer at the end of a folder).

    `output` is verified first, and the rows of both are compared afterwards; VerificationError where they differ.
    What a compaction of the same output left in `target` when it was killed is erased first.
    """
    verify(output)
    manifest = read_manifest(output)
    if manifest is None:
        raise VerificationError(f"{output.uri} lost its manifest while it was read", "Run the command again.")
    _refuse_foreign_objects(output, target, manifest)
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
    ours = _refuse_foreign_objects(output, ledger.store, manifest)
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


def _refuse_foreign_objects(output: Store, target: Store, manifest: Manifest) -> list[str]:
    """Return the objects that a killed compaction of `output` left in `target`. Raise UsageError if there is anything else."""
    document = Ledger(target).job() or {}
    ours: set[str] = set()
    if document.get("compactedFrom") == absolute(output.uri) and target.info(naming.SUCCESS) is None:
        seed = document.get("compaction", "")
        ours = {info.name for info in target.list(f"{naming.LEDGER}/")}
        ours |= {entry.part.name for entry in manifest.entries() if entry.kind != "part"}
        ours |= {name for name in Ledger(target).published() if _is_named_by(seed, name)}
    tolerated = (f"{naming.LEDGER}/lease/", f"{naming.LOGS}/")
    there = {info.name for info in target.list() if not info.name.startswith(tolerated)}
    if there - ours:
        raise UsageError(
            f"{target.uri} is not empty", "Choose an empty folder or prefix with `to=`.", code="OutputNotEmpty"
        )
    return sorted(name for name in there if not name.startswith(f"{naming.LEDGER}/"))


def _seed(manifest: Manifest, most: int) -> str:
    return naming.digest([manifest.fields["segments"], most])


def _identity(seed: str, number: int) -> str:
    return naming.digest([seed, number])[:16]


def _is_named_by(seed: str, name: str) -> bool:
    partition = naming.partition_of(name)
    if partition is None:
        return False
    number, suffix = partition[0], name.rpartition(".")[2]
    return name.endswith(naming.part_name(number, _identity(seed, number), suffix))


def _rewrite(output: Store, target: Store, manifest: Manifest, most: int) -> list[Receipt]:
    receipts: list[Receipt] = []
    seed, settings = _seed(manifest, most), Settings.from_json(manifest.fields["settings"])
    for folder, names in parts_by_folder(manifest).items():
        header = _header(output, names[0])
        for windows in _cut(read_windows(output, names), most):
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
        if entry.kind != "part":
            with target.publish(entry.part.name) as stream, output.open(entry.part.name) as file:
                while block := file.read(2**23):
                    stream.write(block)
            yield _receipt_of(number, entry, output)
            number += 1


def _receipt_of(number: int, entry: Entry, output: Store) -> Receipt:
    if entry.kind == "errors":
        return Receipt(number, entry.id, entry.part.rows, 0, entry.part.rows, (), (entry.part,))
    rejected = tuple(rejected_file["file"] for rejected_file in entry.part.records(output))
    return Receipt(number, entry.id, 0, 0, 0, (), (), (entry.part,), rejected)


def _refuse_difference(output: Store, target: Store, manifest: Manifest, receipts: list[Receipt]) -> None:
    """Reads both again, row by row."""
    made = [part.name for receipt in receipts for part in receipt.parts]
    for folder, names in parts_by_folder(manifest).items():
        here = [name for name in made if name.rpartition("/")[0] + "/" * ("/" in name) == folder]
        windows = (
            regrouped(read_windows(store, some), repeat(WINDOW)) for store, some in ((output, names), (target, here))
        )
        for before, after in zip_longest(*windows):
            if not is_same(before, after):
                raise VerificationError(
                    f"{target.uri} does not hold the rows of {output.uri}", "Delete it; the output itself is untouched."
                )


def _cut(windows: Iterable[Rows], most: int) -> Iterator[Iterator[Rows]]:
    """Yield the windows of each part of at most `most` rows; they are read when requested."""

    def sizes() -> Iterator[int]:
        while True:
            yield from (min(left, WINDOW) for left in range(most, 0, -WINDOW))

    windows_of_part = -(-most // WINDOW)
    numbered = enumerate(regrouped(windows, sizes()))
    for _, part in groupby(numbered, lambda each: each[0] // windows_of_part):
        yield (rows for _, rows in part)


def _header(store: Store, name: str) -> bytes:
    """The first record of a CSV; nothing of other formats."""
    if not name.endswith(".csv"):
        return b""
    with store.open(name) as file:
        return next(records(file, quoted=True), b"")


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
