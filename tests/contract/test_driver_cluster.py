"""A driver plans without a cluster, requests one only if partitions are left to score, and waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scoremill.engines.protocol import InProcess
from scoremill.errors import ClusterError, FitError
from scoremill.execute import execute
from scoremill.kubernetes.api import connect
from scoremill.kubernetes.objects import Resource, issue
from scoremill.runtime import cluster as driver_cluster
from scoremill.runtime.cluster import JobCluster, OnJobCluster
from scoremill.runtime.progress import ProgressWriter
from scoremill.spec import parse_job
from tests.support.api import WAIT_SECONDS, OneJob, serving
from tests.support.driver import CHILD, Pod
from tests.support.jobs import trip_bundle, trip_spec, trips

ATTEMPT = 2
READY = {"phase": "Running", "attempt": ATTEMPT}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture
def spec(bundle: str, tmp_path: Path) -> dict[str, Any]:
    return trip_spec(bundle, tmp_path, 500, deadlines={"preRunningSeconds": 1})


def stages(api: OneJob) -> list[str]:
    """Return the reported stages of the driver in order."""
    found = [status["progress"].get("stage") for status in api.statuses]
    return [stage for at, stage in enumerate(found) if found[at - 1 : at] != [stage]]


@contextmanager
def cluster_of(api: OneJob, folder: Path, messages: list[str]) -> Iterator[JobCluster]:
    """Return the cluster of the job as the driver of the second attempt requests it."""
    kube = connect(str(api.kubeconfig(folder)))
    job = Resource.of(api.job)
    with ProgressWriter(kube, job, ATTEMPT, messages.append) as writer:
        yield JobCluster(kube, job, ATTEMPT, writer.enter, messages.append)


@contextmanager
def operator(api: OneJob, does: Callable[[], None]) -> Iterator[None]:
    """Call `does` when the driver requests its cluster."""

    def run() -> None:
        with api.changed:
            assert api.changed.wait_for(lambda: "WaitingForCluster" in stages(api), WAIT_SECONDS)
        does()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()


def test_driver_requests_its_cluster_after_planning_and_scores_when_it_is_ready(spec, tmp_path):
    messages: list[str] = []
    with serving(spec) as api, cluster_of(api, tmp_path, messages) as cluster:
        api.job["status"] = {"phase": "Planning", "attempt": ATTEMPT}
        started = threading.Event()

        def make() -> InProcess:
            started.set()
            return InProcess()

        def creates() -> None:
            assert started.wait(WAIT_SECONDS), "Dask is imported while the cluster starts"
            assert (tmp_path / "out/_scoremill/job.json").exists(), "the plan is in the output"
            api.job["status"] = READY

        with operator(api, creates):
            manifest = execute(parse_job(api.job), OnJobCluster(cluster, 60, make), wait=False)
    assert manifest.totals.scored == 500
    assert stages(api)[-2:] == ["WaitingForCluster", "Scoring"]


def test_plan_with_problems_requests_no_cluster(spec, tmp_path):
    trips(10).drop(columns="distance").to_csv(tmp_path / "in.csv", index=False)
    with serving(spec) as api, cluster_of(api, tmp_path, []) as cluster:
        with pytest.raises(FitError):
            execute(parse_job(api.job), OnJobCluster(cluster, 60, InProcess))
    assert "WaitingForCluster" not in stages(api)


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    """A folder with the certificates of a driver for its cluster."""
    certificates = issue("tips", "scoring")
    for name, text in (
        ("ca.crt", certificates.ca),
        ("tls.crt", certificates.certificate),
        ("tls.key", certificates.key),
    ):
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("persist", [False, True])
def test_driver_process_finds_problems_without_a_cluster(persist, spec, tmp_path, tls):
    trips(10).drop(columns="distance").to_csv(tmp_path / "in.csv", index=False)
    with serving({**spec, "persist": persist}) as api:
        code, last, err = Pod(api, tmp_path, "--tls", tls).run(SCOREMILL_CLUSTER=CHILD)
    assert (code, last["error"]) == (3, "FitError"), err
    assert "WaitingForCluster" not in stages(api)


@pytest.mark.parametrize("persist", [False, True])
def test_output_of_another_job_is_refused_without_a_cluster(persist, spec, tmp_path, tls):
    spec = {**spec, "output": {**spec["output"], "mode": "ErrorIfExists"}, "persist": persist}
    execute(parse_job({"spec": spec}), InProcess())
    with serving(spec) as api:
        code, last, err = Pod(api, tmp_path, "--tls", tls).run(SCOREMILL_CLUSTER=CHILD)
    assert (code, last["error"]) == (2, "UsageError"), err
    assert "WaitingForCluster" not in stages(api)


def test_complete_output_requests_no_cluster(spec, tmp_path):
    execute(parse_job({"spec": spec}), InProcess())
    with serving(spec) as api, cluster_of(api, tmp_path, []) as cluster:
        manifest = execute(parse_job(api.job), OnJobCluster(cluster, 60, InProcess))
    assert manifest.totals.scored == 500
    assert "WaitingForCluster" not in stages(api)


def test_wait_for_a_cluster_reports_its_cause_and_survives_an_api_outage(spec, tmp_path):
    messages: list[str] = []
    with serving(spec) as api, cluster_of(api, tmp_path, messages) as cluster:
        waiting = {"cluster": {"name": "tips", "waiting": "Unschedulable: no node takes it"}}
        api.job["status"] = {"phase": "Starting", "attempt": ATTEMPT, **waiting}

        def becomes_ready() -> None:
            api.wait_for_looks(api.looks + 4)
            api.job["status"] = READY

        cluster.ask()
        api.away = range(2, 5)
        with operator(api, becomes_ready):
            cluster.wait(60)
    assert messages.count("waiting: Unschedulable: no node takes it") == 1


@pytest.mark.parametrize("status", [{"phase": "Running", "attempt": 1}, {"phase": "Starting", "attempt": ATTEMPT}])
def test_cluster_that_is_not_ready_in_time_is_an_error_with_its_cause(status, spec, tmp_path, monkeypatch):
    monkeypatch.setattr(driver_cluster, "GRACE_SECONDS", 0)
    with serving(spec) as api, cluster_of(api, tmp_path, []) as cluster:
        api.job["status"] = {**status, "cluster": {"waiting": "QuotaExceeded: pods=1"}}
        with pytest.raises(ClusterError, match=r"not ready within 0\.0 s: QuotaExceeded: pods=1"):
            cluster.wait(0)


def test_deleted_or_recreated_job_ends_the_wait_for_a_cluster(spec, tmp_path):
    with serving(spec) as api, cluster_of(api, tmp_path, []) as cluster:
        api.job = {**api.job, "metadata": {**api.job["metadata"], "uid": "another"}, "status": READY}
        with pytest.raises(ClusterError, match="was deleted"):
            cluster.wait(60)
