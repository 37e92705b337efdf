"""Which objects are compressed, though their names do not say so: a compressed object cannot be cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from scoremill.spec import Storage
from scoremill.storage.compression import MAGIC_BYTES, compression_by_name, compression_of
from scoremill.storage.filesystem import Store

from .discover import THREADS
from .source import Source


def with_compression(
    sources: Sequence[Source], sampled: Iterable[Source], storage: Storage, partition_bytes: int
) -> tuple[Source, ...]:
    """Return `sources`, those that were `sampled` as their samples showed them.

    If a sampled object is compressed and its name does not say so, the first bytes of all others that would be cut are
    read. Those that are not cut are decompressed when they are scored, whatever the plan says.
    """
    seen = {source.uri: source for source in sampled}
    known = tuple(seen.get(source.uri, source) for source in sources)
    if not any(source.is_compressed and compression_by_name(source.name) is None for source in seen.values()):
        return known
    with ThreadPoolExecutor(THREADS) as pool:
        return tuple(
            pool.map(
                lambda source: (
                    _looked_into(source, storage) if _might_be_compressed(source, seen, partition_bytes) else source
                ),
                known,
            )
        )


def _might_be_compressed(source: Source, seen: dict[str, Source], partition_bytes: int) -> bool:
    is_unknown = source.uri not in seen and not source.is_compressed
    return is_unknown and source.format == "csv" and source.size > partition_bytes


def _looked_into(source: Source, storage: Storage) -> Source:
    head = Store(source.root, storage).read(source.name, 0, MAGIC_BYTES, source.version)
    return replace(source, compression=compression_of(head))
