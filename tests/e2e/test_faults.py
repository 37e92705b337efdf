"""Faults in mid-run on a real Kubernetes: the run ends complete or with its true reason, and never with a wrong row."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import fsspec
import pytest
import yaml

from scoremill import score, verify
from scoremill.errors import KilledWorkerError, WorkerMemoryError
from scoremill.kubernetes.clusters import Named
from scoremill.kubernetes.objects import Resource, names
from scoremill.kubernetes.readiness import wait_until_up
from scoremill.report import Report, build_report
from scoremill.spec import ScoringJob
from scoremill.storage.filesystem import Store
from tests.cluster import nodes
from tests.cluster.buckets import Store as ObjectStore
from tests.cluster.places import CLUSTERS, State
from tests.cluster.steps import alone, until
from tests.cluster.stores import Kind
from tests.support.jobs import make_job, objects
from tests.support.kube import Place, cordoned, evict, new_namespace
from tests.support.runs import Run
from tests.support.s3 import Bucket
from tests.support.slow import HUNGRY, SECONDS, slow_bundle, slow_rows

pytestmark = [
    pytest.mark.timeout(300),
    # The image can have another patch release of Python; scoremill refuses versions that change bytes.
    pytest.mark.filterwarnings("ignore:Mismatched versions found"),
]

PARTITIONS = 24
ROWS = slow_rows(24_000, {13_013: HUNGRY})
CUT = {"partitionBytes": -(-len(ROWS) // PARTITIONS)}
APART = {
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 100,
                "podAffinityTerm": {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {"matchLabels": {names.DASK_COMPONENT: "worker"}},
                },
            }
        ]
    }
}
"""One worker per node, if there is room."""


@dataclass(frozen=True)
class Ground:
    """A cluster of two workers on two nodes, rows to score, and what an undisturbed run makes of them."""

    place: Place
    at: Named
    bucket: Bucket
    model: str
    expected: dict[str, bytes]

    def job(self, output: str, **spec: Any) -> ScoringJob:
        return make_job(self.model, self.bucket.uri("in/*.csv"), self.bucket.uri(output), input=CUT, **spec)

    def run(self, job: ScoringJob) -> Run:
        places = {"kubeconfig": str(self.place.kubeconfig), "context": None, "namespace": self.place.namespace}
        return Run(job, self.at.name, places)

    def pods(self, component: str) -> list[dict[str, Any]]:
        """The cluster's pods that are ready."""
        pods = self.at.kube.select("Pod", names.selector(self.at.name, component))
        return [pod for pod in pods if Resource.of(pod).is_ready]

    def scheduler_node(self) -> str:
        return str(self.pods("scheduler")[0]["spec"]["nodeName"])

    def lacked_memory(self, pod: dict[str, Any]) -> bool:
        """Return whether the kernel or Dask's nanny killed a process in the pod because of its memory.

        With control groups of version 2 the kernel takes the whole container, else its largest process.
        """
        ends = [status.get("lastState", {}).get("terminated", {}) for status in pod["status"]["containerStatuses"]]
        log = self.at.kube.log(pod["metadata"]["name"], 1000) or ""
        messages = ("was killed by signal 9", "memory budget")
        return any(end.get("reason") == "OOMKilled" for end in ends) or any(text in log for text in messages)

    def recovers(self) -> None:
        wait_until_up(self.at, 150, lambda text: None)

    def spreads(self) -> str:
        """Return the node of the worker that does not share the scheduler's node."""
        self.recovers()
        while len(there := {pod["spec"]["nodeName"] for pod in self.pods("worker")}) == 1:
            doomed = self.pods("worker")[0]["metadata"]["name"]
            self.at.kube.delete("Pod", doomed)
            assert until(lambda: not self.at.kube.get("Pod", doomed), 60)  # noqa: B023 called before the next round
            self.recovers()
        (other,) = there - {self.scheduler_node()}
        return str(other)

    def proves(self, job: ScoringJob) -> Report:
        """The output of `job` is complete, and that of an undisturbed run; the same job again changes nothing."""
        output = job.spec.output.uri
        assert objects(output) == self.expected
        with self.run(job) as again:
            assert again.result().totals.rows == 24_000
        assert again.done == 0 and objects(output) == self.expected
        assert verify(output).totals.scored == 24_000
        report = build_report(Store(output))
        assert (report.state, report.partitions_done, report.rows) == ("complete", len(self.expected), 24_000)
        return report


