"""Each problem of an input has its own message, before anything is written."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from scoremill.discovery import Problem
from scoremill.errors import InputError, UsageError
from scoremill.planning import Needs, Plan, build_plan
from scoremill.spec import Column, Gap
from tests.support.jobs import make_job

COLUMNS = (Column("fare", "float64"), Column("zone", "string"))
GOOD = "fare,zone,note\n1.5,a,x\n2.5,b,y\n"


def planned(folder: Path, files: dict[str, Any], /, inputs: str = "*", **spec: Any) -> Plan:
    for name, content in files.items():
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    job = make_job("bundle", str(folder / "in" / inputs), str(folder / "out"), **spec)
    return build_plan(job.spec, Needs("sha256:0", "predict", COLUMNS), ["prediction"])


def reported(plan: Plan, folder: Path) -> list[str]:
    return [str(problem).replace(f"{folder}/in/", "") for problem in plan.problems]


CASES: dict[str, tuple[Any, dict[str, Any], str, str]] = {
    "missing column": ("fare,note\n1,x\n", {}, '"zone"', "Its columns: fare, note"),
    "two missing columns": ("note\nx\n", {}, '"fare", "zone"', "Its columns: note"),
    "other case": (
        "Fare,zone\n1,x\n",
        {},
        '"fare"',
        'give `spec.input.matchColumns: Relaxed`, or `spec.input.rename: {"Fare": "fare"}`.',
    ),
    "blank around the name": ("fare, zone\n1,x\n", {}, '"zone"', '{"skipInitialSpace": true}'),
    "misspelt": (
        "fares,zone\n1,x\n",
        {},
        '"fare"',
        'If this is the same column, give `spec.input.rename: {"fares": "fare"}`.',
    ),
    "other delimiter": ("fare;zone\n1;x\n", {}, '"fare", "zone"', '";"'),
    "no header": ("1.5,a\n2.5,b\n", {}, '"fare", "zone"', "header"),
    "column twice": ("fare,zone,fare\n1,x,2\n", {}, 'names "fare" twice', "Rename"),
    "other encoding": ("fare,zone,é\n1,x,2\n".encode("latin-1"), {}, "not utf-8", "encoding"),
    "utf-16": (GOOD.encode("utf-16"), {}, "UTF-16", "UTF-8"),
    "other types": ("fare,zone\nx,1\ny,2\n", {}, '"x" is not a number', "Check the column"),
    "decimal comma": ('fare,zone\n"1,5",a\n"2,5",b\n', {}, '"1,5" is not a number', "decimal"),
    "ragged": ("fare,zone\n1,a,b\n2,a,b\n", {}, "expected 2 fields, found 3", "`spec.input.csv.delimiter`"),
    "kept column": (GOOD, {"output": {"keep": ["tip"]}}, 'a column that the file does not have: "tip"', "Its columns"),
    "parquet of other types": (
        pd.DataFrame({"fare": ["x", "y"], "zone": "a"}),
        {},
        '"x" is not a number',
        "Check the column",
    ),
    "parquet of times": (
        pd.DataFrame({"fare": pd.to_datetime(["2020-01-01"]), "zone": "a"}),
        {},
        'column "fare" is timestamp',
        "train with this one",
    ),
    "parquet without a column": (pd.DataFrame({"fare": [1.0]}), {}, '"zone"', "Its columns: fare"),
    "truncated gz": (gzip.compress(GOOD.encode() * 999)[:-20], {}, "truncated or damaged", "Upload it again"),
    "two gz": (
        gzip.compress(gzip.compress(GOOD.encode())),
        {},
        "compressed twice, at last with gzip",
        "Decompress it once",
    ),
}


def suffix(case: str) -> str:
    return "parquet" if case.startswith("parquet") else "csv.gz" if case.endswith("gz") else "csv"


@pytest.mark.parametrize("case", CASES)
def test_problem_has_file_message_and_hint(case, tmp_path):
    content, spec, message, hint = CASES[case]
    name = f"a.{suffix(case)}"
    (problem,) = planned(tmp_path, {name: content}, **spec).errors
    assert problem.where.partition(",")[0].endswith(f"/in/{name}")
    assert message in problem.message
    assert hint in problem.hint
    assert not (tmp_path / "out").exists()


def test_all_problems_are_reported_together(tmp_path):
    files = {
        f"{at}.{suffix(case)}": content for at, (case, (content, spec, _, _)) in enumerate(CASES.items()) if not spec
    }
    lines = "\n".join(reported(planned(tmp_path, {**files, "good.csv": GOOD}), tmp_path))
    for _, spec, message, hint in CASES.values():
        # Values that do not fit one column are one problem, shown by the first of them.
        assert spec or (hint in lines and (message in lines or message.endswith("is not a number")))
    assert "good.csv" not in lines


@pytest.mark.parametrize(
    "case", ["missing column", "column twice", "other encoding", "utf-16", "ragged", "parquet of times"]
)
def test_problem_of_many_files_is_reported_once(case, tmp_path):
    content, spec, message, _ = CASES[case]
    (problem,) = planned(tmp_path, {f"{at}.{suffix(case)}": content for at in range(30)}, **spec).problems
    assert message in problem.message
    assert problem.where.endswith("and 29 more")


def test_values_that_differ_from_file_to_file_are_one_problem_of_their_column(tmp_path):
    files = {f"{at:02}.csv": "fare,zone\n" + f"x{at},a\n" * (at + 1) for at in range(30)}
    (problem,) = planned(tmp_path, files).errors
    assert problem.where.endswith('00.csv, column "fare" and 29 more')


@pytest.mark.parametrize(
    ("content", "spec"),
    [
        (GOOD, {}),
        (GOOD, {"output": {"keep": ["*"]}}),
        ("", {"input": {"allowEmpty": True}}),
        ("fare,zone\n", {}),
        ("zone,surplus,fare\na,,1\n", {}),
        ("\ufefffare,zone\n1,a\n", {}),
        ("fare,zone\n,\nNA,null\n", {}),
        ('fare,zone\n1,"' + "two\n" * 200_000 + '"\n2,b\n', {}),
        ('fare,zone\n1,5" disk\n', {}),
        (pd.DataFrame({"fare": [1, 2], "zone": pd.Categorical(["a", "b"])}), {}),
        (pd.DataFrame({"fare": [], "zone": []}), {"input": {"allowEmpty": True}}),
        pytest.param(gzip.compress(GOOD.encode()), {}, id="gzip"),
    ],
)
def test_what_can_be_scored_has_no_problem(tmp_path, content, spec):
    name = "a.parquet" if isinstance(content, pd.DataFrame) else "a.csv"
    assert reported(planned(tmp_path, {name: content}, **spec), tmp_path) == []


@pytest.mark.parametrize("suffix", ["gz", "zst", "bz2", "xz"])
def test_compressed_files_are_sampled_to_a_whole_row(tmp_path, suffix):
    frame = pd.DataFrame({"fare": [float(i) for i in range(20_000)], "zone": "a" * 40})
    (tmp_path / "in").mkdir()
    frame.to_csv(tmp_path / "in" / f"a.csv.{suffix}", index=False)
    plan = planned(tmp_path, {})
    assert reported(plan, tmp_path) == []
    assert plan.row_bytes == pytest.approx(48, abs=3)


def test_an_object_is_compressed_or_not_as_its_content_is(tmp_path):
    files = {
        "a.csv": GOOD,
        "b.csv": gzip.compress(GOOD.encode()),
        "c.csv.gz": GOOD,
        "d.csv.gz": gzip.compress(GOOD.encode()),
    }
    plan = planned(tmp_path, files)
    assert reported(plan, tmp_path) == []
    assert [source.compression for source in plan.sources] == [None, "gzip", None, "gzip"]


def test_a_compressed_object_is_never_cut_whatever_its_name(tmp_path):
    numbers = "".join(f"{i * 7919 % 104729},a\n" for i in range(20_000))
    files = {"a.csv": gzip.compress(b"fare,zone\n" + numbers.encode()), "b.csv.gz": "fare,zone\n" + numbers}
    plan = planned(tmp_path, files, input={"partitionBytes": "16KiB"})
    assert [group.count for group in plan.groups] == [1, -(-len(files["b.csv.gz"]) // 16384)]


def test_objects_that_are_not_sampled_are_looked_into_only_where_a_sample_gives_cause(tmp_path):
    text = "fare,zone\n" + "".join(f"{i * 7919 % 104729},a\n" for i in range(2_000))
    # More than are sampled; two thirds of them compressed, none with a name that says so.
    files = {f"{at:03}.csv": gzip.compress(text.encode()) if at % 3 else text for at in range(150)}
    plan = planned(tmp_path, files, input={"partitionBytes": "4KiB"})
    assert reported(plan, tmp_path) == []
    assert [source.compression for source in plan.sources] == ["gzip" if at % 3 else None for at in range(150)]
    assert {group.count for group in plan.groups} == {1, -(-len(text) // 4096)}


def test_a_few_values_that_do_not_fit_are_a_warning(tmp_path):
    plan = planned(tmp_path, {"a.csv": "fare,zone\n" + "1,a\n" * 9 + "x,a\n"})
    (problem,) = plan.problems
    assert problem.severity == "warning"
    assert "1 of the first 10 rows would be rejected" in problem.message
    assert plan.errors == []


def test_a_type_for_a_column_that_no_file_has_is_a_warning(tmp_path):
    (problem,) = planned(tmp_path, {"a.csv": GOOD}, input={"csv": {"dtypes": {"fair": "float64"}}}).problems
    assert (problem.severity, problem.message) == ("warning", 'no file has a column "fair"')


def test_all_columns_are_those_of_the_first_file_and_must_be_in_every_other(tmp_path):
    files = {"a.csv": GOOD, "b.csv": "fare,zone\n1,a\n", "c.csv": "fare,zone\n1,a\n"}
    (problem,) = planned(tmp_path, files, output={"keep": ["*"]}).errors
    assert problem.where.endswith("b.csv and 1 more")
    assert '"note"' in problem.message
    assert planned(tmp_path, files, output={"keep": ["*"], "drop": ["note"]}).errors == []


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"output": {"keep": ["prediction"]}}, "prediction"),
        ({"output": {"keep": ["position"], "rowId": True}}, "position"),
    ],
)
def test_two_columns_of_one_name_are_refused(tmp_path, spec, name):
    with pytest.raises(UsageError, match=f'two columns of the output would be called "{name}"'):
        planned(tmp_path, {"a.csv": f"fare,zone,{name}\n1,a,2\n"}, **spec)


def test_missing_and_non_parquet_files_are_reported_by_name(tmp_path):
    with pytest.raises(InputError, match=r"nothing is found at .*/in/\*\.txt"):
        planned(tmp_path, {"a.csv": GOOD}, inputs="*.txt")
    with pytest.raises(InputError, match=r"b\.parquet is not a Parquet file"):
        planned(tmp_path, {"b.parquet": GOOD}, inputs="b.parquet")


def gaps_of(folder: Path, files: dict[str, Any], *gaps: Gap, **spec: Any) -> list[Problem]:
    planned(folder, files)
    job = make_job("bundle", str(folder / "in" / "*"), str(folder / "out"), **spec)
    return list(build_plan(job.spec, Needs("sha256:0", "predict", COLUMNS, gaps), ["prediction"]).problems)


NAMIBIA = Gap("csv", "zone", '"NA"', "NaN", 3, spelling="NA")


def test_text_that_csv_reads_as_missing_is_an_error_until_the_null_values_leave_it_out(tmp_path):
    (problem,) = gaps_of(tmp_path, {"a.csv": GOOD, "b.csv": GOOD}, NAMIBIA)
    assert problem.severity == "error"
    assert problem.where.endswith("a.csv and 1 more")
    assert 'reads the text "NA" as missing, which changes 3 rows of the sample' in problem.message
    field, _, written = problem.hint.partition("`")[2].rstrip("`.").partition(": ")
    assert field == "spec.input.csv.nullValues"
    values = json.loads(written)
    assert "NA" not in values and "" in values
    assert not gaps_of(tmp_path, {"a.csv": GOOD}, NAMIBIA, input={"csv": {"nullValues": values}})


def test_a_gap_of_another_format_is_no_problem(tmp_path):
    assert not gaps_of(tmp_path, {"a.parquet": pd.DataFrame({"fare": [1.5], "zone": "a"})}, NAMIBIA)


def test_an_altered_value_is_an_error_and_a_rejected_one_a_warning(tmp_path):
    altered = Gap("csv", "zone", "1", '"1"', 2)
    rejected = Gap("csv", None, "", "a NUL byte at byte 3", 2, is_rejected=True)
    one, other = gaps_of(tmp_path, {"a.csv": GOOD}, altered, rejected)
    assert (one.severity, other.severity) == ("error", "warning")
    assert 'turns 1 into "1"' in one.message and "Write the input as Parquet" in one.hint
    assert "2 rows of the sample rejected: a NUL byte" in other.message


# --- nothing to score -------------------------------------------------------------------------------------------------

EMPTY = pd.DataFrame({"fare": pd.Series([], dtype=float), "zone": pd.Series([], dtype=str)})


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.csv": ""}, "the input object is empty"),
        ({"a.csv": "", "b.csv": ""}, "all 2 input objects are empty"),
        ({"a.parquet": EMPTY}, "the input object is empty"),
    ],
)
def test_an_input_without_rows_is_an_error_unless_that_is_allowed(tmp_path, files, message):
    (problem,) = planned(tmp_path, files).errors
    assert problem.message == message
    assert "`spec.input.allowEmpty: true`" in problem.hint
    assert planned(tmp_path, files, input={"allowEmpty": True}).errors == []


def test_empty_objects_among_others_are_no_problem(tmp_path):
    assert planned(tmp_path, {"a.csv": "", "b.csv": GOOD}).problems == ()


def test_a_span_without_objects_is_an_error_unless_that_is_allowed(tmp_path):
    span = {"until": "1970-01-02T00:00:00Z"}
    (problem,) = planned(tmp_path, {"a.csv": GOOD, "b.csv": GOOD}, input=span).errors
    assert "none of the 2 objects found was modified within" in problem.message
    allowed = planned(tmp_path, {}, input={**span, "allowEmpty": True})
    assert allowed.errors == [] and len(allowed) == 0


@pytest.mark.parametrize("inputs", ["nothing-*", "nothing", "nothing.csv"])
def test_an_input_that_is_not_there_is_an_error_unless_that_is_allowed(tmp_path, inputs):
    with pytest.raises(InputError, match="nothing is found"):
        planned(tmp_path, {}, inputs)
    assert len(planned(tmp_path, {}, inputs, input={"allowEmpty": True})) == 0


# --- several formats --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inputs", ["", "*", "**", "d*/**", "**/*", "x*", "?.*", "?.??*[tv]"])
def test_csv_and_parquet_below_one_uri_are_an_error_with_globs_that_work(tmp_path, inputs):
    rows = pd.DataFrame({"fare": [1.5], "zone": ["a"]})
    names = ("deep/x.csv", "deep/x.parquet") if inputs == "d*/**" else ("x.csv", "x.parquet")
    files = dict(zip(names, (GOOD, rows), strict=True))
    (problem,) = planned(tmp_path, files, inputs).errors
    assert "x.csv" in problem.message and "x.parquet" in problem.message
    globs = [json.loads(found)[0] for found in re.findall(r"`spec.input.uris: (.*?)`", problem.hint)]
    assert len(globs) == (0 if inputs.endswith("]") else 2)
    for glob in globs:
        narrowed = planned(tmp_path, {}, glob.removeprefix(f"{tmp_path}/in/"))
        assert narrowed.errors == [] and len(narrowed.sources) == 1


def test_csv_and_parquet_that_are_named_one_by_one_are_no_problem(tmp_path):
    rows = pd.DataFrame({"fare": [1.5], "zone": ["a"]})
    planned(tmp_path, {"x.csv": GOOD, "x.parquet": rows})
    folder = tmp_path / "in"
    job = make_job("bundle", [f"{folder}/*.csv", f"{folder}/*.parquet"], str(tmp_path / "out"))
    plan = build_plan(job.spec, Needs("sha256:0", "predict", COLUMNS), ["prediction"])
    assert plan.errors == [] and len(plan.sources) == 2


def test_with_a_format_that_is_given_all_objects_have_it(tmp_path):
    plan = planned(tmp_path, {"x.csv": GOOD, "y.pq": GOOD}, input={"format": "csv"})
    assert plan.errors == [] and [source.format for source in plan.sources] == ["csv", "csv"]
