"""Flags that the guide lists for CSV of a source read that CSV."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from scoremill import pack
from tests.support.cli import here
from tests.support.jobs import ROOT

GUIDE = (ROOT / "docs/how-to/csv-dialects.md").read_text()
SOURCES = {
    section.splitlines()[0]: (
        re.findall(r"```csv\n(.*?)```", section, re.DOTALL)[0],
        shlex.split(re.findall(r"^\$ scoremill score …((?:.*\\\n)*.*)$", section, re.MULTILINE)[0].replace("\\\n", "")),
    )
    for section in GUIDE.split("\n## ")[1:]
}

Row = dict[str, Any]
READ: dict[str, list[Row]] = {
    "Spark": [
        {"id": "1", "note": 'say "hi"', "amount": "12.5", "prediction": 25.0},
        {"id": "2", "note": "a, b", "amount": "3.0", "prediction": 6.0},
        {"id": "3", "note": None, "amount": None, "prediction": -2.0},
    ],
    "Excel": [
        {"id": "1", "day": "31.12.2025", "note": "Müller", "amount": "1.234,50", "prediction": 2469.0},
        {"id": "2", "day": "01.01.2026", "note": 'a "quoted" text', "amount": "3,00", "prediction": 6.0},
    ],
    "BigQuery": [
        {"id": "1", "time": "2026-01-01 12:00:00.123456 UTC", "note": 'say "hi"', "amount": "12.5", "prediction": 25.0},
        {"id": "2", "time": "2026-01-01 12:00:01 UTC", "note": None, "amount": None, "prediction": -2.0},
    ],
    "Snowflake": [
        {"id": "1", "time": "2026-01-01 12:00:00.000 +0000", "note": "a, b", "amount": "12.5", "prediction": 25.0},
        {"id": "2", "time": "2026-01-01 12:00:01.000 +0000", "note": r"\N", "amount": r"\N", "prediction": -2.0},
    ],
    "PostgreSQL": [
        {"id": "1", "time": "2026-01-01 12:00:00+00", "note": 'say "hi"', "amount": "12.5", "prediction": 25.0},
        {"id": "2", "time": "2026-01-01 12:00:01.25+00", "note": None, "amount": None, "prediction": -2.0},
    ],
    "MySQL": [
        {"id": "1", "note": 'say "hi"', "amount": "12.5", "prediction": 25.0},
        {"id": "2", "note": "a\ttab", "amount": "3", "prediction": 6.0},
        {"id": "3", "note": r"\N", "amount": r"\N", "prediction": -2.0},
    ],
    "NYC taxi trips": [
        {"VendorID": "2", "Fare_amount": "12.5", "Trip_type": "1", "prediction": 25.0},
        {"VendorID": "1", "Fare_amount": "3", "Trip_type": None, "prediction": 6.0},
    ],
    "UCI repository": [
        {"age": "39", "workclass": "State-gov", "amount": "77516", "income": "<=50K.", "prediction": 155032.0},
        {"age": "54", "workclass": "?", "amount": "?", "income": ">50K.", "prediction": -2.0},
    ],
}


def doubling(folder: Path, column: str) -> str:
    """Return a bundle that predicts twice the value of `column`, or -2 if it is missing."""
    frame = pd.DataFrame({column: [0.0, 1.0, 2.0]})
    model = make_pipeline(SimpleImputer(strategy="constant", fill_value=-1.0), LinearRegression())
    pack(model.fit(frame, 2 * frame[column]), str(folder / "model"), sample=frame)
    return str(folder / "model")


def test_guide_lists_the_tested_sources():
    assert list(SOURCES) == list(READ)


@pytest.mark.parametrize("source", READ)
def test_flags_in_the_guide_read_the_file_of_the_source(tmp_path, source):
    text, flags = SOURCES[source]
    encoding = flags[flags.index("--encoding") + 1] if "--encoding" in flags else "utf-8"
    (tmp_path / "in.csv").write_bytes(text.encode(encoding))
    model = doubling(tmp_path, "Fare_amount" if source == "NYC taxi trips" else "amount")
    code, out, err = here(
        "score", "--model", model, "--input", tmp_path / "in.csv", *flags, "--keep", "*", "--limit", "10", "--json"
    )
    assert (code, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [
        row | {"prediction": pytest.approx(row["prediction"])} for row in READ[source]
    ]
