"""A run is complete only if every object exists and readers find no others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scoremill import score, verify
from scoremill.cli.app import run as run_command
from scoremill.engines.protocol import InProcess
from scoremill.errors import ClusterError, UsageError
from scoremill.execute import execute
from scoremill.outputs.compact import compact
from scoremill.spec import Errors
from scoremill.storage.filesystem import Store
from tests.support.jobs import ROOT, make_job, objects, trip_bundle, trips


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture
def data(tmp_path: Path) -> str:
    (tmp_path / "in").mkdir()
    trips(500).to_csv(tmp_path / "in" / "a.csv", index=False)
    return str(tmp_path / "in" / "*.csv")


class Elsewhere(InProcess):
    """Workers that write to a disk that the driver cannot access."""

    def __init__(self, output: Path) -> None:
        super().__init__()
        self._output = output

    def take(self, timeout: float):
        result = super().take(timeout)
        for path in self._output.glob("part-*"):
            path.unlink()
        return result


def test_objects_missing_for_the_driver_keep_a_run_incomplete(bundle, data, tmp_path):
    output = tmp_path / "out"
    with pytest.raises(ClusterError, match="write to the same place"):
        execute(make_job(bundle, data, str(output), input={"partitionBytes": "4KiB"}), Elsewhere(output))
    assert not (output / "_SUCCESS").exists()
    score(make_job(bundle, data, str(output), input={"partitionBytes": "4KiB"}), cluster="in-process")
    assert verify(str(output)).totals.rows == 500


def test_foreign_object_that_appears_during_a_run_keeps_it_incomplete(bundle, data, tmp_path):
    output = tmp_path / "out"
    job = make_job(bundle, data, str(output), input={"partitionBytes": "4KiB"})
    with pytest.raises(UsageError, match=r"stranger\.parquet"):
        score(job, cluster="in-process", watchers=[lambda _: (output / "stranger.parquet").write_bytes(b"")])
    (output / "stranger.parquet").unlink()
    score(job, cluster="in-process")
    verify(str(output))


def test_hidden_files_of_other_tools_are_ignored(bundle, data, tmp_path):
    output = tmp_path / "out"
    score(make_job(bundle, data, str(output)), cluster="in-process")
    (output / ".DS_Store").write_bytes(b"x")
    verify(str(output))


def test_output_below_its_input_is_not_scored_unless_it_is_named(bundle, tmp_path):
    (tmp_path / "data").mkdir()
    trips(100).to_csv(tmp_path / "data" / "a.csv", index=False)
    job = make_job(
        bundle, str(tmp_path / "data"), str(tmp_path / "data" / "out"), output={"format": "csv", "keep": ["*"]}
    )
    for _ in range(2):
        assert score(job, cluster="in-process").totals.rows == 100
    named = make_job(bundle, str(tmp_path / "data" / "out" / "*.csv"), str(tmp_path / "data" / "out"))
    with pytest.raises(UsageError, match="object of the output"):
        score(named, cluster="in-process")


def test_compacted_output_is_refused_as_an_output(bundle, data, tmp_path):
    score(make_job(bundle, data, str(tmp_path / "out"), input={"partitionBytes": "4KiB"}), cluster="in-process")
    compact(Store(str(tmp_path / "out")), Store(str(tmp_path / "compact")), 1000)
    before = objects(str(tmp_path / "compact"))
    with pytest.raises(UsageError, match="compact"):
        score(make_job(bundle, data, str(tmp_path / "compact"), input={"partitionBytes": "4KiB"}), cluster="in-process")
    assert objects(str(tmp_path / "compact")) == before


@pytest.mark.parametrize("rejected", range(101))
def test_reject_fraction_that_is_met_exactly_is_not_exceeded(rejected):
    Errors(max_fraction=rejected / 100).limit.check(rejected, 100, 100)


@pytest.mark.parametrize(("code", "exit_code"), [(3, 3), (0, 1), (None, 1), ("bye", 1)])
def test_command_that_raises_system_exit_has_a_failure_exit_code(code, exit_code):
    assert run_command(lambda: sys.exit(code)) == exit_code


def test_closed_stderr_does_not_end_a_run(bundle, data, tmp_path):
    words = ["score", "--model", bundle, "--input", data, "--output", tmp_path / "out", "--cluster", "in-process"]
    line = f"{sys.executable} -m scoremill {' '.join(repr(str(word)) for word in words)} 2>&1 >/dev/null | true"
    subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], check=True, env={"PYTHONPATH": str(ROOT / "src")})
    assert verify(str(tmp_path / "out")).totals.rows == 500


def test_kept_columns_of_parquet_can_be_path_columns_only(bundle, tmp_path):
    folder = tmp_path / "in" / "year=2009"
    folder.mkdir(parents=True)
    trips(50).to_parquet(folder / "a.parquet")
    job = make_job(bundle, str(tmp_path / "in"), str(tmp_path / "out"), input={"hive": True}, output={"keep": ["year"]})
    assert score(job, cluster="in-process").totals.rows == 50
