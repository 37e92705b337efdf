"""Dates as warehouses export them, against Python's datetime and pandas."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scoremill.errors import InputError, UsageError
from scoremill.spec import Column, Csv
from scoremill.tabular.convert import to_frame
from tests.unit.tabular.converting import text_rows, typed_rows

EPOCH = dt.datetime(1970, 1, 1)
UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
REJECTED = "rejected"


def nanos(times: pd.Series) -> list[int]:
    return [int(value) * UNITS[times.dt.unit] for value in times.to_numpy().view("int64")]


def ticks(values: Sequence[str | None], unit: str, formats: str | None = None) -> list[Any]:
    """Return the time of each value in `unit`s since 1970, or that it was rejected."""
    csv = Csv(date_formats={"a": formats} if formats else {})
    converted = to_frame(text_rows(csv, a=values), [Column("a", f"datetime64[{unit}]")], csv)
    found: list[Any] = [REJECTED] * len(values)
    for position, value in zip(converted.positions, converted.frame["a"].to_numpy().view("int64"), strict=True):
        found[position] = int(value)
    return found


def time_of(value: str, unit: str = "us", formats: str | None = None) -> Any:
    """The time as pandas shows it, or that it was rejected."""
    (found,) = ticks([value], unit, formats)
    return found if found == REJECTED else str(pd.Timestamp(found, unit=unit).as_unit(unit))  # type: ignore[arg-type]


MOMENTS = st.datetimes(min_value=dt.datetime(1, 1, 2), max_value=dt.datetime(9999, 12, 30))
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59)


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, int]:
    """A time as some warehouse exports it, and its nanoseconds since 1970 in UTC."""
    moment = draw(MOMENTS).replace(microsecond=0)
    mark, date = draw(st.sampled_from("T ")), moment.strftime("%Y-%m-%d").zfill(10)
    clock = draw(st.sampled_from(["%H:%M:%S", "%H:%M"]))
    moment = moment if clock == "%H:%M:%S" else moment.replace(second=0)
    digits = draw(st.text("0123456789", max_size=9)) if clock == "%H:%M:%S" else ""
    point = "." if digits or (clock == "%H:%M:%S" and draw(st.booleans())) else ""
    offset = draw(OFFSETS)
    sign, (hours, minutes) = "+-"[offset < 0], divmod(abs(offset), 60)
    zones = {
        "": 0,
        "Z": 0,
        " UTC": 0,
        "+00": 0,
        "+00:00": 0,
        "+0000": 0,
        " +0000": 0,
        " Z": 0,
        f"{sign}{hours:02}{minutes:02}": offset,
        f"{sign}{hours:02}:{minutes:02}": offset,
        f"{sign}{hours:02}": (-1 if offset < 0 else 1) * hours * 60,
    }
    zone = draw(st.sampled_from(sorted(zones)))
    seconds = (moment - EPOCH) // dt.timedelta(seconds=1) - zones[zone] * 60
    return f"{date}{mark}{moment.strftime(clock)}{point}{digits}{zone}", seconds * 10**9 + int(digits.ljust(9, "0"))


@given(st.lists(spellings(), max_size=12), st.sampled_from(sorted(UNITS)))
@example([("1969-12-31 23:59:59.5", -500_000_000)], "s")
@example([("2262-04-11 23:47:16.854775807", 2**63 - 1), ("2262-04-11 23:47:16.854775808", 2**63)], "ns")
@example([("1677-09-21 00:12:43.145224193", 1 - 2**63), ("1677-09-21 00:12:43.145224192", -(2**63))], "ns")
@example([("9999-12-31 00:00:00", 253402214400 * 10**9), ("2009-01-04 00:00:00.123456789", 1231027200123456789)], "us")
def test_mixed_spellings_are_read_exactly_and_what_is_out_of_range_is_rejected(values, unit):
    expected = [time // UNITS[unit] if abs(time // UNITS[unit]) < 2**63 else REJECTED for _, time in values]
    assert ticks([text for text, _ in values], unit) == expected


GARBAGE = st.sampled_from(["", "x", "now", "today", "01/02/2020", "2009-02-30", "2009-13-01 00:00", "2009-01-04 24:00"])


@given(st.lists(st.one_of(spellings().map(lambda pair: pair[0]), GARBAGE), max_size=12), st.sampled_from("su"))
def test_a_value_is_read_alike_whatever_its_batch_holds(values, unit):
    unit = {"s": "s", "u": "us"}[unit]
    assert ticks(values, unit) == [ticks([value], unit)[0] for value in values]


NEARLY = st.text("0129-/:.T ZUC+", min_size=4, max_size=24)


@given(st.one_of(NEARLY, spellings().map(lambda pair: pair[0]), MOMENTS.map(str), st.dates().map(str)))
@example("2009-01-04 01")
@example("2009-01-04T01:02")
@example("0001-01-01")
def test_dates_that_arrow_reads_are_read_the_same_next_to_other_formats(text):
    for zone in (None, "UTC"):
        try:
            stamp = pc.cast(pa.array([text]), pa.timestamp("us", zone))[0].value
        except pa.ArrowInvalid:
            continue
        assert ticks([text], "us") == [stamp]
        assert ticks([text, " 2009-01-04 1:02", "x"], "us")[0] == stamp


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2009-01-04", "2009-01-04 00:00:00"),
        ("20090104", "2009-01-04 00:00:00"),
        ("2009/1/4", "2009-01-04 00:00:00"),
        ("2009-1-4", "2009-01-04 00:00:00"),
        ("2009-01", "2009-01-01 00:00:00"),
        ("2009", "2009-01-01 00:00:00"),
        ("20090104T025200Z", "2009-01-04 02:52:00"),
        ("20090104T025200.25", "2009-01-04 02:52:00.250000"),
        ("2009-01-04 0252", "2009-01-04 02:52:00"),
        ("2009-01-04 2:52", "2009-01-04 02:52:00"),
        ("2009-01-04 02:52:00.1234560000", "2009-01-04 02:52:00.123456"),
        (" 2009-01-04 02:52 UTC ", "2009-01-04 02:52:00"),
        ("2009-01-04Z", "2009-01-04 00:00:00"),
        ("2009-01-04 02:52:00.000 -0800", "2009-01-04 10:52:00"),
    ],
)
def test_further_spellings_of_iso_8601_are_read(text, expected):
    assert time_of(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "01/02/2020",
        "1.2.2020",
        "2009.5",
        "2009 01 04",
        "-0500",
        "1231027200",
        "1231027200000",
        "20090104025200",
        "2009-01-04 02:52 GMT",
        "2009-01-04 02:52 PM",
        "2009-01-04+01:00",
        "2009-01-04 02:52+24:00",
        "2009-01-04 02:52+01:60",
        "2009-01-04 02:52:60",
        "0000-00-00",
        "2009-01-04 02:52:00.1234567891",
        "2009-W01",
        "2009-001",
        "10000-01-01",
        "infinity",
        "12:30",
        "1.5",
    ],
)
def test_what_is_ambiguous_or_no_time_is_rejected(text):
    assert time_of(text) == REJECTED
    assert ticks([text, "2009-01-04"], "us")[0] == REJECTED


@given(st.lists(MOMENTS, min_size=1, max_size=8))
def test_several_formats_of_a_column_are_read_as_datetime_reads_them(moments):
    forms = ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y", "%m/%d/%Y %I:%M:%S %p", "%d-%b-%Y %H:%M:%S.%f"]
    texts = [moment.strftime(forms[at % 4]).replace("-1-", "-0001-") for at, moment in enumerate(moments)]
    expected = []
    for at, text in enumerate(texts):
        try:
            expected.append((dt.datetime.strptime(text, forms[at % 4]) - EPOCH) // dt.timedelta(microseconds=1))
        except ValueError:
            # Of years before 1000 strftime writes fewer digits than strptime reads.
            expected.append(REJECTED)
    assert ticks(texts, "us", "|".join(forms)) == expected


def test_a_value_that_two_formats_read_differently_is_rejected_in_any_order():
    for formats in ("%d/%m/%Y|%m/%d/%Y", "%m/%d/%Y|%d/%m/%Y"):
        days = [time_of(text, "us", formats) for text in ("01/02/2020", "31/12/2020", "12/31/2020", "03/03/2020")]
        assert days == [REJECTED, "2020-12-31 00:00:00", "2020-12-31 00:00:00", "2020-03-03 00:00:00"]


def test_iso_8601_is_a_format_among_others():
    assert time_of("2009-01-04T02:52Z", "us", "%d.%m.%Y|ISO8601") == "2009-01-04 02:52:00"
    assert time_of("04.01.2009", "us", "%d.%m.%Y|ISO8601") == "2009-01-04 00:00:00"


def test_a_format_does_not_take_the_clock():
    assert ticks(["now", "today"], "us", "%d.%m.%Y") == [REJECTED, REJECTED]


def test_a_nanosecond_does_not_narrow_the_years_of_other_rows_of_its_batch():
    values = ["2009-01-04 00:00:00,123456789", "9999-12-31 00:00:00,1", "x", "9998-12-31 00:00:00,1234567"]
    formats = "%Y-%m-%d %H:%M:%S,%f"
    assert ticks(values, "us", formats) == [ticks([value], "us", formats)[0] for value in values]
    assert time_of(values[1], "us", formats) == "9999-12-31 00:00:00.100000"


def test_nanoseconds_are_kept_where_the_type_holds_them_and_cut_off_towards_the_past_where_not():
    text = "1969-12-31 23:59:59.123456789"
    assert time_of(text, "ns") == "1969-12-31 23:59:59.123456789"
    for unit in ("us", "ms", "s"):
        assert time_of(text, unit) == str(pd.Timestamp(text).as_unit(unit))
    typed = to_frame(typed_rows(a=pa.array([pd.Timestamp(text)])), [Column("a", "datetime64[s]")], Csv())
    assert typed.frame["a"][0] == pd.Timestamp("1969-12-31 23:59:59")


@given(st.integers(-(10**11), 10**11), st.text("0123456789", max_size=9), st.sampled_from(sorted(UNITS)), st.booleans())
@example(0, "5", "s", True)
def test_counts_since_1970_are_read_exactly(whole, fraction, source, negative):
    text = f"{'-' if negative else ''}{abs(whole)}{'.' if fraction else ''}{fraction}"
    exact = abs(whole) * 10**9 + int(fraction.ljust(9, "0"))
    exact = (-exact if negative else exact) * UNITS[source] // 10**9
    for unit, size in UNITS.items():
        expected = exact // size if abs(exact // size) < 2**63 else REJECTED
        assert ticks([text], unit, f"epoch_{source}") == [expected]


def test_counts_since_1970_that_pandas_wrote_as_floats_are_read():
    assert ticks(["1231027200.0", "1.2310272e9", "x", "2009-01-04"], "s", "epoch_s") == [
        1231027200,
        1231027200,
        REJECTED,
        REJECTED,
    ]


def test_integers_of_parquet_are_times_by_the_unit_given():
    csv, column = Csv(date_formats={"a": "epoch_ms"}), Column("a", "datetime64[us]")
    rows = typed_rows(a=pa.array([1231027200123, None, 2**62]))
    converted = to_frame(rows, [column], csv)
    assert converted.frame["a"][0] == pd.Timestamp("2009-01-04 00:00:00.123")
    assert pd.isna(converted.frame["a"][1])
    assert [reject.row for reject in converted.rejects] == [2]
    with pytest.raises(InputError, match='column "a" is int64') as caught:
        to_frame(rows, [column], Csv())
    assert '`spec.input.csv.dateFormats: {"a": "epoch_s"}`' in str(caught.value.hint)


@pytest.mark.parametrize("given_format", ["yyyy-MM-dd", "epoch_m", "", "%d.%m.%Y|", "iso"])
def test_a_date_format_that_cannot_be_one_is_refused_when_the_job_is_read(given_format):
    with pytest.raises(ValueError, match="is not a date format; give one of strptime such as"):
        Csv(date_formats={"a": given_format})


@pytest.mark.parametrize("given_format", ["%Q", "%", "%Y %Y"])
def test_a_date_format_that_strptime_does_not_know_is_named(given_format):
    with pytest.raises(UsageError, match=f'"{given_format}" is not a date format'):
        ticks(["2009"], "us", given_format)
