"""Workers without access to the files of the driver get its bundle through the bucket of the output."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from distributed import LocalCluster

from scoremill import score, verify
from scoremill.events import Event, Progress
from scoremill.execute.coordinator.ship import SHIPPED
from scoremill.storage.filesystem import Store
from tests.support.jobs import make_job, objects, trip_bundle, trips

KEPT = "XDG_CACHE_HOME"


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    return trip_bundle(tmp_path / "bundle")


def test_local_bundle_reaches_workers_through_the_bucket(bundle, s3, tmp_path, monkeypatch):
    monkeypatch.setenv(KEPT, str(tmp_path / "cache"))
    inputs, output = Store(s3.uri("in")), Store(s3.uri("out"))
    for number in range(4):
        inputs.write(f"{number}.csv", trips(500, seed=number).to_csv(index=False).encode())
    shipped: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, Progress) and not shipped:
            shipped.extend(info.name for info in output.list(f"{SHIPPED}/"))
            shutil.rmtree(bundle)

    job = make_job(bundle, inputs.uri, output.uri, input={"partitionBytes": "4KiB"})
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1") as one:
        score(job, cluster=one.scheduler_address, watchers=[watch])
    assert {name.rsplit("/", 1)[-1] for name in shipped} >= {"bundle.json", "model.joblib"}
    assert list((tmp_path / "cache").glob("scoremill/bundles/*/model.joblib"))
    assert output.list(f"{SHIPPED}/") == []
    assert verify(output.uri).totals.scored == 2000
    trip_bundle(Path(bundle))
    score(make_job(bundle, inputs.uri, s3.uri("here"), input={"partitionBytes": "4KiB"}), cluster="in-process")
    assert list(objects(s3.uri("here")).values()) == list(objects(output.uri).values())
