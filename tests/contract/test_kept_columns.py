"""Kept columns are copied unchanged: CSV text character for character, Parquet with its types."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from scoremill import pack, plan, score, verify
from scoremill.engines.protocol import InProcess
from scoremill.errors import InputError
from scoremill.outputs.compact import compact
from scoremill.outputs.retry import retry_rejected
from scoremill.spec.mention import mention
from scoremill.storage.filesystem import Store
from tests.support.jobs import make_job, objects, strict_and_mild

FORMATS = ("parquet", "csv", "jsonl")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A bundle whose model reads the column `x`."""
    frame = pd.DataFrame({"x": np.arange(10.0)})
    folder = str(tmp_path_factory.mktemp("bundle") / "line")
    pack(LinearRegression().fit(frame, frame["x"]), folder, sample=frame)
    return folder


def scored(model: str, inputs: Path, to: Path, /, *keep: str, **spec: Any) -> str:
    """Score with these kept columns and small CSV partitions, and return the output URI."""
    parts = spec.pop("input", {})
    out = {"keep": list(keep), **spec.pop("output", {})}
    job = make_job(
        model,
        str(inputs),
        str(to),
        input={"partitionBytes": "1KiB", **parts},
        output=out,
        errors={"maxFraction": None},
        **spec,
    )
    score(job, cluster="in-process")
    verify(str(to))
    return str(to)


def column(output: str, name: str) -> list[Any]:
    """Return the values of a column in all parts, None if missing, and text for CSV."""
    values: list[Any] = []
    for part, data in sorted(objects(output).items()):
        if part.endswith(".parquet"):
            values += pq.read_table(io.BytesIO(data))[name].to_pylist()
        elif part.endswith(".csv"):
            values += _fields(data.decode(), name)
        elif not part.startswith("_errors"):
            values += [json.loads(line)[name] for line in data.splitlines()]
    return values


def _fields(text: str, name: str) -> list[str | None]:
    """Return a column of a CSV, with None for empty unquoted fields."""
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    _, *marked = csv.reader(io.StringIO(text.replace('""', "\1"), newline=""))
    at = header.index(name)
    return [row[at] or ("" if "\1" in mark[at] else None) for row, mark in zip(rows, marked, strict=True)]


AWKWARD = [
    "11898508762506083287",
    "02134",
    "1E5",
    "1.10",
    " 7 ",
    "NA",
    "null",
    "nan",
    "True",
    "0x1F",
    "1_000",
    "2020-01-02",
    "١",
    "é",
    "a,b",
    'say "hi"',
    "two\nlines",
    "two\r\nlines",
    "-0",
    "1.0",
    "+5",
    "9007199254740993",
    "",
    None,
]
"""Texts that type inference would change or lose."""


def _csv(values: list[str | None]) -> bytes:
    def field(value: str | None) -> str:
        return "" if value is None else '"' + value.replace('"', '""') + '"'

    return "".join(["id,x\n", *(f"{field(value)},{i}\n" for i, value in enumerate(values))]).encode()


@pytest.mark.parametrize("format", FORMATS)
def test_kept_csv_text_is_copied_character_for_character(model, tmp_path, format):
    values = AWKWARD * 20
    (tmp_path / "in.csv").write_bytes(_csv(values))
    output = scored(model, tmp_path / "in.csv", tmp_path / "out", "id", output={"format": format})
    assert column(output, "id") == values


TEXTS = st.lists(st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), max_size=30)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=TEXTS, format=st.sampled_from(FORMATS))
def test_any_kept_text_is_copied_into_each_format(model, tmp_path_factory, values, format):
    folder = tmp_path_factory.mktemp("any")
    (folder / "in.csv").write_bytes(_csv([*values, "last"]))
    output = scored(model, folder / "in.csv", folder / "out", "id", output={"format": format})
    assert column(output, "id") == [*values, "last"]


def test_kept_model_column_is_text_in_the_output_and_a_number_for_the_model(model, tmp_path):
    texts = ["1.10", "007", " 5 ", "1e2", '"3"', "NA", ""]
    (tmp_path / "in.csv").write_text("x,y\n" + "".join(f"{text},1\n" for text in texts))
    output = scored(model, tmp_path / "in.csv", tmp_path / "out", "x", input={"where": "notnull(x)"})
    assert column(output, "x") == ["1.10", "007", " 5 ", "1e2", "3"]
    assert column(output, "prediction") == pytest.approx([1.1, 7, 5, 100, 3])


