"""What differs between two settings, by the names of flags."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scoremill.cli.flags.fields import paths
from scoremill.cli.flags.table import FLAGS
from scoremill.planning import Needs, Settings
from scoremill.planning.changes import changes, flag
from scoremill.spec import Column, Csv
from tests.support.jobs import make_job

NEEDS = Needs("sha256:0123456789abcdef", "predict", ())
SETTINGS = Settings.of(make_job("bundle", "in", "out").spec, NEEDS, (), ())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"method": "predict_proba"}, ["--method: predict → predict_proba"]),
        ({"keep": (Column("id", "int64"), Column("a b", "string"))}, ["--keep: none → id,a b"]),
        ({"threshold": 0.5, "row_id": True}, ["--row-id: no → yes", "--threshold: none → 0.5"]),
        ({"bundle": "sha256:fedcba9876543210"}, ["--model: sha256:0123456789ab… → sha256:fedcba987654…"]),
        (
            {"csv": Csv(delimiter=";", columns=("a", "b"), header=False)},
            ['--delimiter: "," → ";"', "--header: yes → no", "--names: none → a,b"],
        ),
        ({"csv": Csv(dtypes={"a": "int64"})}, ["--dtypes a: none → int64"]),
        ({"columns": (("1", "yhat"),)}, ["--columns 1: none → yhat"]),
        ({"where": "fare > 0", "where_columns": (Column("fare", "float64"),)}, ['--where: none → "fare > 0"']),
        ({"hive": True}, ["--set spec.input.hive: no → yes"]),
        ({"raw": "Omit"}, ["--errors-raw: Keep → Omit"]),
        ({}, []),
    ],
)
def test_change_names_the_flag_and_only_what_differs(changed: dict[str, Any], said: list[str]) -> None:
    assert sorted(changes(SETTINGS, replace(SETTINGS, **changed))) == said


def test_type_of_a_kept_column_is_no_change() -> None:
    earlier, now = (replace(SETTINGS, keep=(Column("id", dtype),)) for dtype in ("int64", "string"))
    assert changes(earlier, now) == []


def test_every_setting_has_a_flag() -> None:
    fields = [name for name in SETTINGS.as_json() if name not in {"csv", "where_columns", "partFormat"}]
    fields += [f"csv.{name}" for name in SETTINGS.csv.model_dump(by_alias=True)]
    unnamed = {"input.csv.trueValues", "input.csv.falseValues"}
    given = {each.name.split("/")[0] for each in FLAGS} | {f"--set {path}" for path in paths()}
    assert {flag(name) for name in fields} <= given | unnamed
