"""The operator on a real cluster: the chart in a namespace, the jobs that are given to it, and what they prove."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scoremill import verify
from scoremill.kubernetes.api import Kube, Object
from scoremill.kubernetes.objects import Resource, names
from scoremill.naming import LOGS
from scoremill.spec import merge
from scoremill.spec.resources.status import JobStatus
from scoremill.storage.filesystem import Store
from tests.chart.conftest import CHART, vendored
from tests.chart.tools import tool
from tests.cluster.steps import until
from tests.support.jobs import objects
from tests.support.kube import Place, kubectl
from tests.support.s3 import Bucket
from tests.support.slow import SECONDS, slow_bundle, slow_rows

RELEASE = "mill"
OPERATOR = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/name=scoremill-operator"
PARTITIONS, ROWS = 24, 12_000
PATIENCE = 300.0
"""Seconds: after a broken connection dask-kubernetes' operator waits for 60, and several can break."""
CONTENT = slow_rows(ROWS, {})
SMALL = {"workers": 2, "memory": "600MiB", "cpu": 0.1}
"""Workers that fit many times into two small nodes."""
SLOW = {"cluster": {"env": {SECONDS: "0.004"}}}
"""Two seconds for a partition: a run that faults can meet."""


def apply_kinds(kubeconfig: Path) -> None:
    """The cluster has this tree's ScoringJob and ScoringSchedule."""
    files = CHART / "files" / "crds"
    command = [kubectl(), "--kubeconfig", kubeconfig]
    done = subprocess.run(
        [*command, "apply", "--server-side", "--force-conflicts", "--filename", files], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    wait = [*command, "wait", "--for=condition=Established", "--filename", files]
    assert subprocess.run(wait, capture_output=True).returncode == 0


@dataclass(frozen=True)
class Mill:
    """A namespace whose ScoringJobs an operator of its own runs, and a bucket with rows and a slow model."""

    place: Place
    bucket: Bucket
    image: str
    """The operator's."""
    model: str
    kube: Kube = field(repr=False)
    expected: dict[str, bytes] = field(default_factory=dict, repr=False)
    """What an undisturbed run makes of the rows."""

    def helm(self, command: str, *arguments: str) -> None:
        """Installs or upgrades the release; the test cluster's own operator of dask-kubernetes serves it."""
        vendored()
        name, _, tag = self.image.rpartition(":")
        runner, _, version = self.place.image.rpartition(":")
        values = [
            "dask-kubernetes-operator.enabled=false",
            "crds.install=false",
            f"operator.image.repository={name}",
            f"operator.image.tag={tag}",
            f"image.repository={runner}",
            f"image.tag={version}",
        ]
        # Tests scale the operator, after which Helm would refuse to set its replicas.
        whole = [
            tool("helm"),
            command,
            RELEASE,
            CHART,
            "--kubeconfig",
            str(self.place.kubeconfig),
            "--wait",
            "--force-conflicts",
            "--namespace",
            self.place.namespace,
            "--timeout",
            "150s",
            *arguments,
        ]
        done = subprocess.run([*whole, *(f"--set={value}" for value in values)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def manifest(self, name: str, *specs: Mapping[str, Any], output: str | None = None) -> Object:
        """A ScoringJob over the rows, with `specs` merged into its spec."""
        spec: Object = {
            "model": {"uri": self.model, "trustedPrefixes": [self.bucket.uri()]},
            "input": {"uris": [self.bucket.uri("in/*.csv")], "partitionBytes": -(-len(CONTENT) // PARTITIONS)},
            "output": {"uri": self.bucket.uri(output or f"out/{name[:100]}")},
            "cluster": SMALL,
            "credentials": {"secretRef": {"name": "buckets"}},
        }
        for each in specs:
            spec = merge(spec, each)
        return {"apiVersion": "scoremill.dev/v1alpha1", "kind": "ScoringJob", "metadata": {"name": name}, "spec": spec}

    def submit(self, name: str, *specs: Mapping[str, Any], output: str | None = None) -> Job:
        """The job as it is given to the API."""
        made = self.kube.create(self.manifest(name, *specs, output=output))
        assert made, f"there is a job {name} already"
        return Job(self, name, made.uid, made.spec["output"]["uri"])

    def operator_pods(self) -> list[Object]:
        return self.kube.select("Pod", OPERATOR)

    def operator_log(self) -> str:
        return "".join(self.kube.log(pod["metadata"]["name"], 40) or "" for pod in self.operator_pods())

    def scale_operator(self, replicas: int) -> None:
        """That many operators are ready, and no other is left."""
        (deployment,) = self.kube.select("Deployment", OPERATOR)
        self.kube.patch("Deployment", deployment["metadata"]["name"], {"spec": {"replicas": replicas}})
        assert until(
            lambda: (
                len(ready := self.operator_pods()) == replicas and all(Resource.of(each).is_ready for each in ready)
            ),
            120,
        )


@dataclass(frozen=True)
class Job:
    """A ScoringJob that was given to the API."""

    mill: Mill
    name: str
    uid: str
    output: str

    @property
    def seen(self) -> Object | None:
        return self.mill.kube.get("ScoringJob", self.name)

    @property
    def status(self) -> JobStatus:
        return JobStatus.model_validate((self.seen or {}).get("status") or {})

    @property
    def child(self) -> str:
        return names.child_name(self.name, self.uid)

    @property
    def done(self) -> int:
        """Number of partitions that its driver reported."""
        progress = self.status.progress
        return (progress.partitions.done or 0) if progress and progress.partitions else 0

    def pods(self, component: str) -> list[Object]:
        """Return the pods of its driver, scheduler or workers."""
        key = "app.kubernetes.io/component"
        labelled = f"{names.JOB}={self.child}" if component == "driver" else f"{names.LABEL}={self.child}"
        return self.mill.kube.select("Pod", f"{labelled},{key}={component}")

    @property
    def driver(self) -> Object:
        """Return the pod of its driver; assert that it has had no other."""
        pods = self.pods("driver")
        states = [(pod["metadata"]["name"], pod["spec"].get("nodeName"), pod["status"]) for pod in pods]
        assert len(pods) == 1, f"{self.name}: {self.status.fields()}\n{states}\n{self.words()}"
        return pods[0]

    def logs(self) -> list[str]:
        """What the output keeps of its drivers' logs, by attempt and time."""
        store = Store(self.output)
        return [store.read(info.name).decode() for info in store.list(f"{LOGS}/{self.child}/")]

    def children(self) -> list[tuple[str, str]]:
        """Kind and name of whatever has the child name in its own."""
        found = self.mill.place.everything()
        return [
            (each["kind"], each["metadata"]["name"])
            for each in found
            if self.child in each["metadata"]["name"] and "Event" not in each["kind"]
        ]

    def sees(self, condition: Callable[[JobStatus], object], what: str, seconds: float = PATIENCE) -> JobStatus:
        """Return the status that fulfills `condition`; it must not be finished before."""
        states: list[JobStatus] = []

        def met() -> bool:
            states.append(self.status)
            return bool(condition(states[-1])) or states[-1].is_finished

        until(met, seconds)
        assert condition(states[-1]), f"{self.name}: not {what}: {states[-1].fields()}\n{self.words()}"
        return states[-1]

    def becomes(self, phase: str, seconds: float = PATIENCE) -> JobStatus:
        """The status in that phase."""
        return self.sees(lambda status: status.phase == phase, phase, seconds)

    def fails(self, reason: str, seconds: float = PATIENCE) -> JobStatus:
        """The status of a job that has failed for that reason, in word and condition."""
        status = self.becomes("Failed", seconds)
        condition = status.condition("Failed")
        assert condition and (condition.status, condition.reason) == ("True", reason), status.fields()
        assert status.completion_time
        return status

    def is_in_mid_run(self, partitions: int = 3) -> None:
        """Some partitions are done, and most are not."""
        self.sees(lambda status: self.done >= partitions, "in mid-run")
        assert self.done < PARTITIONS - 4, "the fault would come too late"

    def proves(self, seconds: float = PATIENCE) -> JobStatus:
        """It is complete, with every row scored once as an undisturbed run scores it, and says so."""
        status = self.becomes("Complete", seconds)
        assert objects(self.output) == self.mill.expected
        assert verify(self.output).totals.scored == ROWS
        assert status.rows and (status.rows.total, status.rows.scored, status.rows.rejected) == (ROWS, ROWS, 0)
        return status

    def leaves_nothing(self, seconds: float = 120) -> None:
        """No object that was made for it is there any more."""
        assert until(lambda: not self.children(), seconds), self.children()

    def is_deleted(self, seconds: float = 120) -> None:
        """Neither it nor anything of it is there."""
        assert until(lambda: self.seen is None, seconds)
        self.leaves_nothing()

    def suspend(self, suspend: bool = True) -> None:
        self.mill.kube.patch("ScoringJob", self.name, {"spec": {"suspend": suspend}})

    def delete(self) -> None:
        assert self.mill.kube.delete("ScoringJob", self.name, uid=self.uid)

    def words(self) -> str:
        """The ends of the logs of its driver and of the operator, to stand below a failure."""
        logs = [self.mill.kube.log(pod["metadata"]["name"], 25) or "" for pod in self.pods("driver")]
        return "\n".join([*logs, self.mill.operator_log()])


def lay_down(folder: Path, uri: str) -> str:
    """`uri`, below which everything of `folder` is now."""
    store = Store(uri)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            store.write(str(path.relative_to(folder)), path.read_bytes())
    return uri


def prepare(bucket: Bucket, folder: Path) -> str:
    """The URI of the slow model; the bucket has it and the rows."""
    Store(bucket.uri("in")).write("rows.csv", CONTENT)
    return lay_down(Path(slow_bundle(folder, bucket.uri("hunger"))), bucket.uri("model"))
