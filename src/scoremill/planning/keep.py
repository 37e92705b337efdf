"""Columns that are carried to the output: their names, their types, and which of them an output cannot hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from scoremill.discovery.problem import Problem
from scoremill.discovery.sample import Sample
from scoremill.spec import Column, JobSpec, KeptColumn
from scoremill.spec.mention import mention
from scoremill.tabular.convert import arrow_type, kept_as, kept_type, wider_of
from scoremill.units import quoted

Kinds = Mapping[str, pa.DataType]
"""Arrow types of columns of Parquet, by name."""


def kept_names(job: JobSpec, headers: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The names of the kept columns; `*` is all columns of the first sampled object."""
    if "*" not in job.output.keep:
        return list(dict.fromkeys(job.output.keep))
    first = next(filter(None, headers.values()), ())
    others = [name for name in job.output.keep if name != "*" and name not in first]
    return [name for name in (*first, *others) if name not in job.output.drop]


def kept_columns(names: Sequence[str], job: JobSpec, kinds: Kinds) -> tuple[KeptColumn, ...]:
    """The kept columns: as a type that the job gives, as Parquet has them, else as the text of the CSV."""
    given = job.input.csv.dtypes
    return tuple(
        KeptColumn(name, str(arrow_type(Column(name, given[name]))), given[name])
        if name in given
        else kept_as(name, kinds.get(name, pa.string()))
        for name in names
    )


def kinds_of(samples: Sequence[Sample], names: Sequence[str]) -> tuple[dict[str, pa.DataType], dict[str, Problem]]:
    """The types that hold all values of these columns in every sampled Parquet object; problems of columns without one."""
    kinds: dict[str, pa.DataType] = {}
    problems: dict[str, Problem] = {}
    for sample in samples:
        if sample.source.format != "parquet" or sample.rows is None:
            continue
        for name in names:
            if name not in sample.rows.column_names:
                continue
            here = sample.rows.schema.field(name).type
            wider = wider_of(kinds.setdefault(name, here), here)
            if wider is None:
                problems.setdefault(name, _two_types(sample, name, kinds[name], here))
            else:
                kinds[name] = wider
    return kinds, problems


def _two_types(sample: Sample, name: str, one: pa.DataType, other: pa.DataType) -> Problem:
    return Problem(
        "error",
        f"{sample.source.uri}, column {quoted(name)}",
        f"the kept column is {other} here and {one} in an earlier file",
        f"Score files of different types separately, or give one type to convert to: {mention('spec.input.csv.dtypes', {name: 'string'})}.",
        code="ColumnType",
    )


def problems_of_format(job: JobSpec, kept: Sequence[KeptColumn]) -> Iterator[Problem]:
    """Kept columns that the output's format, or a folder's name, cannot hold."""
    for column in kept:
        kind = kept_type(column)
        nested = pa.types.is_nested(kind)
        if nested and job.output.format == "csv":
            yield Problem(
                "error",
                mention("spec.output.keep", [column.name]),
                f"a CSV cannot hold values of type {column.type}",
                f"Write `spec.output.format: parquet` or jsonl, or leave the column out with {mention('spec.output.drop', [column.name])}.",
                code="ColumnType",
            )
        if column.name in job.output.partition_by and (nested or _is_bytes(kind)):
            yield Problem(
                "error",
                mention("spec.output.partitionBy", [column.name]),
                f"values of type {column.type} cannot name folders",
                "Choose a column of texts, numbers or dates.",
                code="ColumnType",
            )


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))
