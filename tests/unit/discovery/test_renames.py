"""What the plan says of columns that are missing, renamed or alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from scoremill.discovery.discover import SAMPLED_FILES
from scoremill.discovery.suggest import pairs_of
from scoremill.planning import Needs, Plan, build_plan
from scoremill.spec import Column
from tests.support.jobs import make_job

COLUMNS = (Column("mean radius", "float64"), Column("zone", "string"))


def planned(folder: Path, files: dict[str, Any], /, **spec: Any) -> Plan:
    for name, content in files.items():
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        else:
            path.write_text(content)
    job = make_job("bundle", str(folder / "in"), str(folder / "out"), **spec)
    return build_plan(job.spec, Needs("sha256:0", "predict", COLUMNS), ["prediction"])


@pytest.mark.parametrize(
    ("missing", "names", "used", "pairs"),
    [
        (
            ["mean radius", "mean area"],
            ["Mean_Radius", "Mean_Area"],
            (),
            [("Mean_Radius", "mean radius"), ("Mean_Area", "mean area")],
        ),
        (["mean area"], ["mean radius", "id"], ["mean radius"], []),
        (["mean area"], ["mean area error", "mean arae"], (), [("mean arae", "mean area")]),
        (["mean area"], ["mean arae", "x"], ["mean arae"], []),
        (["patiant"], ["patient", "payment"], (), [("patient", "patiant")]),
        (["a1", "a2"], ["A_1"], (), [("A_1", "a1")]),
        (["zone"], ["ZONE", "Zone"], (), [("ZONE", "zone")]),
        (["zone"], ["distance"], (), []),
    ],
)
def test_suggestions_are_columns_that_nothing_uses_and_each_is_suggested_once(missing, names, used, pairs):
    assert pairs_of(missing, names, used) == pairs


def test_a_column_that_the_model_reads_is_never_suggested_for_another(tmp_path):
    (problem,) = planned(
        tmp_path, {"a.csv": "mean radiuss,zone,mean radius\n1,a,2\n"}, output={"keep": ["mean radios"]}
    ).errors
    assert problem.message == '`spec.output.keep` names a column that the file does not have: "mean radios"'
    assert problem.hint.startswith('The closest name is "mean radiuss". Its columns: ')


@pytest.mark.parametrize(
    ("spec", "flag"),
    [
        ({"output": {"keep": ["zne", "patiant"]}}, "`spec.output.keep`"),
        ({"input": {"where": "zne > 1 and patiant > 2"}}, "`spec.input.where`"),
    ],
)
def test_misspelled_columns_of_a_flag_are_reported_with_the_flag_and_close_names(tmp_path, spec, flag):
    (problem,) = planned(tmp_path, {"a.csv": "mean radius,zone,patient,zones\n1,a,2,3\n"}, **spec).errors
    assert problem.message == f'{flag} names columns that the file does not have: "zne", "patiant"'
    assert problem.hint.startswith('The closest names are "zones", "patient". Its columns: mean radius, zone')


def test_missing_columns_of_the_model_and_of_flags_are_distinguished(tmp_path):
    problems = planned(tmp_path, {"a.csv": "x\n1\n"}, output={"keep": ["y"]}, input={"where": "z > 1"}).errors
    assert [problem.message.partition(" name")[0].partition(" read")[0] for problem in problems] == [
        "the model",
        "`spec.output.keep`",
        "`spec.input.where`",
    ]


GOOD = "Mean_Radius,zone\n1,a\n"


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ({"Mean_Raduis": "mean radius"}, 'no file has a column "Mean_Raduis"'),
        (
            {"Mean_Radius": "zone"},
            '`spec.input.rename` gives column "Mean_Radius" the name "zone", which column "zone" has too',
        ),
        (
            {"Mean_Radius": "x", "zone": "x"},
            '`spec.input.rename` gives column "Mean_Radius" the name "x", which column "zone" has too',
        ),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_rename_that_no_file_has_or_that_makes_two_columns_of_one_name_is_an_error(tmp_path, rename, message, kind):
    content = GOOD if kind == "csv" else pd.DataFrame({"Mean_Radius": [1.0], "zone": "a"})
    problems = planned(tmp_path, {f"a.{kind}": content}, input={"rename": rename}).errors
    assert message in [problem.message for problem in problems]


def test_a_renamed_column_must_not_have_the_name_of_one_in_the_path(tmp_path):
    files = {"zone=a/b.csv": "mean radius,x\n1,2\n"}
    (problem,) = planned(tmp_path, files, input={"hive": True, "rename": {"x": "zone"}}).errors
    assert problem.message == '`spec.input.rename` gives column "x" the name "zone", which column "zone" has too'


def test_a_rename_that_no_sampled_file_has_is_a_warning_if_there_are_others(tmp_path):
    files = {f"{at:03}.csv": "mean radius,zone\n1,a\n" for at in range(SAMPLED_FILES + 1)}
    (problem,) = planned(tmp_path, files, input={"rename": {"Mean_Radius": "mean radius"}}).problems
    assert (problem.severity, problem.message) == ("warning", 'no sampled file has a column "Mean_Radius"')
    del files["064.csv"]
    (tmp_path / "in" / "064.csv").unlink()
    (problem,) = planned(tmp_path, {}, input={"rename": {"Mean_Radius": "mean radius"}}).problems
    assert (problem.severity, problem.message) == ("error", 'no file has a column "Mean_Radius"')


def test_names_that_match_in_two_ways_are_an_error_with_the_flags_that_choose(tmp_path):
    content = "Mean_Radius,meanradius,zone\n1,2,a\n"
    (problem,) = planned(tmp_path, {"a.csv": content}, input={"matchColumns": "Relaxed"}).errors
    assert '"Mean_Radius" or "meanradius" can be "mean radius"' in problem.message
    assert problem.hint == (
        'Say which is meant: `spec.input.rename: {"Mean_Radius": "mean radius"}` or '
        '`spec.input.rename: {"meanradius": "mean radius"}`.'
    )
    chosen = {"matchColumns": "Relaxed", "rename": {"meanradius": "mean radius"}}
    assert planned(tmp_path, {}, input=chosen).problems == ()


def test_the_plan_knows_the_new_names(tmp_path):
    files = {"a.csv": GOOD, "b.csv": "MEAN RADIUS,Zone\n1,a\n"}
    plan = planned(tmp_path, files, input={"rename": {"Mean_Radius": "mean radius"}, "matchColumns": "Relaxed"})
    assert plan.problems == ()
    assert plan.renamed == {"Mean_Radius": "mean radius", "MEAN RADIUS": "mean radius", "Zone": "zone"}
    assert set(plan.headers.values()) == {("mean radius", "zone")}