@pytest.fixture(scope="module")
def ground(
    kubeconfig: Path, s3: ObjectStore, runner_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("faults")
    bucket = s3.bucket()
    template = folder / "template.yaml"
    template.write_text(yaml.safe_dump({"spec": {"worker": {"spec": {"affinity": APART}}}}))
    with pytest.MonkeyPatch.context() as patch, new_namespace(kubeconfig) as namespace:
        for name, value in bucket.environment.items():
            patch.setenv(name, value)
        place = Place(kubeconfig, namespace, runner_image)
        place.secret("buckets", bucket.environment)
        at = place.up(
            "faults", "--workers", "2", "--secret", "buckets", "--template", template, "--env", f"{SECONDS}=0.0005"
        )
        write(bucket.uri("in/rows.csv"), ROWS)
        model = slow_bundle(folder, bucket.uri("hunger"))
        undisturbed = make_job(model, bucket.uri("in/*.csv"), bucket.uri("undisturbed"), input=CUT)
        score(undisturbed, cluster="in-process")
        expected = objects(bucket.uri("undisturbed"))
        assert len(expected) >= PARTITIONS
        yield Ground(place, at, bucket, model, expected)
        place.ok("cluster", "down", "faults")


def write(uri: str, content: bytes) -> None:
    with fsspec.open(uri, "wb", skip_instance_cache=True) as file:
        file.write(content)


def test_a_worker_pod_that_is_deleted_costs_only_time(ground: Ground) -> None:
    job = ground.job("pod-deleted")
    doomed = ground.pods("worker")[0]["metadata"]["name"]
    with ground.run(job) as run:
        run.reaches(4)
        assert ground.at.kube.delete("Pod", doomed)
        run.sees(lambda: doomed not in {pod["metadata"]["name"] for pod in ground.pods("worker")})
        run.result()
    assert ground.proves(job).repeated, "its partition was started again"
    ground.recovers()
    assert len(ground.pods("worker")) == 2


def test_a_worker_that_runs_out_of_memory_once_costs_only_time(ground: Ground) -> None:
    job = ground.job("hungry-once")
    write(ground.bucket.uri("hunger"), b"once")
    with ground.run(job) as run:
        run.result()
    assert any(map(ground.lacked_memory, ground.pods("worker")))
    assert ground.proves(job).repeated == 1


def test_a_partition_that_no_worker_has_memory_for_is_named_and_the_rest_is_kept(ground: Ground) -> None:
    job = ground.job("hungry")
    write(ground.bucket.uri("hunger"), b"always")
    # Dask's nanny can notice the memory, or only that the kernel has killed the worker.
    with ground.run(job) as run, pytest.raises((KilledWorkerError, WorkerMemoryError)) as raised:
        run.result()
    assert raised.value.exit_code == 6 and "in/rows.csv, bytes" in raised.value.message
    assert "memory" in str(raised.value.hint)
    Store(ground.bucket.uri()).delete(["hunger"])
    ground.recovers()
    with ground.run(job) as again:
        again.result()
    assert again.done < PARTITIONS
    ground.proves(job)


def test_a_store_that_is_down_for_ten_seconds_is_waited_for(
    ground: Ground, own_store: Callable[[Kind], ObjectStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = own_store("s3")
    bucket = store.bucket()
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.server.endpoint)
    write(bucket.uri("in/rows.csv"), ROWS)
    job = make_job(
        ground.model, bucket.uri("in/*.csv"), bucket.uri("out"), input=CUT, storage={"endpoint": store.server.endpoint}
    )
    with ground.run(job) as run:
        run.reaches(4)
        store.server.stop()
        back = monotonic() + 10
        run.sees(lambda: monotonic() > back)
        store.server.start()
        run.result()
    ground.proves(job)


@pytest.mark.alone
def test_a_node_that_stops_costs_only_time(ground: Ground, cluster: State) -> None:
    if cluster.kind is None:
        pytest.skip("not run: the nodes of a cluster of the user's are not stopped")
    job = ground.job("node-stopped")
    node = ground.spreads()
    # Until the node is back no other process can run `up`, which would replace the cluster.
    with alone(CLUSTERS / "lock"), ground.run(job) as run:
        run.reaches(4)
        with stopped(node, cluster):
            assert run.is_running, "the fault came too late"
            run.result()
    ground.recovers()
    # A node stops with SIGTERM first: its worker can have time to finish its last partition.
    ground.proves(job)


def test_a_drained_node_gives_its_workers_away_and_keeps_its_scheduler_until_the_cluster_ends(ground: Ground) -> None:
    job = ground.job("drained")
    ground.spreads()
    node = ground.scheduler_node()
    with ground.run(job) as run, cordoned(ground.place.kubeconfig, node):
        run.reaches(4)
        evicted = {pod["metadata"]["name"]: evict(ground.place.kubeconfig, pod) for pod in on_node(ground, node)}
        scheduler = ground.pods("scheduler")[0]["metadata"]["name"]
        assert evicted.pop(scheduler) == 429, "its PodDisruptionBudget holds it"
        assert set(evicted.values()) == {201}, evicted
        run.result()
        ground.recovers()
        assert {pod["spec"]["nodeName"] for pod in ground.pods("worker")}.isdisjoint({node})
    assert ground.proves(job).repeated, "the partition of its worker was started again"


def test_a_scheduler_pod_that_is_deleted_costs_only_time(ground: Ground) -> None:
    job = ground.job("scheduler-deleted")
    with ground.run(job) as run:
        run.reaches(4)
        assert ground.at.kube.delete("Pod", ground.pods("scheduler")[0]["metadata"]["name"])
        run.result()
    ground.recovers()
    ground.proves(job)


def on_node(ground: Ground, node: str) -> list[dict[str, Any]]:
    pods = [pod for component in ("scheduler", "worker") for pod in ground.pods(component)]
    return [pod for pod in pods if pod["spec"]["nodeName"] == node]


@contextmanager
def stopped(node: str, cluster: State) -> Iterator[None]:
    """`node` is off, like a machine that lost its power; afterwards its pods have started again."""
    docker = {**os.environ, **({"DOCKER_HOST": cluster.docker_host} if cluster.docker_host else {})}
    try:
        subprocess.run(["docker", "kill", node], env=docker, check=True, capture_output=True)
        yield
    finally:
        start = datetime.now(UTC).replace(microsecond=0)
        subprocess.run(["docker", "start", node], env=docker, check=True, capture_output=True)
        assert until(lambda: nodes.has_restarted(node, start, Path(cluster.kubeconfig)), 120)
