"""Small runs of the example and the benchmark."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.docs.pages import ROOT

TAXI = ROOT / "examples" / "01-taxi-tips"


def run(script: Path, *arguments: object) -> str:
    """Run a script that must succeed, and return its stdout."""
    command = [sys.executable, str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two CSVs and 4,001 rows in total."""
    folder = tmp_path_factory.mktemp("trips")
    run(TAXI / "generate.py", folder, "--rows", 4001, "--files", 2)
    return folder


def test_generator_writes_the_requested_rows_with_the_schema_of_2009(trips: Path) -> None:
    tables = [pd.read_csv(path) for path in sorted(trips.glob("*.csv"))]
    assert [len(table) for table in tables] == [2001, 2000]
    assert all(len(table.columns) == 18 for table in tables)
    assert set(tables[0]["Payment_Type"]) >= {"CASH", "Cash", "Credit", "CREDIT"}
    assert tables[0]["Rate_Code"].isna().all()


def test_generator_writes_the_same_bytes_for_the_same_seed_only(trips: Path, tmp_path: Path) -> None:
    run(TAXI / "generate.py", tmp_path / "same", "--rows", 4001, "--files", 2)
    run(TAXI / "generate.py", tmp_path / "other", "--rows", 4001, "--files", 2, "--seed", 1)
    first = min(trips.glob("*.csv"))
    assert (tmp_path / "same" / first.name).read_bytes() == first.read_bytes()
    assert (tmp_path / "other" / first.name).read_bytes() != first.read_bytes()


def test_model_is_better_than_a_guess_but_not_perfect(trips: Path, tmp_path: Path) -> None:
    printed = run(TAXI / "train.py", min(trips.glob("*.csv")), "--output", tmp_path)
    assert 0.75 < float(printed.split()[1]) < 0.95


def test_demo_ends_with_verified_predictions(tmp_path: Path) -> None:
    printed = run(TAXI / "demo.py", "--rows", 20_000, "--folder", tmp_path / "demo")
    assert "20,000 rows" in printed
    assert sum(len(pd.read_parquet(part)) for part in (tmp_path / "demo" / "tips").glob("part-*")) == 20_000


def test_benchmark_prints_its_tables(tmp_path: Path) -> None:
    small = ("--rows", 4000, "--files", 2, "--rounds", 1, "--memory-rows", 2000, "--partitions", 20)
    printed = run(ROOT / "benchmarks" / "run.py", *small)
    assert "(a) bare loop" in printed
    assert "(c) scoremill" in printed
