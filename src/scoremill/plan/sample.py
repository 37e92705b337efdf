"""The beginning of an input object: its columns, a few hundred rows, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from scoremill.errors import InputError
from scoremill.spec import Column, Csv, Storage
from scoremill.storage.compression import compression_of
from scoremill.storage.convert import to_frame
from scoremill.storage.csv import CsvReader, Header, Range, read_header
from scoremill.storage.decode import DecodedSource
from scoremill.storage.filesystem import Store
from scoremill.storage.kinds import refuse_other_kinds
from scoremill.storage.parquet_reader import read_row_group
from scoremill.storage.rename import Renaming, renamed
from scoremill.storage.rows import BytesSource, Reject, Rows
from scoremill.units import format_bytes

from .date_formats import date_hint
from .dates import date_notes, is_date
from .partition import Source
from .problem import Problem
from .suggest import close_hint, rename_hint

SAMPLE_BYTES = 256 * 1024
"""Read from the beginning of a sampled file."""
SAMPLE_ROWS = 1000
"""Read from the first row group of a sampled Parquet file."""
_LONGEST_HEADER = 16 * 2**20
"""Read from a file whose first row is longer than a sample."""
_MANY = 0.5
"""Fraction of sampled values that do not convert, from which the column is taken to be another."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the beginning of one object shows."""

    source: Source
    names: tuple[str, ...] | None
    """Its columns, those in its path included; None of an object without a byte."""
    rows: pa.Table | None = None
    """Sampled rows: text of CSV, typed of Parquet."""
    row_bytes: float = 0.0
    problems: tuple[Problem, ...] = field(default=())
    changes: dict[str, str] = field(default_factory=dict)
    """New names of its columns, by the names that they have in the object."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The columns that a job names, and how it renames those of the input."""

    keep: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    renaming: Renaming = field(default_factory=Renaming)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.keep, *self.where)))

    def changes(self, names: Sequence[str], needs: Sequence[Column], kept: Sequence[str] = ()) -> dict[str, str]:
        """New names of the columns of an object that has these `names`."""
        wanted = dict.fromkeys([*(column.name for column in needs), *self.names, *kept])
        return self.renaming.changes(list(dict.fromkeys(names)), [name for name in wanted if name != "*"])


def take_sample(
    source: Source, storage: Storage, csv: Csv, hive: bool, needs: Sequence[Column], asked: Asked, allowed: float
) -> Sample:
    """The sample of `source`, checked against the columns that the model needs and those that the job names.

    Where `allowed`, the fraction of rows that may be rejected, lets a column be wrong throughout, that is a warning.
    """
    try:
        return _take(source, storage, csv, hive, needs, asked, allowed)
    except InputError as error:
        return Sample(source, (), problems=(Problem("error", source.uri, error.message, error.mend or ""),))


def _take(
    source: Source, storage: Storage, csv: Csv, hive: bool, needs: Sequence[Column], asked: Asked, allowed: float
) -> Sample:
    path = tuple(source.hive()) if hive else ()
    if source.format == "parquet":
        return _take_parquet(source, storage, csv, path, needs, asked, allowed)
    source, data, is_all = _beginning(source, storage)
    refuse_other_kinds("the file", data, is_decoded=source.is_compressed)
    header = read_header(BytesSource(data, "the file"), csv)
    if header is None:
        return Sample(source, None)
    if not is_all and header.data_start >= len(data):
        raise InputError(
            f"the header does not end within {format_bytes(len(data))}",
            "Check its first row for a quote that is never closed, or that this is a CSV.",
        )
    changes = asked.changes((*header.names, *path), needs)
    header = replace(header, names=renamed(header.names, changes))
    names = tuple(dict.fromkeys((*header.names, *renamed(path, changes))))
    problems = list(_columns_missing(source, names, needs, asked, csv, header))
    carried = _kept(asked.names, names)
    wanted = [c.name for c in needs if c.name in header.names] + [n for n in carried if n in header.names]
    body = data if is_all else data[: data.rfind(b"\n") + 1]
    if problems or len(body) <= header.data_start:
        return Sample(source, names, problems=tuple(problems), changes=changes)
    blocks = _blocks(BytesSource(body, "the file"), header, csv, list(dict.fromkeys(wanted)))
    if not is_all and blocks:
        # The last newline may have been inside quotes: what ends there may be half a row.
        blocks[-1] = _without_last(blocks[-1])
    rows = sum(block.table.num_rows for block in blocks)
    read = [c for c in needs if c.name in header.names]
    problems += [*_values_wrong(source, blocks, read, csv, allowed), *_times_altered(source, blocks, read, csv)]
    table = pa.concat_tables([block.table for block in blocks]) if blocks else None
    row_bytes = (len(body) - header.data_start) / rows if rows else 0.0
    return Sample(source, names, table, row_bytes, tuple(problems), changes)


def _take_parquet(
    source: Source,
    storage: Storage,
    csv: Csv,
    path: tuple[str, ...],
    needs: Sequence[Column],
    asked: Asked,
    allowed: float,
) -> Sample:
    if source.size == 0:
        return Sample(source, None)
    with Store(source.root, storage).open(source.name, source.version) as file:
        schema = pq.ParquetFile(file).schema_arrow
        changes = asked.changes((*schema.names, *path), needs)
        held = dict(zip(renamed(schema.names, changes), schema.names, strict=True))
        names = tuple(dict.fromkeys((*held, *renamed(path, changes))))
        problems = list(_columns_missing(source, names, needs, asked, None, None))
        if not problems and source.row_groups:
            read = [column for column in needs if column.name in held]
            rows = list(islice(read_row_group(file, 0, [column.name for column in read], SAMPLE_ROWS, held), 1))
            problems += [*_values_wrong(source, rows, read, csv, allowed), *_times_altered(source, rows, read, csv)]
    table = schema.empty_table().rename_columns(list(held))
    return Sample(source, names, table, problems=tuple(problems), changes=changes)


