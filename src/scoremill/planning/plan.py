"""The plan: groups of partitions, frozen, generated one by one, and saved as a table of sources."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import pyarrow as pa
import pyarrow.parquet as pq

from scoremill.discovery.discover import Excluded
from scoremill.discovery.earlier import Earlier
from scoremill.discovery.problem import Problem
from scoremill.discovery.source import Source
from scoremill.errors import UsageError, VerificationError
from scoremill.notebook import html_table
from scoremill.units import format_bytes

from .changes import changes
from .partition import Group, Partition, Piece, end_of, group_sources, make_partition, partition_at
from .settings import Settings

_SCHEMA = pa.schema(
    {
        "first": pa.int64(),
        "count": pa.int64(),
        "root": pa.string(),
        "name": pa.string(),
        "size": pa.int64(),
        "version": pa.string(),
        "identity": pa.string(),
        "format": pa.string(),
        "row_groups": pa.int64(),
        "compression": pa.string(),
        "rows": pa.int64(),
        "modified": pa.float64(),
        "schema": pa.string(),
    }
)


@dataclass(frozen=True)
class Plan:
    """The partitions of a job in order, and the settings to score them."""

    settings: Settings
    groups: tuple[Group, ...]
    problems: tuple[Problem, ...] = ()
    row_bytes: float = 0.0
    """Mean bytes per CSV row in the samples; 0 if none was read."""
    parquet_rows: int = 0
    """Rows in the footers of Parquet objects."""
    headers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns of the sampled objects, those in their paths included, by URI."""
    renamed: dict[str, str] = field(default_factory=dict)
    """New names of columns, by the names that they have in sampled objects."""
    excluded: Excluded = field(default_factory=Excluded)
    """Objects that were found and are not part of the input."""
    earlier: Earlier | None = None
    """Objects that earlier runs scored; the output of this plan remembers them."""

    def _repr_html_(self) -> str:
        size = {"objects": len(self.sources), "size": format_bytes(self.bytes), "rows, about": self.estimated_rows}
        problems = "; ".join(map(str, self.problems)) or None
        return html_table("Plan", {**size, "partitions": len(self), "problems": problems})

    def partitions(self) -> Iterator[Partition]:
        """Every partition in its order, cut optimistically."""
        return (self.partition(group, index) for group in self.groups for index in range(group.count))

    def uncut(self) -> Iterator[Partition]:
        """Each CSV and each row group, or small Parquet object, as a partition: to look at rows without proofs."""
        for group in self.groups:
            if len(group.sources) == 1 and group.sources[0].format == "parquet":
                yield from (self.partition(group, index) for index in range(group.count))
            else:
                for source in group.sources:
                    yield make_partition(self.settings_hash, group.first, Piece(source, 0, end_of(source), whole=True))

    def partition(self, group: Group, index: int, inside_quotes: bool = False) -> Partition:
        """Partition `index` of `group`, under a hypothesis about its start."""
        return partition_at(group, index, self.settings_hash, self.settings.partition_bytes, inside_quotes)

    @cached_property
    def settings_hash(self) -> str:
        return self.settings.hash

    def __len__(self) -> int:
        return self.groups[-1].first + self.groups[-1].count if self.groups else 0

    def __bool__(self) -> bool:
        return True

    @property
    def sources(self) -> list[Source]:
        return [source for group in self.groups for source in group.sources]

    @cached_property
    def bytes(self) -> int:
        """Bytes of input, compressed ones as they lie."""
        return sum(source.size for source in self.sources)

    @cached_property
    def estimated_rows(self) -> int:
        csv = sum(source.size for source in self.sources if source.format == "csv")
        return self.parquet_rows + (round(csv / self.row_bytes) if self.row_bytes else 0)

    @cached_property
    def most_rows(self) -> float:
        """More rows than the input can hold, rejected ones apart: each has a byte a column, if not compressed."""
        csv = [source for source in self.sources if source.format == "csv"]
        if any(source.is_compressed for source in csv):
            return math.inf
        columns = min((len(self.headers.get(source.uri, ())) for source in csv), default=0)
        if self.settings.hive:
            columns -= max((len(source.hive()) for source in csv), default=0)
        return self.parquet_rows + sum(source.size for source in csv) / max(2, columns)

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity == "error"]

    def following(self, earlier: Plan) -> Plan:
        """This plan as a continuation of `earlier`: its groups first and unchanged, new sources after them.

        Raises UsageError naming what changed, vanished, or was replaced.
        """
        _refuse_other_settings(earlier.settings, self.settings)
        listed = dict(zip(_keys(self.sources), self.sources, strict=True))
        here = {}
        for key, source in zip(_keys(earlier.sources), earlier.sources, strict=True):
            now = _refuse_other_source(source, listed.pop(key, None))
            here[source] = replace(now, compression=source.compression)
        groups = [replace(group, sources=tuple(here[source] for source in group.sources)) for group in earlier.groups]
        added = group_sources(list(listed.values()), self.settings.partition_bytes, first=len(earlier))
        return replace(self, settings=earlier.settings, groups=(*groups, *added))