def test_null_values_are_the_same_for_the_model_if_a_column_is_kept(tmp_path):
    frame = pd.DataFrame({"x": [1.0, 2.0, np.nan, 4.0] * 10, "s": [1.0, np.nan, 3.0, 4.0] * 10})
    trees = HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=2).fit(frame, frame["x"].fillna(9))
    pack(trees, str(tmp_path / "trees"), sample=frame)
    (tmp_path / "in.csv").write_text('x,s\n1,NA\n"NA",2\n"",\n-999,null\nnan,4\n')
    dialect = {"csv": {"nullValues": ["NA", "null", "-999", "nan"]}}
    for more in ({}, {"csv": {"nullValues": ["NA", "null", "-999", "nan", ""]}}):
        spec = {"errors": {"maxFraction": None}, "input": {**dialect, **more}}
        for name, keep in (("plain", []), ("kept", ["x", "s"])):
            job = make_job(
                str(tmp_path / "trees"),
                str(tmp_path / "in.csv"),
                str(tmp_path / f"{name}{len(more)}"),
                output={"keep": keep},
                **spec,
            )
            score(job, cluster="in-process")
        one, two = (str(tmp_path / f"{name}{len(more)}") for name in ("plain", "kept"))
        assert column(one, "prediction") == column(two, "prediction")
        assert len(column(one, "prediction")) == (5 if more else 4)


def test_late_value_of_another_kind_does_not_fail_a_run(model, tmp_path):
    rows = [f"{94103 + i % 7},{i}" for i in range(500)]
    rows[480] = "94103-2585,480"
    (tmp_path / "in.csv").write_text("zip,x\n" + "\n".join(rows) + "\n")
    output = scored(model, tmp_path / "in.csv", tmp_path / "out", "zip")
    assert column(output, "zip")[480] == "94103-2585"


def test_kept_column_with_a_dtype_is_converted_and_rows_that_fail_are_rejected(model, tmp_path):
    rows = [f"{i},{i}" for i in range(300)]
    rows[250] = "x,250"
    (tmp_path / "in.csv").write_text("id,x\n" + "\n".join(rows) + "\n")
    output = scored(model, tmp_path / "in.csv", tmp_path / "out", "id", input={"csv": {"dtypes": {"id": "int64"}}})
    assert column(output, "id") == [i for i in range(300) if i != 250]
    (reject,) = [
        json.loads(line) for name, data in objects(output).items() if "_errors" in name for line in data.splitlines()
    ]
    assert (reject["column"], reject["raw"], reject["line"]) == ("id", "x,250", 252)


OWN_TYPES = {
    "decimal": pa.array([decimal.Decimal(11898508762506083287123456789012345678), None], pa.decimal128(38, 0)),
    "money": pa.array([decimal.Decimal("1.50"), None], pa.decimal128(10, 2)),
    "date": pa.array([dt.date(2020, 1, 2), None]),
    "time": pa.array([dt.time(1, 2, 3, 4), None], pa.time64("us")),
    "took": pa.array([dt.timedelta(1, 2, 3), None], pa.duration("us")),
    "bytes": pa.array([b'\xff\x00"', None]),
    "key": pa.array([b"\xff\x00ab", None], pa.binary(4)),
    "kind": pa.array(["b", None]).dictionary_encode(),
    "big": pa.array([2**64 - 1, None], pa.uint64()),
    "small": pa.array([7, None], pa.int8()),
    "zoned": pa.array(
        [pd.Timestamp("2020-01-01 00:00:00.000000001", tz="UTC"), None], pa.timestamp("ns", "Europe/Berlin")
    ),
    "yes": pa.array([True, None]),
    "wide": pa.array(["é", None], pa.large_string()),
    "tags": pa.array([["a", None], None]),
    "place": pa.array([{"lat": 1.5, "name": None}, None]),
    "pairs": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
}
"""A value and a null of each Parquet type."""
NESTED = ("tags", "place", "pairs")


