"""Where the seconds of a run went, in the report of its output."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from scoremill import read_report, score
from scoremill.report import as_text
from tests.support.jobs import make_job
from tests.support.slow import SECONDS, slow_bundle, slow_rows

ROWS = 600
STAGES = {"plan", "lock", "start", "score", "complete"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return slow_bundle(tmp_path_factory.mktemp("bundle"))


def test_report_accounts_for_every_second_of_driver_and_workers(
    bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECONDS, "0.001")
    (tmp_path / "rows.csv").write_bytes(slow_rows(ROWS, {}))
    job = make_job(bundle, f"{tmp_path}/rows.csv", str(tmp_path / "out"), input={"partitionBytes": "1KiB"})
    begin = time.monotonic()
    score(job, cluster="in-process")
    elapsed = time.monotonic() - begin
    report = read_report(tmp_path / "out")
    assert report.run_seconds.keys() == STAGES
    assert elapsed - 0.5 < sum(report.run_seconds.values()) <= elapsed
    assert report.run_seconds["score"] >= ROWS * 0.001
    assert report.busy_seconds["predict"] >= ROWS * 0.001 and "load" in report.busy_seconds
    assert sum(report.busy_seconds.values()) + report.idle_seconds == pytest.approx(
        report.workers * report.run_seconds["score"], abs=0.01
    )
    assert "score 0." in as_text(report) and "idle" in as_text(report)


def test_time_of_a_driver_that_was_killed_is_not_known(bundle: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(slow_rows(20, {}))
    score(make_job(bundle, f"{tmp_path}/rows.csv", str(tmp_path / "out")), cluster="in-process")
    # An earlier version left as little as a driver that was killed.
    (tmp_path / "out/_scoremill/lease/000001.done").write_bytes(b"")
    report = read_report(tmp_path / "out")
    assert (report.state, report.run_seconds, report.idle_seconds) == ("complete", {}, 0.0)
