"""Columns of Parquet as the dtypes of a model."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from scoremill.errors import InputError, UsageError
from scoremill.spec import Column, Csv
from scoremill.tabular.convert import arrow_dtypes, to_frame
from tests.unit.tabular.converting import typed_rows


def converted(array: pa.Array, dtype: str, **column: Any) -> tuple[list[Any], list[int]]:
    """Values of the frame, and rows that were set aside."""
    result = to_frame(typed_rows(a=array), [Column("a", dtype, **column)], Csv())
    return result.frame["a"].tolist(), [reject.row for reject in result.rejects]


@pytest.mark.parametrize(
    ("array", "dtype", "values", "rejects"),
    [
        (pa.array([1, 2]), "int64", [1, 2], []),
        (pa.array([1, 2], pa.int8()), "int64", [1, 2], []),
        (pa.array([1, 300]), "int8", [1], [1]),
        (pa.array([2**63], pa.uint64()), "int64", [], [0]),
        (pa.array([-1], pa.int64()), "uint64", [], [0]),
        (pa.array([1, 2]), "float64", [1.0, 2.0], []),
        (pa.array([1.0, 2.5]), "int64", [1], [1]),
        (pa.array([math.inf, 1e19, 3.0]), "int64", [3], [0, 1]),
        (pa.array([True, False]), "int64", [1, 0], []),
        (pa.array([True, False]), "float64", [1.0, 0.0], []),
        (pa.array([1, 0, 2]), "bool", [True, False], [2]),
        (pa.array([decimal.Decimal("1.50")]), "float64", [1.5], []),
        (pa.array([decimal.Decimal("2.00"), decimal.Decimal("2.5")]), "int64", [2], [1]),
        (pa.array([1.5], pa.float32()), "float64", [1.5], []),
        (pa.array(["1", "x"]), "float64", [1.0], [1]),
        (pa.array(["1", "2"], pa.large_string()), "int64", [1, 2], []),
        (pa.array([1, 2]), "string", ["1", "2"], []),
        (pa.array([b"1", b"x"]), "int64", [1], [1]),
        (pa.array(["x"], pa.string_view()), "string", ["x"], []),
        (pa.array(["x", "y"]).dictionary_encode(), "string", ["x", "y"], []),
        (pa.array(["x", "y"]), "object", ["x", "y"], []),
        (pa.array([1, 2]).dictionary_encode(), "float64", [1.0, 2.0], []),
    ],
)
def test_values_of_one_type_as_another(array: pa.Array, dtype: str, values: list[Any], rejects: list[int]) -> None:
    assert converted(array, dtype) == (values, rejects)


def test_nulls_and_nan_are_missing_in_every_type() -> None:
    for array in (pa.array([1, None]), pa.array([1.0, math.nan]), pa.array([1.0, None])):
        values, rejects = converted(array, "int64")
        assert values[0] == 1 and math.isnan(values[1])
        assert rejects == []
    for dtype in ("float64", "string", "bool", "datetime64[ns]"):
        values, rejects = converted(pa.nulls(1), dtype)
        assert pd.isna(values[0]) and rejects == []


def test_text_of_parquet_is_no_null_spelling() -> None:
    assert converted(pa.array(["NA", ""]), "string") == (["NA", ""], [])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_any_unit_and_zone(unit: str) -> None:
    noon = dt.datetime(2009, 1, 4, 12)
    expected = pd.Timestamp(noon)
    assert converted(pa.array([noon], pa.timestamp(unit)), "datetime64[ns]") == ([expected], [])
    assert converted(pa.array([noon], pa.timestamp(unit, "Europe/Berlin")), "datetime64[us]") == ([expected], [])
    aware, _ = converted(pa.array([noon], pa.timestamp(unit)), "datetime64[us, UTC]")
    assert aware == [expected.tz_localize("UTC")]


def test_dates_and_times_outside_of_the_type() -> None:
    assert converted(pa.array([dt.date(2009, 1, 4)]), "datetime64[ns]") == ([pd.Timestamp("2009-01-04")], [])
    far = pa.array([dt.datetime(2009, 1, 4), dt.datetime(9999, 1, 1)], pa.timestamp("us"))
    assert converted(far, "datetime64[ns]") == ([pd.Timestamp("2009-01-04")], [1])


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["b", "a", None, "c"]),
        pa.array(["b", "a", None, "c"]).dictionary_encode(),
        pa.array(["b", "a", None, "c"], pa.large_string()),
    ],
)
def test_text_as_categories(array: pa.Array) -> None:
    result = to_frame(typed_rows(a=array), [Column("a", "category", ("a", "b"))], Csv())
    assert result.frame["a"].cat.codes.tolist() == [1, 0, -1, -1]
    assert result.unseen == {"a": 1}


def test_numbers_as_categories() -> None:
    column = Column("a", "category", (10, 20))
    for array in (pa.array([20, 10, 30]), pa.array([20.0, 10.0, 30.0]), pa.array([20, 10, 30], pa.int8())):
        result = to_frame(typed_rows(a=array), [column], Csv())
        assert result.frame["a"].cat.codes.tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (pa.array([b"\xff"]), "string"),
        (pa.array([[1]]), "category"),
        (pa.array([[1]]), "float64"),
        (pa.array([dt.datetime(2009, 1, 4)]), "float64"),
        (pa.array([dt.datetime(2009, 1, 4)]), "int64"),
        (pa.array([1.0]), "datetime64[ns]"),
        (pa.array([[1]]), "string"),
    ],
)
def test_types_that_never_convert_name_column_and_both_types(array: pa.Array, dtype: str) -> None:
    with pytest.raises(InputError, match=rf'column "a" is .* in the input, but {dtype.split("[", maxsplit=1)[0]}'):
        to_frame(typed_rows(a=array), [Column("a", dtype)], Csv())


def test_types_of_a_parquet_schema() -> None:
    schema = pa.schema(
        [
            ("i", pa.int32()),
            ("f", pa.float32()),
            ("d", pa.decimal128(5, 2)),
            ("b", pa.bool_()),
            ("s", pa.large_string()),
            ("c", pa.dictionary(pa.int8(), pa.string())),
            ("t", pa.timestamp("us", "UTC")),
            ("day", pa.date32()),
        ]
    )
    dtypes = arrow_dtypes(schema)
    assert list(dtypes.values()) == [
        "int32",
        "float32",
        "float64",
        "bool",
        "string",
        "string",
        "datetime64[us, UTC]",
        "datetime64[s]",
    ]


def test_decimals_are_the_nearest_floats() -> None:
    values = [decimal.Decimal(n).scaleb(-2) for n in range(-99_999, 99_999, 7)]
    for kind in (pa.decimal128(5, 2), pa.decimal128(38, 18), pa.decimal256(50, 2)):
        assert converted(pa.array(values, kind), "float64")[0] == [float(value) for value in values]


@pytest.mark.parametrize(
    ("array", "column", "values"),
    [
        (pa.array(["a", None]), {"missing": "None"}, ["a", None]),
        (pa.array(["a", None]), {"missing": "NA"}, ["a", pd.NA]),
        (pa.array([True, None]), {"missing": "None", "values": "bool"}, [True, None]),
        (pa.array([2**60 + 1, None]), {"missing": "None", "values": "int64"}, [2**60 + 1, None]),
        (pa.array([1.5, None]), {"missing": "None", "values": "float64"}, [1.5, None]),
        (pa.array([dt.date(2020, 1, 2), None]), {"missing": "None", "values": "date"}, [dt.date(2020, 1, 2), None]),
        (pa.array([dt.datetime(2020, 1, 2, 3)]), {"values": "date"}, [dt.date(2020, 1, 2)]),
        (pa.array(["2020-01-02"]), {"values": "date"}, [dt.date(2020, 1, 2)]),
        (pa.array(["1", "0"]), {"values": "bool"}, [True, False]),
    ],
)
def test_objects_have_the_values_and_the_form_of_missing_values_that_the_column_says(
    array: pa.Array, column: dict[str, Any], values: list[Any]
) -> None:
    found = to_frame(typed_rows(a=array), [Column("a", "object", **column)], Csv()).frame["a"]
    assert found.dtype == object
    for one, other in zip(found, values, strict=True):
        assert one is other or (type(one) is type(other) and one == other)


def test_objects_whose_values_do_not_convert_are_set_aside_by_the_type_of_the_values() -> None:
    rows = typed_rows(a=pa.array(["1", "x"]))
    (reject,) = to_frame(rows, [Column("a", "object", values="int64")], Csv()).rejects
    assert reject.reason == '"x" is not a 64-bit integer'


@pytest.mark.parametrize(
    "dtype",
    [
        "string[pyarrow]",
        "int64[pyarrow]",
        "double[pyarrow]",
        "bool[pyarrow]",
        "timestamp[us, tz=UTC][pyarrow]",
        "large_string[pyarrow]",
    ],
)
def test_arrow_dtypes_are_those_that_were_asked_for(dtype: str) -> None:
    text = "2020-01-01" if dtype.startswith("time") else "1"
    series = to_frame(typed_rows(a=pa.array([text, None])), [Column("a", dtype)], Csv()).frame["a"]
    assert str(series.dtype) == dtype
    assert isinstance(series.dtype, pd.ArrowDtype)
    assert series.isna().tolist() == [False, True]


@pytest.mark.parametrize("dtype", ["list<item: int64>[pyarrow]", "binary[pyarrow]", "nothing[pyarrow]", "period[D]"])
def test_dtypes_that_no_input_has_are_refused(dtype: str) -> None:
    with pytest.raises(UsageError, match="is not a type that values are read as"):
        to_frame(typed_rows(a=pa.array(["1"])), [Column("a", dtype)], Csv())


def test_text_can_have_pandas_own_missing_value() -> None:
    series = to_frame(typed_rows(a=pa.array(["x", None])), [Column("a", "string", missing="NA")], Csv()).frame["a"]
    assert series.dtype == pd.StringDtype()
    assert series[1] is pd.NA
