"""Every line of docs/reference/conversions.md about text, against pandas.read_csv."""

from __future__ import annotations

import io
import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from scoremill.errors import UsageError
from scoremill.spec import Column, Csv
from scoremill.tabular.convert import infer_dtypes, to_frame
from tests.unit.tabular.converting import text_rows

REJECTED = "rejected"

NUMBERS = [
    "1",
    " 1",
    "1 ",
    "1\t",
    "\x0b1",
    "\n1",
    "+1",
    "-1",
    "007",
    "-0",
    "1.0",
    "1.",
    ".5",
    "+.5",
    "1e3",
    "1E5",
    "1.0e+05",
    "1.e5",
    "0x1",
    "0X1F",
    "0b1",
    "1_000",
    "1e",
    "1e+",
    ".",
    ".e5",
    "-",
    "+",
    "--1",
    "1f",
    "1 2",
    "1\xa0",
    "١",
    " ",
    "inf",
    "-inf",
    "+inf",
    "Infinity",
    "-Infinity",
    "INF",
    "iNf",
    "inf ",
    " inf",
    "infin",
    "NAN",
    " NaN",
    "nan(1)",
    "1e400",
    "-1e400",
    "1e-400",
    "1e99999999999999999999",
    "0.1",
    "1.7976931348623157e308",
    "4.9e-324",
    "2.2250738585072011e-308",
    "3.0000000000000000000000001",
    "9007199254740993",
    "9007199254740993.0",
    "123456789012345678",
    "0000000000000000000000001",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "127",
    "128",
    "-128",
    "-129",
    "255",
    "256",
    "T",
    "yes",
    " True",
]
"""Values that pandas and scoremill read alike, or both refuse, in a column of numbers."""


def ours(value: str, dtype: str, **dialect: Any) -> Any:
    csv = Csv(**dialect)
    converted = to_frame(text_rows(csv, a=[value]), [Column("a", dtype)], csv)
    return converted.frame["a"].iloc[0] if len(converted.frame) else REJECTED


