"""A range of workers follows the load on a real Kubernetes: up, down at the tail, to nothing; no row lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec
import pytest
from kubernetes import client, config

from scoremill import score, verify
from scoremill.kubernetes.clusters import Named
from scoremill.kubernetes.objects import names
from scoremill.kubernetes.objects.names import DASK_OPERATOR
from scoremill.report import build_report
from scoremill.spec import ScoringJob
from scoremill.storage.filesystem import Store
from tests.cluster.buckets import Store as ObjectStore
from tests.cluster.steps import until
from tests.support.jobs import make_job, objects
from tests.support.kube import Place, new_namespace
from tests.support.runs import Run
from tests.support.slow import SECONDS, slow_bundle, slow_rows

pytestmark = [
    pytest.mark.timeout(300),
    # The image can have another patch release of Python; scoremill refuses versions that change bytes.
    pytest.mark.filterwarnings("ignore:Mismatched versions found"),
]

MOST = 4
PARTITIONS = 60
TAIL = 25
"""Seconds that one of the last partitions takes: the load is low, and the run continues."""
ROWS = slow_rows(1000 * PARTITIONS, {1000 * PARTITIONS - 500: -TAIL})
CUT = {"partitionBytes": -(-len(ROWS) // PARTITIONS)}


@dataclass(frozen=True)
class Elastic:
    """A cluster of none to four workers, rows to score, and what one process makes of them."""

    place: Place
    at: Named
    job: ScoringJob
    expected: dict[str, bytes]
    seen: list[int] = field(default_factory=list)
    """The different numbers of workers that were wanted, one after another."""

    def run(self, output: str) -> Run:
        places = {"kubeconfig": str(self.place.kubeconfig), "context": None, "namespace": self.place.namespace}
        return Run(self.to(output), self.at.name, places)

    def to(self, output: str) -> ScoringJob:
        spec = self.job.spec
        there = spec.output.model_copy(update={"uri": f"{spec.output.uri}-{output}"})
        return self.job.model_copy(update={"spec": spec.model_copy(update={"output": there})})

    def wanted(self) -> int:
        """How many workers dask-kubernetes is asked for now."""
        count = self.at.wanted()
        if self.seen[-1:] != [count]:
            self.seen.append(count)
        return count

    def pods(self) -> list[dict[str, Any]]:
        return self.at.kube.select("Pod", names.selector(self.at.name, "worker"))

    def proves(self, output: str) -> int:
        """The output is complete and that of one process; how much of the work was done again."""
        uri = self.to(output).spec.output.uri
        assert objects(uri) == self.expected
        assert verify(uri).totals.scored == 1000 * PARTITIONS
        report = build_report(Store(uri))
        assert (report.state, report.partitions_done) == ("complete", len(self.expected))
        return report.repeated

    def operator_says(self) -> list[str]:
        """What dask-kubernetes' operator has logged of this cluster's workers."""
        with config.new_client_from_config(str(self.place.kubeconfig)) as api:
            core = client.CoreV1Api(api)
            pods = core.list_pod_for_all_namespaces(label_selector=f"app.kubernetes.io/name={DASK_OPERATOR}").items
            logs = [core.read_namespaced_pod_log(pod.metadata.name, pod.metadata.namespace) for pod in pods]
        ours = f"[{self.place.namespace}/{names.group_name(self.at.name)}]"
        return [line for log in logs for line in log.splitlines() if ours in line]


@pytest.fixture(scope="module")
def elastic(
    kubeconfig: Path, s3: ObjectStore, runner_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Elastic]:
    bucket = s3.bucket()
    with pytest.MonkeyPatch.context() as patch, new_namespace(kubeconfig) as namespace:
        for name, value in bucket.environment.items():
            patch.setenv(name, value)
        place = Place(kubeconfig, namespace, runner_image)
        place.secret("buckets", bucket.environment)
        at = place.up("elastic", "--workers", f"0:{MOST}", "--secret", "buckets", "--env", f"{SECONDS}=0.0005")
        with fsspec.open(bucket.uri("in/rows.csv"), "wb", skip_instance_cache=True) as file:
            file.write(ROWS)
        model = slow_bundle(tmp_path_factory.mktemp("elastic"))
        job = make_job(model, bucket.uri("in/*.csv"), bucket.uri("out"), input=CUT)
        score(job, cluster="in-process")
        yield Elastic(place, at, job, objects(bucket.uri("out")))
        place.ok("cluster", "down", "elastic")


def test_workers_come_with_the_load_go_with_its_tail_and_end_with_it(elastic: Elastic) -> None:
    assert elastic.wanted() == 0 and not elastic.pods()
    with elastic.run("load") as run:
        run.sees(lambda: elastic.wanted() == MOST)
        run.sees(lambda: elastic.wanted() < MOST)
        run.result()
    assert until(lambda: elastic.wanted() == 0 and not elastic.pods(), 120)
    # The first reconciliation might find few tasks: it scales up in one step or two, and down by one at a time.
    peak = elastic.seen.index(MOST)
    up, down = elastic.seen[: peak + 1], elastic.seen[peak:]
    assert up[0] == 0 and up == sorted(up) and down == sorted(down, reverse=True)
    elastic.proves("load")
    log = elastic.operator_says()
    assert any("Retired workers" in line for line in log)
    assert not [line for line in log if "LIFO" in line]


def test_busy_workers_that_are_taken_away_cost_only_time(elastic: Elastic) -> None:
    elastic.place.ok("cluster", "scale", "elastic", "4")
    with elastic.run("taken") as run:
        run.reaches(6)
        elastic.place.ok("cluster", "scale", "elastic", "2")
        run.sees(lambda: len(elastic.pods()) == 2)
        run.result()
    assert elastic.proves("taken") > 0, "what the two were at is counted as done again"
    assert not [line for line in elastic.operator_says() if "LIFO" in line]
