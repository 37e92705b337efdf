"""The only I/O of planning: listings, Parquet footers, and the bytes of capped samples."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from scoremill.errors import InputError, UsageError
from scoremill.spec import Input, Storage
from scoremill.storage.compression import compression_by_name
from scoremill.storage.filesystem import Found, Store, find
from scoremill.storage.hashing import sha256
from scoremill.storage.parquet_reader import row_groups

from .partition import Source

SAMPLED_FILES = 64
"""Files whose beginnings are read while planning; the others are checked by their own tasks."""
THREADS = 16
"""Requests under way at a time: planning waits for the store more than for the processor."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The input objects in order, and what the footers of the Parquet ones say."""

    sources: tuple[Source, ...]
    parquet_rows: int


def discover(spec: Input, storage: Storage) -> Listing:
    """All input objects, in the order of the uris, each glob's sorted; an object listed twice counts once.

    Of those found, the ones modified from `since` to before `until`, by the store's clock; that may be none.
    """
    found: dict[str, Found] = {}
    for uri in spec.uris:
        for item in find(uri, storage):
            found.setdefault(f"{item.root.rstrip('/')}/{item.name}", item)
    meant = _within(spec, found.values())
    with ThreadPoolExecutor(THREADS) as pool:
        described = list(pool.map(lambda item: _describe(item, spec, storage), meant))
    return Listing(tuple(source for source, _ in described), sum(rows for _, rows in described))


def chosen(sources: Iterable[Source]) -> list[Source]:
    """At most 64 sources, the same ones each time: the first, and others by the hash of their names."""
    listed = list(sources)
    others = sorted(listed[1:], key=lambda source: hashlib.sha256(source.name.encode()).digest())
    return [*listed[:1], *others[: SAMPLED_FILES - 1]]


def _within(spec: Input, found: Iterable[Found]) -> list[Found]:
    if spec.since == "LastSuccess":
        raise UsageError(
            "input.since: LastSuccess is for the jobs of a schedule, which puts a time in its place",
            "Give a time here, such as 2026-11-21T03:00:00Z, or leave it out.",
        )
    if spec.since is None and spec.until is None:
        return list(found)
    since = spec.since.timestamp() if spec.since else 0.0
    until = spec.until.timestamp() if spec.until else math.inf
    return [item for item in found if since <= _time(item) < until]


def _time(item: Found) -> float:
    if not item.modified:
        raise InputError(
            f"the store does not say when {item.root.rstrip('/')}/{item.name} was modified",
            "Leave out input.since and input.until.",
        )
    return item.modified


def _describe(item: Found, spec: Input, storage: Storage) -> tuple[Source, int]:
    parquet = spec.format == "parquet" or (spec.format == "auto" and item.name.lower().endswith((".parquet", ".pq")))
    source = Source(item.root, item.name, item.size, item.version, item.version, "parquet" if parquet else "csv")
    if not parquet:
        source = replace(source, compression=compression_by_name(item.name))
    rows = 0
    if parquet:
        groups = _row_groups(source, storage)
        source, rows = replace(source, row_groups=len(groups)), sum(groups)
    if spec.id_by == "content":
        source = replace(source, identity=_content_hash(source, storage))
    return source, rows


def _row_groups(source: Source, storage: Storage) -> list[int]:
    if source.size == 0:
        return []
    try:
        with Store(source.root, storage).open(source.name) as file:
            return [rows for rows, _ in row_groups(file)]
    except (ValueError, OSError) as error:
        raise InputError(
            f"{source.uri} is not a Parquet file: {error}", "Use --input-format csv if it is a CSV."
        ) from None


def _content_hash(source: Source, storage: Storage) -> str:
    with Store(source.root, storage).open(source.name) as file:
        return f"sha256:{sha256(file)}"
