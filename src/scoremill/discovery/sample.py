"""The beginning of an input object: its columns, a few hundred rows, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from scoremill.errors import FitError, InputError, RefusedError
from scoremill.spec import Csv, Storage
from scoremill.storage.compression import compression_of
from scoremill.storage.filesystem import Store
from scoremill.tabular.csv import CsvReader, Header, Range, first_record, read_header
from scoremill.tabular.damage import damage_reported
from scoremill.tabular.decode import DecodedSource
from scoremill.tabular.kinds import refuse_other_kinds
from scoremill.tabular.parquet_reader import read_row_group
from scoremill.tabular.rename import renamed
from scoremill.tabular.rows import BytesSource, Rows
from scoremill.units import format_bytes

from .asked import Wanted
from .missing import columns_missing
from .problem import Problem
from .source import Source
from .values import check_values, rejected_rows, unconverted_texts

SAMPLE_BYTES = 256 * 1024
"""Read from the beginning of a sampled file."""
SAMPLE_ROWS = 1000
"""Read from the first row group of a sampled Parquet file."""
_LONGEST_HEADER = 16 * 2**20
"""Read from a file whose first row is longer than a sample."""


@dataclass(frozen=True, slots=True)
class FirstBytes:
    """The first bytes of a CSV, decompressed."""

    data: bytes
    is_all: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """What the beginning of one object shows."""

    source: Source
    names: tuple[str, ...] | None
    """Column names, including those in the path; None for an empty object."""
    rows: pa.Table | None = None
    """Sampled rows: as text from CSV, with types from Parquet."""
    row_bytes: float = 0.0
    problems: tuple[Problem, ...] = field(default=())
    changes: dict[str, str] = field(default_factory=dict)
    """New names of its columns, by the names that they have in the object."""
    beginning: FirstBytes | None = None
    """The first bytes of a CSV."""
    accepted: int = 0
    """Sampled rows of a CSV that would be scored."""
    rejected: int = 0
    """Sampled rows of a CSV that would be rejected."""
    is_irregular: bool = False
    """True if quotes of the CSV stand where they are only characters."""
    unconverted: tuple[str, ...] = ()
    """Texts for which rows would be rejected."""
    is_unreadable: bool = False
    """True if no row of the object can be scored, as `problems` say."""


def take_sample(source: Source, storage: Storage, csv: Csv, hive: bool, wanted: Wanted) -> Sample:
    """Return the sample of `source`, checked against the columns that are wanted of it."""
    try:
        with damage_reported(source.uri):
            if source.format == "parquet":
                return _take_parquet(source, storage, csv, hive, wanted)
            source, beginning = _beginning(source, storage)
            refuse_other_kinds("the file", beginning.data, is_decoded=source.is_compressed)
    except (InputError, RefusedError) as error:
        return _unreadable(source, error)
    return check_beginning(source, beginning, csv, hive, wanted)


def check_beginning(source: Source, beginning: FirstBytes, csv: Csv, hive: bool, wanted: Wanted) -> Sample:
    """Return the sample of a CSV that begins so, read in the dialect `csv`."""
    try:
        return _check(source, beginning, csv, hive, wanted)
    except InputError as error:
        return replace(_unreadable(source, error), beginning=beginning)


def _unreadable(source: Source, error: InputError | RefusedError) -> Sample:
    kind = FitError if isinstance(error, InputError) else type(error)
    problem = replace(Problem.of(error, source.uri), error=kind)
    return Sample(source, (), problems=(problem,), is_unreadable=True)


def _check(source: Source, beginning: FirstBytes, csv: Csv, hive: bool, wanted: Wanted) -> Sample:
    path = tuple(source.hive()) if hive else ()
    data, is_all = beginning.data, beginning.is_all
    header = read_header(BytesSource(data, "the file"), csv)
    if header is None:
        return Sample(source, None)
    if not is_all and header.data_start >= len(data):
        raise InputError(
            f"the header does not end within {format_bytes(len(data))}",
            "Check its first row for a quote that is never closed, or that this is a CSV.",
            code="WrongFormat",
        )
    changes = wanted.asked.changes((*header.names, *path), wanted.columns)
    header = replace(header, names=renamed(header.names, changes))
    names = tuple(dict.fromkeys((*header.names, *renamed(path, changes))))
    problems = tuple(columns_missing(source, names, wanted, csv, first_record(BytesSource(data), csv)))
    body = data if is_all else data[: data.rfind(b"\n") + 1]
    if problems or len(body) <= header.data_start:
        return Sample(
            source, names, problems=problems, changes=changes, beginning=beginning, is_unreadable=bool(problems)
        )
    columns = [column for column in wanted.columns if column.name in header.names]
    carried = [name for name in wanted.asked.kept(names) if name in header.names]
    read = dict.fromkeys([*(column.name for column in columns), *carried])
    blocks, is_irregular = _blocks(BytesSource(body, "the file"), header, csv, list(read), is_all)
    rejects = rejected_rows(blocks, columns, csv)
    rows = sum(block.table.num_rows for block in blocks)
    return Sample(
        source,
        names,
        pa.concat_tables([block.table for block in blocks]) if blocks else None,
        (len(body) - header.data_start) / rows if rows else 0.0,
        tuple(check_values(source, blocks, columns, rejects, wanted, csv)),
        changes,
        beginning,
        accepted=rows - sum(reject.column is not None for reject in rejects),
        rejected=len(rejects),
        is_irregular=is_irregular,
        unconverted=unconverted_texts(rejects),
    )


def _take_parquet(source: Source, storage: Storage, csv: Csv, hive: bool, wanted: Wanted) -> Sample:
    if source.size == 0:
        return Sample(source, None)
    path = tuple(source.hive()) if hive else ()
    with Store(source.root, storage).open(source.name, source.version) as file:
        schema = pq.ParquetFile(file).schema_arrow
        changes = wanted.asked.changes((*schema.names, *path), wanted.columns)
        held = dict(zip(renamed(schema.names, changes), schema.names, strict=True))
        names = tuple(dict.fromkeys((*held, *renamed(path, changes))))
        problems = list(columns_missing(source, names, wanted, None, ()))
        is_unreadable = bool(problems)
        if not problems and source.row_groups:
            read = [column for column in wanted.columns if column.name in held]
            columns = [column.name for column in read]
            rows = list(islice(read_row_group(file, source.uri, 0, columns, SAMPLE_ROWS, held), 1))
            problems += check_values(source, rows, read, rejected_rows(rows, read, csv), wanted, csv)
    table = schema.empty_table().rename_columns(list(held))
    return Sample(source, names, table, problems=tuple(problems), changes=changes, is_unreadable=is_unreadable)


def _blocks(body: BytesSource, header: Header, csv: Csv, columns: list[str], is_all: bool) -> tuple[list[Rows], bool]:
    """The sampled rows, and whether quotes are irregular: they are then read in the way for such files."""
    for whole in (False, True):
        cut = Range(0, len(body.data), whole=whole)
        reader = CsvReader(body, cut, header, csv, columns, block_bytes=SAMPLE_BYTES)
        blocks = list(reader)
        if not reader.tally.irregular:
            break
    if blocks and not is_all:
        # The last newline might have been inside quotes, so that only half a row ends there.
        blocks[-1] = _without_last(blocks[-1])
    return blocks, whole


def _without_last(rows: Rows) -> Rows:
    last = max([*rows.numbers[-1:].tolist(), *(reject.row for reject in rows.rejects)], default=0)
    shorter = rows.slice(0, len(rows) - int(len(rows) > 0 and int(rows.numbers[-1]) == last))
    shorter.rejects = [reject for reject in rows.rejects if reject.row != last]
    return shorter


def _beginning(source: Source, storage: Storage) -> tuple[Source, FirstBytes]:
    """The source with how it is compressed, and its first bytes, decompressed.

    More bytes are read if the first row is long.
    """
    store, size = Store(source.root, storage), SAMPLE_BYTES
    while True:
        if not source.is_compressed:
            data = store.read(source.name, 0, min(size, source.size), source.version)
            source = replace(source, compression=compression_of(data))
        if source.is_compressed and source.size:
            with store.open(source.name, source.version) as file:
                decoded = DecodedSource(file, source.uri)
                data, source = decoded.read(0, size), replace(source, compression=decoded.compression)
        if len(data) < size or data.rfind(b"\n", 0, len(data) // 2) >= 0 or size >= _LONGEST_HEADER:
            return source, FirstBytes(data, len(data) < size)
        size *= 8
