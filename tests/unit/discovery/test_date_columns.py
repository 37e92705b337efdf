"""What the plan says of date columns, and that the flags it names read them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from scoremill.planning import Needs, Plan, build_plan
from scoremill.spec import Column
from tests.support.cli import as_flags
from tests.support.jobs import make_job


def planned(folder: Path, content: str | pd.DataFrame, dtype: str = "datetime64[us]", **csv: Any) -> Plan:
    path = folder / ("in.csv" if isinstance(content, str) else "in.parquet")
    if isinstance(content, str):
        path.write_text(content)
    else:
        content.to_parquet(path)
    job = make_job("bundle", str(path), str(folder / "out"), input={"csv": csv})
    return build_plan(job.spec, Needs("sha256:0", "predict", (Column("t", dtype),)), ["prediction"])


DATES = "spec.input.csv.dateFormats."


def flags_in(hint: str) -> list[str]:
    """The formats of the column `t` that a hint names."""
    words = shlex.split(re.sub(r"\.$", "", as_flags(hint)))
    return [word.removeprefix(DATES) for word in words if word.startswith(DATES)]


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        (["01/02/2020", "03/04/2020"], ["t=%d/%m/%Y", "t=%m/%d/%Y"]),
        (["31/12/2020", "01/02/2020"], ["t=%d/%m/%Y"]),
        (["31.12.2020 23:59"], ["t=%d.%m.%Y %H:%M"]),
        (["1/31/2020 11:59:59 PM"], ["t=%m/%d/%Y %I:%M:%S %p"]),
        (["5-Jan-2020"], ["t=%d-%b-%Y"]),
        (["1231027200", "1231027201"], ["t=epoch_s"]),
        (["1231027200123"], ["t=epoch_ms"]),
        (["1231027200123456"], ["t=epoch_us"]),
        (["1231027200123456789"], ["t=epoch_ns"]),
        (["20090104025200"], ["t=%Y%m%d%H%M%S"]),
    ],
)
def test_the_hint_of_dates_that_are_not_read_names_flags_that_read_them(tmp_path, values, flags):
    content = "t,z\n" + "".join(f"{value},1\n" for value in values)
    (problem,) = planned(tmp_path, content).errors
    assert flags_in(problem.hint) == flags
    for flag in flags:
        assert planned(tmp_path, content, dateFormats=dict([flag.split("=", 1)])).errors == []


def test_the_hint_adds_to_the_formats_that_read_the_other_values(tmp_path):
    content = "t,z\n" + "2020-01-02,1\n" * 9 + "31.12.2020,1\n"
    (warning,) = planned(tmp_path, content).problems
    assert warning.severity == "warning"
    assert "`spec.errors.maxRows`" in warning.hint
    (flag,) = flags_in(warning.hint)
    assert flag == "t=ISO8601|%d.%m.%Y"
    assert planned(tmp_path, content, dateFormats=dict([flag.split("=", 1)])).problems == ()


def test_the_hint_of_formats_that_read_a_value_differently_is_to_choose_one(tmp_path):
    content = "t,z\n01/02/2020,1\n03/04/2020,1\n"
    (problem,) = planned(tmp_path, content, dateFormats={"t": "%d/%m/%Y|%m/%d/%Y"}).errors
    assert flags_in(problem.hint) == ["t=%d/%m/%Y", "t=%m/%d/%Y"]


def test_the_hint_of_text_that_is_no_date_says_how_to_give_a_format(tmp_path):
    (problem,) = planned(tmp_path, "t,z\nhello,1\n").errors
    assert (
        problem.hint
        == 'Give its format as strptime writes it, such as `spec.input.csv.dateFormats: {"t": "%d.%m.%Y"}`.'
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_zoned_times_of_a_column_without_a_zone_are_converted_to_utc_and_the_plan_says_so(tmp_path, kind):
    content: Any = "t,z\n2020-01-02 03:04+01,1\n2020-01-02,1\n2020-01-02 03:04:00.5 UTC,1\n"
    count = "2 of the first 3"
    if kind == "parquet":
        content, count = (
            pd.DataFrame({"t": pd.to_datetime(["2020-01-02"]).tz_localize("Europe/Vienna")}),
            "1 of the first 1",
        )
    (problem,) = planned(tmp_path, content).problems
    assert (problem.severity, problem.where.endswith('column "t"')) == ("warning", True)
    assert problem.message == (f"{count} values have an offset and are converted to UTC; the model reads no time zone")


def test_times_without_an_offset_of_a_zoned_column_are_taken_for_utc_and_the_plan_says_so(tmp_path):
    (problem,) = planned(
        tmp_path, "t,z\n2020-01-02 03:04+01,1\n2020-01-02,1\n", "datetime64[us, Europe/Vienna]"
    ).problems
    assert problem.message == (
        "1 of the first 2 values have no offset and are taken to be in UTC; the model reads Europe/Vienna"
    )


@pytest.mark.parametrize(
    ("content", "dtype"),
    [
        ("t,z\n2020-01-02 03:04:00.123456789,1\n", "datetime64[us]"),
        ("t,z\n2020-01-02 03:04:00.1,1\n", "datetime64[s]"),
        (pd.DataFrame({"t": pd.to_datetime(["2020-01-02 00:00:00.123456789"])}), "datetime64[us]"),
    ],
)
def test_times_finer_than_the_type_are_cut_off_and_the_plan_says_so(tmp_path, content, dtype):
    (problem,) = planned(tmp_path, content, dtype).problems
    assert problem.message == f"values are finer than {dtype}, and what is finer is cut off"


@pytest.mark.parametrize(
    ("content", "dtype"),
    [
        ("t,z\n2020-01-02,1\n,1\n2020-01-02 03:04:00.123456000,1\n9999-12-31,1\n", "datetime64[us]"),
        ("t,z\n2020-01-02 03:04Z,1\n", "datetime64[ns, UTC]"),
        ("t,z\n,1\n", "datetime64[s]"),
    ],
)
def test_times_that_the_type_holds_are_no_problem(tmp_path, content, dtype):
    assert planned(tmp_path, content, dtype).problems == ()


def test_date_formats_of_a_column_that_no_file_has_are_a_warning(tmp_path):
    (problem,) = planned(tmp_path, "t,z\n2020-01-02,1\n", dateFormats={"u": "%d"}).problems
    assert str(problem) == 'warning: `spec.input.csv.dateFormats`: no file has a column "u"'