def own_types(path: Path, rows: int = 40) -> pa.Table:
    """Write a Parquet file of these types with several row groups, and return its table."""
    table = pa.table({**OWN_TYPES, "x": pa.array([1.0, 2.0])})
    table = pa.concat_tables([table] * (rows // 2)).combine_chunks()
    pq.write_table(table, path, row_group_size=10)
    return pq.read_table(path)


@pytest.mark.parametrize("name", OWN_TYPES)
def test_kept_parquet_column_keeps_its_type_in_parquet(model, tmp_path, name):
    table = own_types(tmp_path / "in.parquet")
    output = scored(model, tmp_path / "in.parquet", tmp_path / "out", name)
    parts = [pq.read_table(io.BytesIO(data)) for _, data in sorted(objects(output).items())]
    assert {part.schema.field(name).type for part in parts} == {table.schema.field(name).type}
    assert pa.concat_tables(parts)[name].to_pylist() == table[name].to_pylist()


TEXT_OF = {
    "decimal": "11898508762506083287123456789012345678",
    "money": "1.50",
    "date": "2020-01-02",
    "time": "01:02:03.000004",
    "took": "P1DT0H0M2.000003S",
    "bytes": "/wAi",
    "key": "/wBhYg==",
    "kind": "b",
    "big": "18446744073709551615",
    "small": "7",
    "yes": "true",
    "wide": "é",
}


@pytest.mark.parametrize("name", TEXT_OF)
def test_kept_parquet_column_is_exact_in_csv_and_json_lines(model, tmp_path, name):
    own_types(tmp_path / "in.parquet")
    for text in ("csv", "jsonl"):
        output = scored(model, tmp_path / "in.parquet", tmp_path / text, name, output={"format": text})
        value, missing = column(output, name)[:2]
        assert missing is None
        assert (str(value).lower() if isinstance(value, bool) else str(value)) == TEXT_OF[name]


def test_times_with_nanoseconds_and_zone_are_exact_in_csv_and_json_lines(model, tmp_path):
    own_types(tmp_path / "in.parquet")
    for text in ("csv", "jsonl"):
        output = scored(model, tmp_path / "in.parquet", tmp_path / text, "zoned", output={"format": text})
        value = pd.Timestamp(column(output, "zoned")[0])
        assert value == pd.Timestamp("2020-01-01 00:00:00.000000001", tz="UTC")


@pytest.mark.parametrize("name", NESTED)
def test_nested_values_are_objects_in_json_lines_and_refused_in_csv_before_anything_runs(model, tmp_path, name):
    table = own_types(tmp_path / "in.parquet")
    output = scored(model, tmp_path / "in.parquet", tmp_path / "out", name, output={"format": "jsonl"})
    expected = json.loads(json.dumps(table[name].to_pylist()))
    assert column(output, name) == expected
    job = make_job(model, str(tmp_path / "in.parquet"), str(tmp_path / "csv"), output={"keep": [name], "format": "csv"})
    (problem,) = plan(job).errors
    assert problem.where == mention("spec.output.keep", [name])
    assert "`spec.output.format: parquet` or jsonl" in problem.hint


def test_kept_columns_of_wider_and_narrower_types_have_the_wider_type(model, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number, kind in enumerate((pa.int32(), pa.int64(), pa.int8())):
        pq.write_table(pa.table({"id": pa.array([number], kind), "x": [1.0]}), folder / f"{number}.parquet")
    output = scored(model, folder, tmp_path / "out", "id")
    assert column(output, "id") == [0, 1, 2]
    assert {pq.read_schema(io.BytesIO(data)).field("id").type for data in objects(output).values()} == {pa.int64()}


@pytest.mark.parametrize("other", [pa.float64(), pa.string()])
def test_kept_columns_of_incompatible_types_are_a_problem_with_a_hint(model, tmp_path, other):
    folder = tmp_path / "in"
    folder.mkdir()
    for number, kind in enumerate((pa.int64(), other)):
        values = pa.array([2**53 + 1 if kind == pa.int64() else number]).cast(kind)
        pq.write_table(pa.table({"id": values, "x": [1.0]}), folder / f"{number}.parquet")
    job = make_job(model, str(folder), str(tmp_path / "out"), output={"keep": ["id"]})
    (problem,) = plan(job).errors
    assert '`spec.input.csv.dtypes: {"id": "string"}`' in problem.hint
    output = scored(model, folder, tmp_path / "out", "id", input={"csv": {"dtypes": {"id": "string"}}})
    assert column(output, "id")[0] == str(2**53 + 1)


def test_unsampled_file_with_another_type_is_named(model, tmp_path, monkeypatch):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(70):
        pq.write_table(pa.table({"id": pa.array([number], pa.int32()), "x": [1.0]}), folder / f"{number:02}.parquet")
    job = make_job(model, str(folder), str(tmp_path / "out"), output={"keep": ["id"]})
    sampled = set(plan(job).headers)
    (odd,) = [path for path in sorted(folder.iterdir()) if str(path) not in sampled][:1]
    pq.write_table(pa.table({"id": ["x"], "x": [1.0]}), odd)
    with pytest.raises(InputError, match=f'{odd.name}: the kept column "id" is string here and int32'):
        score(job, cluster="in-process")


GOOD = 8
"""Number of rows that the strict model scores, before those that it rejects."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles of a model that rejects infinite numbers and of one that accepts them."""
    return strict_and_mild(tmp_path_factory.mktemp("models"))


def retried(models: Path, source: Path, folder: Path, keep: list[str], **output: Any) -> tuple[str, str]:
    """Return two outputs: a retry of the rows that the strict model rejects, and a run over all rows."""
    first = scored(str(models / "strict"), source, folder / "out", *keep, output=output)
    assert len(column(first, keep[0])) == GOOD
    retry_rejected(Store(first), lambda _: InProcess(), {"spec": {"model": {"uri": str(models / "mild")}}})
    return f"{first}/_retries/1", scored(str(models / "mild"), source, folder / "whole", *keep, output=output)


@pytest.mark.parametrize("format", FORMATS)
def test_rejected_csv_rows_are_retried_with_their_kept_text(models, tmp_path, format):
    rows = _csv(["good"] * GOOD + AWKWARD).decode().replace("good", "g")
    for number in range(GOOD, GOOD + len(AWKWARD)):
        rows = rows.replace(f",{number}\n", ",inf\n")
    (tmp_path / "in.csv").write_text(rows, newline="")
    again, whole = retried(models, tmp_path / "in.csv", tmp_path, ["id"], format=format)
    assert column(again, "id") == column(whole, "id")[GOOD:] == AWKWARD


@pytest.mark.parametrize("format", FORMATS)
def test_rejected_parquet_rows_are_retried_with_their_values_and_types(models, tmp_path, format):
    keep = [name for name in OWN_TYPES if format != "csv" or name not in NESTED]
    table = own_types(tmp_path / "in.parquet")
    numbers = pa.array([1.0] * GOOD + [np.inf] * (len(table) - GOOD))
    table = table.set_column(table.column_names.index("x"), "x", numbers)
    pq.write_table(table, tmp_path / "in.parquet")
    again, whole = retried(models, tmp_path / "in.parquet", tmp_path, keep, format=format)
    for name in keep:
        assert column(again, name) == column(whole, name)[GOOD:]
    parts = ({**objects(uri)} for uri in (again, whole))
    kinds = [{_schema(data) for name, data in part.items() if name.endswith(".parquet")} for part in parts]
    assert kinds[0] == kinds[1] and len(kinds[0]) == (format == "parquet")


def _schema(data: bytes) -> str:
    return str(pq.read_schema(io.BytesIO(data)).remove_metadata())


def test_output_of_all_types_is_compacted_and_compared_value_for_value(model, tmp_path):
    table = own_types(tmp_path / "in.parquet")
    place = pa.array([{"lat": float("nan"), "name": None}, None] * 20)
    pq.write_table(table.append_column("nan", place), tmp_path / "in.parquet", row_group_size=10)
    output = scored(model, tmp_path / "in.parquet", tmp_path / "out", *OWN_TYPES, "nan")
    compact(Store(output), Store(str(tmp_path / "small")), 7)
    verify(str(tmp_path / "small"))
    for name in OWN_TYPES:
        assert column(str(tmp_path / "small"), name) == table[name].to_pylist()


def test_partition_folders_of_a_kept_column_separate_text_and_missing_values(model, tmp_path):
    values = ["02134", "1E5", "NA", "a/b", "..", "", None, "__HIVE_DEFAULT_PARTITION__", "2.50"]
    (tmp_path / "in.csv").write_bytes(_csv(values))
    output = scored(model, tmp_path / "in.csv", tmp_path / "out", "id", output={"partitionBy": ["id"], "rowId": True})
    folders = {name.split("/")[0] for name in objects(output)}
    assert folders == {
        "id=02134",
        "id=1E5",
        "id=NA",
        "id=a%2Fb",
        "id=..",
        "id=",
        "id=__HIVE_DEFAULT_PARTITION__",
        "id=%5F_HIVE_DEFAULT_PARTITION__",
        "id=2.50",
    }


@pytest.mark.parametrize("name", ["bytes", "tags"])
def test_partition_columns_of_unsupported_types_are_a_problem_of_the_plan(model, tmp_path, name):
    own_types(tmp_path / "in.parquet")
    out = {"keep": [name], "partitionBy": [name]}
    (problem,) = plan(make_job(model, str(tmp_path / "in.parquet"), str(tmp_path / "out"), output=out)).errors
    assert problem.where == mention("spec.output.partitionBy", [name])


def test_csv_row_with_only_a_missing_value_is_a_row(tmp_path):
    frame = pd.DataFrame({"x": np.arange(4.0)})
    labels = np.array(["", "", "", "a"], dtype=object)
    pack(DummyClassifier(strategy="most_frequent").fit(frame, labels), str(tmp_path / "m"), sample=frame)
    frame.to_csv(tmp_path / "in.csv", index=False)
    output = scored(str(tmp_path / "m"), tmp_path / "in.csv", tmp_path / "out", output={"format": "csv"})
    (data,) = objects(output).values()
    assert len(pd.read_csv(io.BytesIO(data), keep_default_na=False)) == 4
