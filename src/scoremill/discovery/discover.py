"""The only I/O of planning: listings, Parquet footers, and the bytes of capped samples."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice

from scoremill.errors import InputError, RefusedError, UsageError
from scoremill.spec import Input, Storage
from scoremill.storage.compression import compression_by_name
from scoremill.storage.filesystem import Found, Store, find
from scoremill.storage.hashing import sha256
from scoremill.tabular.parquet_reader import footer

from .earlier import Earlier
from .mixture import format_of, mixed_formats
from .problem import Problem
from .source import Source

SAMPLED_FILES = 64
"""Files whose beginnings are read while planning; the others are checked by their own tasks."""
THREADS = 16
"""Requests under way at a time: planning waits for the store more than for the processor."""

_MANY = 3
"""Outputs named in a message."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """Number of objects that were found and are not part of the input, by reason."""

    in_outputs: dict[str, int] = field(default_factory=dict)
    """Objects of scoremill outputs below the input, by the output's URI."""
    outside_span: int = 0
    """Objects modified before `since`, or not before `until`."""
    scored_before: int = 0
    """Objects that the outputs of `notScoredBy` have scored."""

    def described(self) -> Iterator[str]:
        """Yield a sentence part for each reason."""
        if self.in_outputs:
            names = ", ".join(islice(self.in_outputs, _MANY)) + ", …" * (len(self.in_outputs) > _MANY)
            yield f"{_objects(sum(self.in_outputs.values()))} of scoremill outputs below the input: {names}"
        if self.outside_span:
            yield f"{_objects(self.outside_span)} not modified between spec.input.since and spec.input.until"
        if self.scored_before:
            yield f"{_objects(self.scored_before)} scored by earlier runs"


@dataclass(frozen=True, slots=True)
class Listing:
    """The input objects in order, and what the footers of the Parquet ones say."""

    sources: tuple[Source, ...]
    parquet_rows: int
    excluded: Excluded = field(default_factory=Excluded)
    problems: tuple[Problem, ...] = ()


def _objects(count: int) -> str:
    return f"{count:,} object{'s' if count != 1 else ''}"


def discover(
    spec: Input, storage: Storage, earlier: Earlier | None = None, *, rejects_objects: bool = False
) -> Listing:
    """Return all input objects, in the order of the uris, each glob's sorted; an object listed twice counts once.

    Excluded are objects that were not modified from `since` to before `until`, by the store's clock, and those that
    `earlier` holds. If objects can be rejected, a Parquet object whose footer cannot be read is listed without schema.
    """
    found: dict[str, Found] = {}
    in_outputs = Counter[str]()
    problems: list[Problem] = []
    for uri in spec.uris:
        findings = find(uri, storage, allow_empty=spec.allow_empty)
        in_outputs.update(findings.in_outputs)
        problems += mixed_formats(uri, findings.objects, spec.format)
        for item in findings.objects:
            found.setdefault(f"{item.root.rstrip('/')}/{item.name}", item)
    within = _within(spec, found.values())
    meant = _not_scored(within, earlier)
    with ThreadPoolExecutor(THREADS) as pool:
        sources = tuple(pool.map(lambda item: _describe(item, spec, storage, rejects_objects), meant))
    excluded = Excluded(dict(in_outputs), len(found) - len(within), len(within) - len(meant))
    problems += _nothing(spec, sources, excluded)
    return Listing(sources, sum(source.rows for source in sources), excluded, tuple(problems))


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
            code="InvalidInput",
        )
    return item.modified


def _not_scored(found: Sequence[Found], earlier: Earlier | None) -> list[Found]:
    if earlier is None or not found:
        return list(found)
    return [item for item, is_scored in zip(found, earlier.holds(found), strict=True) if not is_scored]


def _nothing(spec: Input, sources: Sequence[Source], excluded: Excluded) -> Iterator[Problem]:
    """Yield the problem of an input that is known to hold no row, unless that is accepted."""
    if spec.allow_empty or spec.not_scored_by or any(_can_hold_rows(source) for source in sources):
        return
    if sources:
        message = "the input object is empty" if len(sources) == 1 else f"all {len(sources):,} input objects are empty"
        where = sources[0].uri
    else:
        message = f"none of the {excluded.outside_span:,} objects found was modified within input.since and input.until"
        where = "input"
    yield Problem(
        "error",
        where,
        message,
        "Check the input. If it can be empty, give `spec.input.allowEmpty: true`.",
        code="InputEmpty",
    )


def _can_hold_rows(source: Source) -> bool:
    has_footer = source.format == "parquet" and source.schema
    return source.rows > 0 if has_footer else source.size > 0


def _describe(item: Found, spec: Input, storage: Storage, rejects_objects: bool) -> Source:
    kind = format_of(item, spec.format)
    source = Source(item.root, item.name, item.size, item.version, item.version, kind, modified=item.modified)
    if kind == "csv":
        source = replace(source, compression=compression_by_name(item.name))
    else:
        source = _with_footer(source, storage, rejects_objects)
    if spec.id_by == "content":
        source = replace(source, identity=_content_hash(source, storage))
    return source


def _with_footer(source: Source, storage: Storage, rejects_objects: bool) -> Source:
    if source.size == 0:
        return source
    try:
        with Store(source.root, storage).open(source.name) as file:
            rows, schema = footer(file)
    except (ValueError, OSError, RefusedError) as error:
        if rejects_objects:
            # The task that reads it finds out, and says why.
            return replace(source, row_groups=1)
        if isinstance(error, RefusedError):
            raise
        raise InputError(
            f"{source.uri} is not a Parquet file: {error}",
            "Use `spec.input.format: csv` if it is a CSV.",
            code="WrongFormat",
        ) from None
    return replace(source, row_groups=len(rows), rows=sum(rows), schema=schema)


def _content_hash(source: Source, storage: Storage) -> str:
    with Store(source.root, storage).open(source.name) as file:
        return f"sha256:{sha256(file)}"