def _blocks(body: BytesSource, header: Header, csv: Csv, wanted: list[str]) -> list[Rows]:
    """The sampled rows; where quotes are irregular, by the way that reads them."""
    for whole in (False, True):
        cut = Range(0, len(body.data), whole=whole)
        reader = CsvReader(body, cut, header, csv, wanted, block_bytes=SAMPLE_BYTES)
        blocks = list(reader)
        if not reader.tally.irregular:
            break
    return blocks


def _without_last(rows: Rows) -> Rows:
    last = max([*rows.numbers[-1:].tolist(), *(reject.row for reject in rows.rejects)], default=0)
    shorter = rows.slice(0, len(rows) - int(len(rows) > 0 and int(rows.numbers[-1]) == last))
    shorter.rejects = [reject for reject in rows.rejects if reject.row != last]
    return shorter


def _beginning(source: Source, storage: Storage) -> tuple[Source, bytes, bool]:
    """The source with how it is compressed, its first bytes decompressed, and whether they are all.

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
            return source, data, len(data) < size
        size *= 8


def _kept(keep: Sequence[str], names: Sequence[str]) -> list[str]:
    return list(names) if "*" in keep else list(keep)


def _columns_missing(
    source: Source,
    names: tuple[str, ...],
    needs: Sequence[Column],
    asked: Asked,
    csv: Csv | None,
    header: Header | None,
) -> Iterator[Problem]:
    read = [column.name for column in needs]
    for who, wanted in (("the model reads", read), ("--keep names", asked.keep), ("--where names", asked.where)):
        missing = [name for name in wanted if name != "*" and name not in names]
        if missing:
            listed = ", ".join(repr(name) for name in missing)
            message = f"{who} {'a column' if len(missing) == 1 else 'columns'} that the file does not have: {listed}"
            hint = _other_dialect(names, csv, header)
            if hint is None:
                suggest = rename_hint if wanted is read else close_hint
                hint = suggest(missing, names, {*read, *asked.names})
            yield Problem("error", source.uri, message, hint, about=f"{message}: {hint.partition(':')[0]}")


def _other_dialect(names: tuple[str, ...], csv: Csv | None, header: Header | None) -> str | None:
    """What the user most probably has to do if the columns are not those of the file."""
    if csv is not None and header is not None and len(header.names) == 1:
        others = [mark for mark in ",;\t|" if mark != csv.delimiter and mark in header.names[0]]
        if others:
            return f"Its header holds {others[0]!r}: try --delimiter {others[0]!r}."
    if csv is not None and csv.header and any(_is_number(name) for name in names):
        return "Its first row looks like data: for files without a header, give --no-header and --names."
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _values_wrong(
    source: Source, blocks: list[Rows], needs: list[Column], csv: Csv, allowed: float
) -> Iterator[Problem]:
    """Columns whose sampled text mostly is not of the model's type, and stray values as warnings."""
    rejects: list[Reject] = [reject for block in blocks for reject in block.rejects]
    rows = sum(block.table.num_rows for block in blocks) + len(rejects)
    for block in blocks:
        rejects += to_frame(block, needs, csv).rejects
    for column in dict.fromkeys(reject.column for reject in rejects):
        those = [reject for reject in rejects if reject.column == column]
        many = len(those) > max(_MANY, allowed) * rows
        where = f"{source.uri}, column {column!r}" if column else source.uri
        yield Problem(
            "error" if many else "warning",
            where,
            f"{len(those)} of the first {rows} rows would be rejected: {those[0].reason}",
            " ".join(_value_hints(column, blocks, needs, csv, is_error=many)),
            about=f"values of {column}",
        )


def _value_hints(
    name: str | None, blocks: list[Rows], needs: list[Column], csv: Csv, *, is_error: bool
) -> Iterator[str]:
    date = next((column for column in needs if column.name == name and is_date(column)), None)
    if not is_error:
        yield "Rejected rows go to _errors/; --max-errors bounds them."
    elif date is None:
        yield _mend_values(name, csv)
    if date is not None and all(pa.types.is_string(block.table[date.name].type) for block in blocks):
        yield date_hint(date, pa.concat_tables([block.table for block in blocks])[date.name].combine_chunks(), csv)


def _times_altered(source: Source, blocks: list[Rows], needs: list[Column], csv: Csv) -> Iterator[Problem]:
    """Notes on times that the model's types cannot hold as they are."""
    if blocks:
        for column, note in date_notes(pa.concat_tables([block.table for block in blocks]), needs, csv):
            where = f"{source.uri}, column {column.name!r}"
            yield Problem("warning", where, note, about=f"times of {column.name}: {note.lstrip('0123456789')}")


def _mend_values(column: str | None, csv: Csv) -> str:
    if column is None:
        return f"Check --delimiter (now {csv.delimiter!r}), quotes and --encoding (now {csv.encoding})."
    return "Check the column, --decimal and --null-values, or train with such values."
