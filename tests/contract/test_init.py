"""`scoremill init` writes a job file that loads, plans and scores."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
import yaml

import scoremill
from tests.support.cli import here
from tests.support.jobs import run, trip_bundle, trips

ROWS = 300


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a file of trips."""
    monkeypatch.chdir(tmp_path)
    trips(ROWS).to_csv("a.csv", index=False)
    return tmp_path


def drafted(bundle: str, *arguments: object) -> str:
    """Run init with these arguments and return the job file."""
    code, _, err = here("init", "--model", bundle, *arguments)
    assert code == 0, err
    return Path("job.yaml").read_text()


def scored(*arguments: object) -> str:
    """Score the job file and return the output of the command."""
    code, out, err = here("score", "job.yaml", "--cluster", "in-process", "--quiet", *arguments)
    assert code == 0, err
    return out


def test_init_writes_a_job_file_that_scores(bundle: str, folder: Path) -> None:
    drafted(bundle, "--input", "*.csv")
    assert scored().startswith(f"{ROWS} rows scored, 0 rejected")
    assert len(pd.read_parquet(folder / "predictions")) == ROWS


def test_init_prints_two_commands_that_work(bundle: str, folder: Path) -> None:
    code, out, err = run("init", "--model", bundle, "--input", "*.csv")
    assert code == 0, err
    commands = [shlex.split(line)[1:] for line in out.splitlines() if line.startswith("  scoremill ")]
    assert len(commands) == 2
    for command in commands:
        code, _, err = here(*command, "--cluster", "in-process")
        assert code == 0, err


@pytest.mark.parametrize(
    ("written", "dialect"),
    [
        ({"sep": ";", "decimal": ","}, {"delimiter": ";", "decimal": ","}),
        ({"sep": "\t"}, {"delimiter": "\t"}),
    ],
)
def test_init_detects_the_csv_dialect(bundle: str, folder: Path, written: dict, dialect: dict) -> None:
    trips(ROWS).to_csv("a.csv", index=False, **written)
    text = drafted(bundle, "--input", "a.csv")
    assert yaml.safe_load(text)["spec"]["input"]["csv"] == dialect
    assert "The dialect was detected" in text
    assert scored().startswith(f"{ROWS} rows scored, 0 rejected")


def test_init_leaves_out_the_default_csv_dialect(bundle: str, folder: Path) -> None:
    assert "csv" not in yaml.safe_load(drafted(bundle, "--input", "a.csv"))["spec"]["input"]


def test_init_drafts_a_job_for_parquet(bundle: str, folder: Path) -> None:
    trips(ROWS).to_parquet("a.parquet", index=False)
    drafted(bundle, "--input", "a.parquet")
    assert scored().startswith(f"{ROWS} rows scored, 0 rejected")


def test_init_writes_the_options_that_are_given(bundle: str, folder: Path) -> None:
    trips(ROWS).rename(columns={"distance": "miles"}).to_csv("a.csv", index=False)
    options = ["--rename", "miles=distance", "--output-uri", "elsewhere/", "--set", "spec.input.partitionBytes=2KiB"]
    spec = yaml.safe_load(drafted(bundle, "--input", "a.csv", *options, "--set", "spec.cluster.workers=2"))["spec"]
    assert spec["input"] == {"uris": ["a.csv"], "rename": {"miles": "distance"}, "partitionBytes": "2KiB"}
    assert (spec["output"], spec["cluster"]) == ({"uri": "elsewhere/"}, {"workers": 2})
    scored()


def test_init_comments_each_section(bundle: str, folder: Path) -> None:
    lines = drafted(bundle, "--input", "a.csv").splitlines()
    sections = [number for number, line in enumerate(lines) if re.match(r"  (# )?\w+:$", line)]
    assert len(sections) == 5
    assert all(re.match(r"  # [A-Z].*\.$", lines[number - 1]) for number in sections)


def test_comments_of_init_are_fields_that_can_be_used(bundle: str, folder: Path) -> None:
    text = drafted(bundle, "--input", "a.csv")
    assert "Columns that the model reads: {distance: float64, payment: string, passengers: int64}" in text
    used = re.sub(r"# (keep:|method:|cluster:|  workers:|  memory:)", r"\1", text)
    spec = yaml.safe_load(used)["spec"]
    assert spec["output"]["keep"] == ["id", "note"]
    assert (spec["model"]["method"], spec["cluster"]) == ("predict_proba", {"workers": 4, "memory": "4GiB"})
    Path("job.yaml").write_text(used)
    scored()


def test_column_names_in_a_drafted_job_stay_inside_comments(bundle: str, folder: Path) -> None:
    trips(ROWS).assign(**{"x\nspec: {}\n": 1, "y\x85spec: {}": 1}).to_csv("a.csv", index=False)
    text = drafted(bundle, "--input", "a.csv")
    assert not [line for line in text.splitlines() if line.startswith("spec: {}")]
    kept = yaml.safe_load(text.replace("# keep:", "keep:"))["spec"]["output"]["keep"]
    assert kept == ["id", "note", "x\nspec: {}\n", "y\x85spec: {}"]
    scored()


def test_init_writes_small_partitions_for_small_input_only(bundle: str, folder: Path) -> None:
    trips(100_000).to_csv("a.csv", index=False)
    assert yaml.safe_load(drafted(bundle, "--input", "a.csv"))["spec"]["input"]["partitionBytes"] == "1MiB"
    with Path("a.csv").open("r+b") as file:
        file.truncate(2 * 2**30)  # a hole takes no space
    text = drafted(bundle, "--input", "a.csv", "--force")
    assert yaml.safe_load(text)["spec"]["input"]["partitionBytes"] == "64MiB"


def test_init_does_not_overwrite_a_file_without_force(bundle: str, folder: Path) -> None:
    Path("job.yaml").write_text("mine")
    code, out, err = here("init", "--model", bundle, "--input", "a.csv")
    assert (code, out) == (2, "")
    assert "error[FileExists]" in err and "--force" in err
    assert Path("job.yaml").read_text() == "mine"
    assert drafted(bundle, "--input", "a.csv", "--force").startswith("# ")


def test_init_writes_no_file_if_the_plan_has_an_error(bundle: str, folder: Path) -> None:
    trips(ROWS).rename(columns={"distance": "Distance"}).to_csv("a.csv", index=False)
    code, _, err = here("init", "--model", bundle, "--input", "a.csv")
    assert code == 3
    assert not Path("job.yaml").exists()
    assert "--set spec.input.matchColumns=Relaxed" in err
    drafted(bundle, "--input", "a.csv", "--set", "spec.input.matchColumns=Relaxed")
    scored()


def test_draft_job_in_python_returns_the_file_that_init_writes(bundle: str, folder: Path) -> None:
    job = scoremill.job(model=bundle, input="a.csv", output="predictions/")
    draft = scoremill.draft_job(job)
    assert draft.text == drafted(bundle, "--input", "a.csv")
    assert scoremill.load_job("job.yaml") == draft.job