def theirs(value: str, dtype: str, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            frame = pd.read_csv(io.StringIO(f'a;z\n"{value}";1\n'), sep=";", dtype={"a": dtype}, **options)
        except (ValueError, OverflowError, TypeError):
            return REJECTED
    return frame["a"].iloc[0]


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8", "uint8", "uint64", "Int64", "Float64"])
def test_numbers_are_read_as_pandas_reads_them(dtype: str) -> None:
    for value in NUMBERS:
        if dtype == "Float64" and value == "-0":
            continue  # pandas reads +0.0 there, and -0.0 as float64
        assert repr(ours(value, dtype)) == repr(theirs(value, dtype)), value


@pytest.mark.parametrize("dtype", ["str", "object"])
def test_text_is_left_as_it_is(dtype: str) -> None:
    for value in [*NUMBERS, "x", "é", "", "NA"]:
        assert repr(ours(value, dtype)) == repr(theirs(value, dtype)), value


@pytest.mark.parametrize(("thousands", "decimal"), [(",", "."), (".", ","), (None, ","), (" ", ",")])
def test_marks_in_numbers_are_read_as_pandas_reads_them(thousands: str | None, decimal: str) -> None:
    values = [
        "1,000",
        "1,0,0",
        "1,000.5",
        "1,000,",
        ",1",
        "1.000,5",
        "-1,000",
        "1,000e3",
        "1.5,0",
        ",",
        "1,5",
        "1.5",
        "1,000,5",
        "1 000,5",
        "1",
        ".5",
        ",5",
        "1e3",
        "inf",
        "-1.000",
        " 1,5 ",
    ]
    for dtype in ("float64", "int64"):
        for value in values:
            expected = theirs(value, dtype, thousands=thousands, decimal=decimal)
            assert repr(ours(value, dtype, thousands=thousands, decimal=decimal)) == repr(expected), (value, dtype)


def test_truth_values_are_read_as_pandas_reads_them() -> None:
    for value in ["True", "TRUE", "true", "False", "false", "1", "0", "1.0", "2", "-1", "T", "yes", "", " True"]:
        if value:
            assert repr(ours(value, "bool")) == repr(theirs(value, "bool")), value
    assert ours("yes", "bool", true_values=("yes",)) == theirs("yes", "bool", true_values=["yes"])


def test_null_spellings_are_those_of_pandas_or_those_given() -> None:
    for spelling in Csv().null_values:
        assert math.isnan(ours(spelling, "float64")) and math.isnan(theirs(spelling, "float64"))
    assert math.isnan(ours("-", "float64", null_values=("-",)))
    assert ours("nan", "float64", null_values=("-",)) == REJECTED
    assert ours("", "str", null_values=()) == ""


def frame_of(values: list[str], dtype: str, **dialect: Any) -> pd.Series:
    csv = Csv(**dialect)
    return to_frame(text_rows(csv, a=values), [Column("a", dtype)], csv).frame["a"]


def test_a_null_makes_a_batch_of_integers_one_of_floats_as_pandas_infers_it() -> None:
    inferred = pd.read_csv(io.StringIO("a\n1\nNA\n3\n"))["a"]
    pd.testing.assert_series_equal(frame_of(["1", "NA", "3"], "int64"), inferred)
    assert frame_of(["1", "3"], "int64").dtype == "int64"


def test_a_null_makes_a_batch_of_truth_values_one_of_objects_as_pandas_infers_it() -> None:
    inferred = pd.read_csv(io.StringIO("a\nTrue\nNA\nFalse\n"))["a"]
    pd.testing.assert_series_equal(frame_of(["True", "NA", "False"], "bool"), inferred)


def test_nullable_dtypes_keep_their_nulls() -> None:
    assert frame_of(["1", "NA"], "Int64").tolist() == [1, pd.NA]
    assert frame_of(["1.5", "NA"], "Float64").tolist() == [1.5, pd.NA]
    assert frame_of(["True", "NA"], "boolean").tolist() == [True, pd.NA]


def test_text_has_the_dtype_that_pandas_gives_it() -> None:
    inferred = pd.read_csv(io.StringIO("a\nx\nNA\né\n"))["a"]
    for dtype in ("string", "str"):
        pd.testing.assert_series_equal(frame_of(["x", "NA", "é"], dtype), inferred)
    objects = frame_of(["x", "NA"], "object")
    assert objects.dtype == object
    assert math.isnan(objects[1])


def test_dates_are_iso_8601_or_of_the_format_given() -> None:
    day = pd.Timestamp("2009-01-04")
    for text in ("2009-01-04", "20090104", "2009-01-04 00:00", "2009-01-04T00:00:00.000", " 2009-01-04"):
        assert ours(text, "datetime64[ns]") == day
    assert ours("04/01/2009", "datetime64[ns]", date_formats={"a": "%d/%m/%Y"}) == day
    assert ours("2009-01-04", "datetime64[ns]", date_formats={"a": "%d/%m/%Y"}) == REJECTED
    for text in ("04/01/2009", "2009-02-30", "2009-13-01", "12:30", "1.5", "x"):
        assert ours(text, "datetime64[ns]") == REJECTED
    assert pd.isna(ours("NA", "datetime64[ns]"))


def test_a_date_format_that_is_none_is_named() -> None:
    with pytest.raises(UsageError, match='"%Q" is not a date format'):
        ours("2009", "datetime64[ns]", date_formats={"a": "%Q"})


def test_dates_do_not_depend_on_the_clock() -> None:
    assert ours("now", "datetime64[ns]") == ours("today", "datetime64[us]") == REJECTED


def test_times_with_an_offset_are_brought_to_utc() -> None:
    assert ours("2009-01-04T02:00:00+02:00", "datetime64[ns]") == pd.Timestamp("2009-01-04")
    assert ours("2009-01-04T02:00:00+02:00", "datetime64[us, UTC]") == pd.Timestamp("2009-01-04", tz="UTC")
    assert ours("2009-01-04", "datetime64[us, Europe/Berlin]") == pd.Timestamp("2009-01-04 01:00", tz="Europe/Berlin")


def test_a_date_outside_of_its_type_is_rejected_whatever_its_batch_holds() -> None:
    values = ["9999-12-31", "2009-01-04 00:00:00.123456789"]
    assert frame_of(values, "datetime64[us]").tolist() == [
        pd.Timestamp("9999-12-31"),
        pd.Timestamp("2009-01-04 00:00:00.123456"),
    ]
    assert frame_of(values, "datetime64[ns]").tolist() == [pd.Timestamp("2009-01-04 00:00:00.123456789")]


@pytest.mark.parametrize(
    ("categories", "values", "expected"),
    [
        (("b", "a"), ["a", "b", "NA", "c"], [1, 0, -1, -1]),
        ((1, 2), ["2", "1.0", " 1", "x", "3"], [1, 0, 0, -1, -1]),
        ((0.5, 1.5), ["1.5", "5e-1", "2"], [1, 0, -1]),
        ((True, False), ["false", "TRUE", "maybe"], [1, 0, -1]),
        (("1", "1.0"), ["1.0", "1"], [1, 0]),
    ],
)
def test_categories_are_those_of_training_and_others_are_counted(
    categories: tuple[Any, ...], values: list[str], expected: list[int]
) -> None:
    rows = text_rows(Csv(), a=values)
    converted = to_frame(rows, [Column("a", "category", categories, ordered=True)], Csv())
    column = converted.frame["a"]
    assert column.cat.codes.tolist() == expected
    assert column.dtype == pd.CategoricalDtype(list(categories), ordered=True)
    assert converted.unseen.get("a", 0) == sum(c < 0 and v != "NA" for c, v in zip(expected, values, strict=True))
    assert converted.rejects == []


def test_rows_that_do_not_convert_are_set_aside_with_their_first_bad_column() -> None:
    csv = Csv()
    rows = text_rows(csv, a=["1", "x", "3", "4"], b=["1", "y", "NA", "2.5"], c=["p", "q", "r", "s"])
    columns = [Column("c", "string"), Column("a", "int64"), Column("b", "int64")]
    converted = to_frame(rows, columns, csv)
    assert converted.frame.columns.tolist() == ["c", "a", "b"]
    assert converted.frame["c"].tolist() == ["p", "r"]
    assert converted.frame["a"].dtype == "int64"
    assert converted.frame.index.equals(pd.RangeIndex(2))
    assert converted.positions.tolist() == [0, 2]
    assert [(r.row, r.column, r.reason) for r in converted.rejects] == [
        (1, "a", '"x" is not a 64-bit integer'),
        (3, "b", '"2.5" is not a 64-bit integer'),
    ]


def test_a_value_of_a_megabyte_is_not_repeated_in_the_reason() -> None:
    rows = text_rows(Csv(), a=["x" * 1_000_000])
    (reject,) = to_frame(rows, [Column("a", "float64")], Csv()).rejects
    assert len(reject.reason) < 150


def test_no_rows_and_rows_in_several_chunks() -> None:
    columns = [
        Column("a", "float64"),
        Column("b", "category", ("x",)),
        Column("c", "datetime64[ns]"),
        Column("d", "bool"),
    ]
    empty = text_rows(Csv(), a=[], b=[], c=[], d=[])
    assert len(to_frame(empty, columns, Csv()).frame) == 0
    rows = text_rows(Csv(), a=["1"], b=["x"], c=["2009"], d=["True"])
    rows.table = pa.concat_tables([rows.table, rows.table]).slice(1)
    assert to_frame(rows, columns, Csv()).frame["a"].tolist() == [1.0]


def test_a_type_that_no_csv_holds_is_named() -> None:
    with pytest.raises(UsageError, match='column "a": "complex128" is not a type'):
        to_frame(text_rows(Csv(), a=["1"]), [Column("a", "complex128")], Csv())


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["1", "2"], "int64"),
        (["1", "NA"], "int64"),
        (["1", "2.5"], "float64"),
        (["1.0", "2.0"], "float64"),
        (["1e3"], "float64"),
        (["9223372036854775808"], "float64"),
        (["inf", "1"], "float64"),
        (["1", "x"], "string"),
        (["0x1"], "string"),
        (["True", "false", "NA"], "bool"),
        (["True", "1"], "string"),
        (["NA", ""], "string"),
        ([], "string"),
        (["2009-01-04"], "string"),
    ],
)
def test_types_that_nobody_gave_are_inferred_and_dates_never(values: list[str], dtype: str) -> None:
    assert infer_dtypes(text_rows(Csv(), a=values).table, Csv()) == {"a": dtype}


