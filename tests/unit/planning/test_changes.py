"""What differs between two settings, by the names of flags."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scoremill.cli.flags.fields import paths
from scoremill.planning import Needs, Settings
from scoremill.planning.changes import changes, field
from scoremill.spec import Column, Csv
from tests.support.jobs import make_job

NEEDS = Needs("sha256:0123456789abcdef", "predict", ())
SETTINGS = Settings.of(make_job("bundle", "in", "out").spec, NEEDS, (), ())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"method": "predict_proba"}, ["`spec.model.method`: predict → predict_proba"]),
        ({"keep": (Column("id", "int64"), Column("a b", "string"))}, ["`spec.output.keep`: none → id,a b"]),
        ({"threshold": 0.5, "row_id": True}, ["`spec.output.rowId`: no → yes", "`spec.output.threshold`: none → 0.5"]),
        ({"bundle": "sha256:fedcba9876543210"}, ["`spec.model.uri`: sha256:0123456789ab… → sha256:fedcba987654…"]),
        (
            {"csv": Csv(delimiter=";", columns=("a", "b"), header=False)},
            [
                "`spec.input.csv.columns`: none → a,b",
                '`spec.input.csv.delimiter`: "," → ";"',
                "`spec.input.csv.header`: yes → no",
            ],
        ),
        ({"csv": Csv(dtypes={"a": "int64"})}, ["`spec.input.csv.dtypes` a: none → int64"]),
        ({"columns": (("1", "yhat"),)}, ["`spec.output.columns` 1: none → yhat"]),
        (
            {"where": "fare > 0", "where_columns": (Column("fare", "float64"),)},
            ['`spec.input.where`: none → "fare > 0"'],
        ),
        ({"hive": True}, ["`spec.input.hive`: no → yes"]),
        ({"raw": "Omit"}, ["`spec.errors.raw`: Keep → Omit"]),
        ({}, []),
    ],
)
def test_change_names_the_field_and_only_what_differs(changed: dict[str, Any], said: list[str]) -> None:
    assert sorted(changes(SETTINGS, replace(SETTINGS, **changed))) == said


def test_type_of_a_kept_column_is_no_change() -> None:
    earlier, now = (replace(SETTINGS, keep=(Column("id", dtype),)) for dtype in ("int64", "string"))
    assert changes(earlier, now) == []


def test_every_setting_has_a_field() -> None:
    settings = [name for name in SETTINGS.as_json() if name not in {"csv", "where_columns", "partFormat", "gaps"}]
    settings += [f"csv.{name}" for name in SETTINGS.csv.model_dump(by_alias=True)]
    assert {field(name) for name in settings} <= {*paths()}