_OVERWRITE = "Use `spec.output.mode: Overwrite` to start over, or choose another output."


def _refuse_other_settings(earlier: Settings, now: Settings) -> None:
    if found := changes(earlier, now):
        raise UsageError(
            f"the output was made with other settings: {'; '.join(found)}",
            "Give the earlier settings to resume, `spec.output.mode: Overwrite` to start over, or another output.",
            code="OutputSettingsChanged",
        )


def _keys(sources: list[Source]) -> Iterator[tuple[str, int]]:
    """Yield keys that identify sources independently of mount points: the name, and a count of sources with this name."""
    seen: Counter[str] = Counter()
    for source in sources:
        seen[source.name] += 1
        yield source.name, seen[source.name]


def _refuse_other_source(earlier: Source, now: Source | None) -> Source:
    """Return the earlier source at its current location."""
    if now is None:
        raise UsageError(
            f"the output was made from {earlier.uri}, which is not in the input now",
            _OVERWRITE,
            code="OutputInputChanged",
        )
    if now.identity != earlier.identity and now.uri != earlier.uri:
        raise UsageError(
            f"the output was made from {earlier.uri}, and now the input is {now.uri}",
            _OVERWRITE,
            code="OutputInputChanged",
        )
    if now.identity != earlier.identity:
        raise UsageError(
            f"{earlier.uri} was replaced since the output was made from it", _OVERWRITE, code="OutputInputChanged"
        )
    return now


def write_groups(groups: tuple[Group, ...]) -> bytes:
    """The groups as a Parquet table of their sources."""
    rows = [
        {"first": g.first, "count": g.count} | {name: getattr(s, name) for name in Source.__slots__}
        for g in groups
        for s in g.sources
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), sink, compression="zstd")
    return sink.getvalue()


def read_groups(segments: list[bytes]) -> tuple[Group, ...]:
    """The groups that `write_groups` wrote, in several segments or one; VerificationError where one is damaged."""
    groups: list[Group] = []
    for segment in segments:
        try:
            rows = pq.ParquetFile(pa.BufferReader(segment)).read(use_threads=False).to_pylist()
        except (pa.ArrowInvalid, OSError) as error:
            raise VerificationError(
                f"the plan in the output's ledger is damaged: {error}",
                "Restore it, or choose another output.",
                code="LedgerDamaged",
            ) from None
        for row in rows:
            first, count = row.pop("first"), row.pop("count")
            source = Source(**row)
            if groups and groups[-1].first == first:
                groups[-1] = replace(groups[-1], sources=(*groups[-1].sources, source))
            else:
                groups.append(Group(first, count, (source,)))
    return tuple(groups)
