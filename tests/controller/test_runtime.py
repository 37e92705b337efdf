"""The operator as a process: what it loads, its probes, and how it begins, is replaced and ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scoremill.kubernetes.objects import names
from tests.support.control_plane import free_ports
from tests.support.kubernetes_api import KubernetesApi

SECONDS = 40.0
LEASE = "scoremill-operator"
FINALIZER = "kopf.zalando.org/KopfFinalizerMarker"
"""Kinds of dask-kubernetes."""
SPEC = {
    "model": {"uri": "s3://m/tips"},
    "input": {"uris": ["s3://in/*.csv"]},
    "output": {"uri": "s3://out/tips"},
    "cluster": {"serviceAccount": "admin"},
}
BAD = {"apiVersion": "scoremill.dev/v1alpha1", "kind": "ScoringJob", "metadata": {"name": "tips"}, "spec": SPEC}
"""A job that the API server takes, and the operator does not."""
HEAVY = {"dask", "distributed", "pyarrow", "pandas", "sklearn", "numpy", "fsspec", "click", "rich"}


def until(is_so: Callable[[], object]) -> None:
    """Returns when it is so; fails where it does not come to that."""
    for _ in range(int(SECONDS / 0.05)):
        if is_so():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come to that")


@dataclass
class Process:
    """An operator that runs, its port, and where its log is."""

    running: subprocess.Popen[str]
    port: int
    log: Path

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page; 0 while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def lines(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def operator(api: KubernetesApi, folder: Path, name: str) -> Iterator[Process]:
    (port,) = free_ports(1)
    options = [f"--namespace={api.namespace}", f"--identity={name}", f"--port={port}", "--resync=3600"]
    command = [sys.executable, "-m", "scoremill_operator", *options]
    environment = {**os.environ, "KUBECONFIG": str(api.kubeconfig()), "PYTHONPATH": os.pathsep.join(sys.path)}
    log = folder / f"{name}.log"
    with log.open("w") as stderr:
        running = subprocess.Popen(command, env=environment, stderr=stderr, text=True)
    try:
        yield Process(running, port, log)
    finally:
        running.kill()
        running.wait()


def field(api: KubernetesApi, kind: str, name: str, *path: str) -> Any:
    """A field of an object, once it is there."""

    def found() -> Any:
        value: Any = api.kube.get(kind, name)
        for key in path:
            value = value and value.get(key)
        return value

    until(lambda: found() is not None)
    return found()


def holder(api: KubernetesApi) -> str:
    return str(field(api, "Lease", LEASE, "spec", "holderIdentity"))


def looks(process: Process) -> int:
    """At ScoringJobs."""
    counts = re.findall(r'scoremill_reconcile_seconds_count{kind="ScoringJob"} (\d+)', process.get("/metrics")[1])
    return int(counts[0]) if counts else 0


def cluster_of(job: str, **meta: Any) -> dict[str, Any]:
    """A DaskCluster that belongs to a job."""
    pod: dict[str, Any] = {"spec": {"containers": [{"name": "any", "image": "any"}]}}
    service = {"selector": {}, "ports": [{"name": "tcp", "protocol": "TCP", "port": 8786, "targetPort": "tcp"}]}
    spec = {"scheduler": {**pod, "service": service}, "worker": {**pod, "replicas": 1}}
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": child_meta(job, **meta),
        "spec": spec,
    }


def child_meta(job: str, **meta: Any) -> dict[str, Any]:
    labels, annotations = {names.JOB: f"{job}-1"}, {names.JOB_NAME: job}
    return {"name": f"{job}-1", "annotations": annotations, "labels": labels, **meta}


def test_nothing_that_moves_data_is_loaded() -> None:
    program = "import sys, scoremill_operator.__main__; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {*done.stdout.split()}
    assert "prometheus_client" in loaded
    assert not HEAVY & loaded


def test_operator_process_reconciles_a_job_and_exits_cleanly(kubernetes_api: KubernetesApi, tmp_path: Path) -> None:
    api = kubernetes_api
    with operator(api, tmp_path, "first") as first:
        assert holder(api) == "first"
        until(lambda: first.get("/readyz") == (200, "ok"))
        api.kube.create(BAD)
        assert field(api, "ScoringJob", "tips", "status", "phase") == "Failed"
        until(lambda: api.kube.select("Event"))
        (event,) = api.kube.select("Event")
        assert event["involvedObject"]["name"] == "tips"
        assert event["reason"] == "InvalidSpec"

        until(lambda: 'scoremill_jobs{phase="Failed"} 1.0' in first.get("/metrics")[1])
        assert "scoremill_leader 1.0" in first.get("/metrics")[1]
        assert first.get("/")[0] == 404
        assert any(line.get("name") == "tips" and line.get("namespace") == api.namespace for line in first.lines())

        first.running.send_signal(signal.SIGTERM)
        assert first.running.wait(SECONDS) == 0
        assert holder(api) == ""


def test_an_event_of_a_child_is_one_of_its_job_and_leaves_no_trace_in_it(
    kubernetes_api: KubernetesApi, tmp_path: Path
) -> None:
    api = kubernetes_api
    with operator(api, tmp_path, "first") as first:
        made = api.kube.create(cluster_of("tips", finalizers=[FINALIZER]))
        assert made
        until(lambda: looks(first) == 1)
        changed = api.kube.patch("DaskCluster", "tips-1", {"spec": {"worker": {"replicas": 2}}})
        assert changed
        until(lambda: looks(first) == 2)
        kept = api.kube.get("DaskCluster", "tips-1")
        assert kept and kept["metadata"]["resourceVersion"] == changed.version


def test_what_ended_before_the_operator_began_is_not_looked_at_until_something_comes_of_it(
    kubernetes_api: KubernetesApi, tmp_path: Path
) -> None:
    api = kubernetes_api
    spec = {"containers": [{"name": "any", "image": "any"}], "restartPolicy": "Never"}

    def pod(job: str, phase: str) -> None:
        api.kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": child_meta(job), "spec": spec})
        api.status("Pod", f"{job}-1", {"phase": phase})

    def batch(job: str, **status: Any) -> None:
        made = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": child_meta(job),
            "spec": {"template": {"spec": spec}},
        }
        api.kube.create(made)
        api.status("Job", f"{job}-1", status)

    api.kube.create({**BAD, "metadata": {"name": "done"}})
    api.status("ScoringJob", "done", {"phase": "Complete", "completionTime": "2026-11-21T03:00:00Z"})
    pod("done", "Succeeded")
    failed = [{"type": kind, "status": "True"} for kind in ("FailureTarget", "Failed")]
    batch("done", startTime="2026-11-21T02:00:00Z", conditions=failed)
    # What their listings show behind them.
    pod("pod", "Running")
    batch("batch")
    api.kube.create(BAD)
    with operator(api, tmp_path, "first") as first:
        until(lambda: {"pod", "batch", "tips"} <= api.reads())
        until(lambda: 'scoremill_jobs{phase="Complete"} 1.0' in first.get("/metrics")[1])
        assert "done" not in api.reads()
        api.kube.create(cluster_of("done"))
        until(lambda: "done" in api.reads())


def test_a_second_waits_well_and_takes_over_what_the_first_leaves(
    kubernetes_api: KubernetesApi, tmp_path: Path
) -> None:
    api = kubernetes_api
    with operator(api, tmp_path, "first") as first:
        assert holder(api) == "first"
        with operator(api, tmp_path, "second") as second:
            until(lambda: second.get("/readyz") == (200, "ok"))
            assert "scoremill_leader 0.0" in second.get("/metrics")[1]
            assert second.get("/healthz") == (200, "ok")
            with operator(api, tmp_path, "third") as third:
                until(lambda: third.get("/readyz") == (200, "ok"))
                third.running.send_signal(signal.SIGTERM)
                assert third.running.wait(SECONDS) == 0
            assert holder(api) == "first"
            first.running.send_signal(signal.SIGTERM)
            assert first.running.wait(SECONDS) == 0
            until(lambda: holder(api) == "second")
            api.kube.create(BAD)
            assert field(api, "ScoringJob", "tips", "status", "phase") == "Failed"


def test_operator_that_lost_the_lease_exits_immediately_with_1(kubernetes_api: KubernetesApi, tmp_path: Path) -> None:
    api = kubernetes_api
    with operator(api, tmp_path, "first") as first:
        assert holder(api) == "first"
        until(lambda: first.get("/readyz") == (200, "ok"))
        api.kube.patch("Lease", LEASE, {"spec": {"holderIdentity": "other"}})
        assert first.running.wait(SECONDS) == 1
        assert first.lines()[-1]["message"] == "lost the Lease"
        assert holder(api) == "other"
