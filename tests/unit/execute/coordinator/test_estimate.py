"""Estimates of the time and memory of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoremill.execute.coordinator.estimate import estimate
from scoremill.execute.coordinator.prepare import Prepared, prepare
from tests.support.jobs import make_job, trip_bundle, trips


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("trips")
    trips(300).to_csv(folder / "a.csv", index=False)
    bundle = trip_bundle(Path(folder) / "bundle")
    return prepare(make_job(bundle, f"{folder}/a.csv", f"{folder}/out", cluster={"workers": 1}))


def test_estimate_includes_the_start_of_the_run(prepared: Prepared) -> None:
    quick, slow = (estimate(prepared, elapsed) for elapsed in (1.0, 101.0))
    assert quick is not None and slow is not None
    assert quick.seconds > quick.startup_seconds > 3.0
    assert slow.startup_seconds - quick.startup_seconds == pytest.approx(100.0, abs=10.0)