def test_types_that_are_given_are_not_inferred() -> None:
    csv = Csv(dtypes={"a": "string"})
    assert infer_dtypes(text_rows(csv, a=["1"]).table, csv) == {"a": "string"}


def test_fifty_thousand_random_floats_survive_bit_for_bit() -> None:
    numbers = np.random.default_rng(0).integers(0, 2**63, 50_000).view(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    assert (frame_of([repr(float(x)) for x in numbers], "float64").to_numpy() == numbers).all()


def test_times_that_arrow_reads_are_those_that_pandas_reads():
    dates = ["2009-01-02", "20090102", "2009-1-2", "2009-01", "2009", "0001-01-01", "9999-12-31", "2009-02-30"]
    times = [
        "",
        " 01",
        "T01",
        " 01:02",
        " 0102",
        "T01:02:03",
        " 010203",
        " 01:02:03.1",
        " 01:02:03.123456",
        " 24:00:00",
        " 01:60:00",
        "T01:02:03Z",
        " 01:02:03+01:00",
        " 1:02:03",
        " 01:02:03,5",
    ]
    read = 0
    for text in (date + time for date in dates for time in times):
        try:
            arrow = pc.cast(pa.array([text]), pa.timestamp("us"))[0].as_py()
        except pa.ArrowInvalid:
            continue
        assert arrow == pd.to_datetime(pd.Series([text]), format="ISO8601").dt.as_unit("us")[0].to_pydatetime()
        read += 1
    assert read > 10
