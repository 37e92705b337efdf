"""Measure the operator under load: many ScoringJobs on a real API server, with pods that KWOK simulates.

A thread of this program creates the pods of each DaskCluster in place of dask-kubernetes, so that only the operator is
measured. Prints Markdown: `python benchmarks/load.py --jobs 300`.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src"), str(Path(__file__).resolve().parent)]

from plane import Plane  # noqa: E402 the paths above

from scoremill.kubernetes.api import KINDS, Kube, Object  # noqa: E402
from scoremill.kubernetes.objects import names  # noqa: E402
from tests.support.control_plane import free_ports, wait_for  # noqa: E402

MIB = 2**20
CALLS, ERRORS = "scoremill_api_calls_total", "scoremill_reconcile_errors_total"
HEAD = (
    "| jobs | phases | created in | all finished in | clusters deleted in | API calls per job | failed reconciliations "
    "| reconcile p50 | p99 | CPU of the operator | idle memory | peak memory | API calls per minute afterwards |\n"
    "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def main() -> None:
    """Print the figures for each number of jobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--jobs",
        type=int,
        nargs="+",
        default=[300],
        help="number of jobs at the same time; several numbers are measured one after the other",
    )
    parser.add_argument("--driver-seconds", type=float, default=5, help="seconds from the start of a driver to its end")
    parser.add_argument("--timeout", type=float, default=3600)
    options = parser.parse_args()
    print(HEAD, flush=True)
    for jobs in options.jobs:
        with (
            tempfile.TemporaryDirectory(prefix="scoremill-load-") as folder,
            Plane(Path(folder), options.driver_seconds) as plane,
        ):
            print(measure(plane, jobs, options.timeout).row(), flush=True)


@dataclass(frozen=True)
class Figures:
    """The cost of `jobs` simultaneous jobs for the operator."""

    jobs: int
    phases: Counter[str]
    made: float
    """Seconds until all jobs were created, were finished (`ended`), and had no cluster left (`deleted`)."""
    ended: float
    deleted: float
    calls: float
    """API calls without watches, and failed reconciliations (`errors`), until then."""
    errors: float
    median: float
    """Seconds within which half of all reconciliations ended, and 99 of 100 (`p99`)."""
    p99: float
    cpu: float
    """CPU seconds of the operator."""
    idle: float
    """MiB of memory before the first job, and the maximum (`peak`)."""
    peak: float
    afterwards: float
    """API calls per minute when all jobs are settled."""

    def row(self) -> str:
        """Return the row of the table below `HEAD`."""
        phases = ", ".join(f"{count} {phase}" for phase, count in sorted(self.phases.items()))
        return (
            f"| {self.jobs:,} | {phases} | {self.made:.0f} s | {self.ended:.0f} s | {self.deleted:.0f} s "
            f"| {self.calls / self.jobs:.1f} | {self.errors:.0f} | < {self.median:g} s | < {self.p99:g} s "
            f"| {self.cpu:.0f} s | {self.idle:.0f} MiB | {self.peak:.0f} MiB | {self.afterwards:.0f} |"
        )


def measure(plane: Plane, jobs: int, seconds: float, *, resync: float = 60) -> Figures:
    """Return the figures. Raise TimeoutError if a job is not finished or a cluster not deleted within `seconds`."""
    kube = plane.kube
    define(kube)
    (port,) = free_ports(1)
    with Dask(kube), Drivers(kube):
        operator = plane.start(
            "operator",
            sys.executable,
            "-m",
            "scoremill_operator",
            "--namespace=default",
            "--lease-namespace=default",
            f"--port={port}",
            f"--resync={resync}",
            KUBECONFIG=str(plane.kubeconfig),
            PYTHONPATH=f"{ROOT / 'src'}:{ROOT / 'operator'}",
        )
        wait_for(lambda: "scoremill_leader 1.0" in metrics(port), 60, "the operator")
        idle = peak = memory(operator.pid)

        def checked(condition: bool) -> bool:
            nonlocal peak
            if operator.poll() is not None:
                raise RuntimeError(f"the operator exited with code {operator.returncode}")
            peak = max(peak, memory(operator.pid))
            return condition

        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: kube.create(job(number)), range(jobs)))
        made = time.monotonic() - began
        wait_for(lambda: checked(ended(metrics(port)) == jobs), seconds, f"the end of {jobs} jobs")
        all_ended = time.monotonic() - began
        wait_for(lambda: checked(not kube.select("DaskCluster")), seconds, "the end of their clusters")
        deleted, text, cpu = time.monotonic() - began, metrics(port), cpu_seconds(operator.pid)
        # Wait for delayed reconciliations, then measure a whole period of the resync.
        time.sleep(max(resync, 15))
        before = value(metrics(port), CALLS)
        time.sleep(resync)
        checked(condition=True)
        return Figures(
            jobs=jobs,
            phases=Counter(each["status"]["phase"] for each in kube.select("ScoringJob")),
            made=made,
            ended=all_ended,
            deleted=deleted,
            calls=value(text, CALLS),
            errors=value(text, ERRORS),
            median=quantile(text, 0.5),
            p99=quantile(text, 0.99),
            cpu=cpu,
            idle=idle,
            peak=peak,
            afterwards=(value(metrics(port), CALLS) - before) * 60 / resync,
        )


def ended(text: str) -> float:
    """Return the number of finished jobs."""
    return sum(value(text, "scoremill_jobs", f'phase="{phase}"') for phase in ("Complete", "Failed"))


def value(text: str, name: str, label: str = "") -> float:
    """Return the sum of a metric over all its labels, or over those with `label`."""
    found = re.findall(rf"^{name}\{{.*?{label}.*?\}} (\S+)", text, re.MULTILINE)
    return sum(map(float, found))


def quantile(text: str, share: float) -> float:
    """Return the bound of the bucket of `scoremill_reconcile_seconds` that holds this quantile for jobs."""
    buckets = re.findall(
        r'^scoremill_reconcile_seconds_bucket\{kind="ScoringJob",le="(\S+?)"\} (\S+)', text, re.MULTILINE
    )
    total = float(buckets[-1][1])
    return next(float(bound) for bound, count in buckets if float(count) >= share * total)


def define(kube: Kube) -> None:
    """Create the CRDs of scoremill, and CRDs of dask-kubernetes that accept any content."""
    made = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "helm/scoremill/files/crds").glob("*.yaml"))]
    made += [anything("DaskCluster"), anything("DaskWorkerGroup"), anything("DaskAutoscaler")]
    for each in made:
        kube.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {}, each)
    kinds = ("ScoringJob", "ScoringSchedule", "DaskCluster", "DaskWorkerGroup", "DaskAutoscaler")
    wait_for(lambda: all(kube.call("GET", kube.path(kind)).status == 200 for kind in kinds), 30, "the kinds")


def anything(kind: str) -> Object:
    """Return a CRD of a kind of dask-kubernetes that accepts any content."""
    plural = KINDS[kind][1]
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.kubernetes.dask.org"},
        "spec": {
            "group": "kubernetes.dask.org",
            "scope": "Namespaced",
            "versions": [version],
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
        },
    }


class Watched:
    """Acts on every created or changed object, in its own threads, while it is entered."""

    def __init__(self, kube: Kube) -> None:
        self._kube, self._done, self._stopped = kube, list[Future[None]](), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: object, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        for each in self._done:
            each.result()

    def _listing(self, api: Any) -> tuple[Any, dict[str, Any]]:
        """Return the method of the Python client that lists the watched objects, and its arguments."""
        raise NotImplementedError

    def _act(self, event: str, found: Object) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        from kubernetes import client, watch
        from urllib3.exceptions import ReadTimeoutError

        call, arguments = self._listing(client.ApiClient(self._kube.transport.configuration))
        events = watch.Watch()
        with ThreadPoolExecutor(4) as pool:
            while not self._stopped.is_set():
                arguments["resource_version"] = events.resource_version
                # End a silent watch, to check whether to stop.
                with suppress(ReadTimeoutError):
                    for event in events.stream(call, **arguments, _request_timeout=(5, 1)):
                        self._done.append(pool.submit(self._act, event["type"], event["raw_object"]))


class Drivers(Watched):
    """Requests the cluster for each running driver, as `scoremill driver` does after planning."""

    def __init__(self, kube: Kube) -> None:
        super().__init__(kube)
        self._asked: set[str] = set()

    def _listing(self, api: Any) -> tuple[Any, dict[str, Any]]:
        from kubernetes import client

        labels = "app.kubernetes.io/component=driver"
        return client.CoreV1Api(api).list_namespaced_pod, {"namespace": "default", "label_selector": labels}

    def _act(self, event: str, found: Object) -> None:
        meta = found["metadata"]
        if event == "DELETED" or found["status"].get("phase") != "Running" or meta["uid"] in self._asked:
            return
        self._asked.add(meta["uid"])
        name = meta["annotations"][names.JOB_NAME]
        job = self._kube.get("ScoringJob", name)
        if job:
            attempt = int(meta["labels"][names.JOB_OF_POD].rsplit("-", 1)[1])
            status = {"progress": {"attempt": attempt, "stage": "WaitingForCluster"}}
            self._kube.apply_status("ScoringJob", name, status, manager="scoremill-driver", uid=job["metadata"]["uid"])


class Dask(Watched):
    """Creates the pods of each DaskCluster as dask-kubernetes and its Deployments do."""

    def _listing(self, api: Any) -> tuple[Any, dict[str, Any]]:
        from kubernetes import client

        prefix, plural = KINDS["DaskCluster"]
        _, _, group, version = prefix.split("/")
        where = {"group": group, "version": version, "namespace": "default", "plural": plural}
        return client.CustomObjectsApi(api).list_namespaced_custom_object, where

    def _act(self, event: str, found: Object) -> None:
        if event == "ADDED":
            self._make(found)

    def _make(self, cluster: Object) -> None:
        name, meta = cluster["metadata"]["name"], cluster["metadata"]
        owner = {
            "apiVersion": "kubernetes.dask.org/v1",
            "kind": "DaskCluster",
            "name": name,
            "uid": meta["uid"],
            "controller": True,
        }
        for component in ("scheduler", *["worker"] * cluster["spec"]["worker"]["replicas"]):
            part = cluster["spec"][component]
            labels = {**meta["labels"], **part["metadata"]["labels"], names.DASK_COMPONENT: component}
            annotations = {**meta["annotations"], **part["metadata"].get("annotations", {})}
            self._kube.create(
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "spec": {**part["spec"], "restartPolicy": "Always"},
                    "metadata": {
                        "name": f"{name}-{component}",
                        "labels": labels,
                        "annotations": annotations,
                        "ownerReferences": [owner],
                    },
                }
            )


def job(number: int) -> Object:
    """Return a ScoringJob with one worker; its model and input do not exist."""
    spec = {
        "model": {"uri": "s3://bucket/model"},
        "input": {"uris": ["s3://bucket/in/*.csv"]},
        "output": {"uri": f"s3://bucket/out/{number}"},
        "cluster": {"workers": 1},
    }
    return {
        "apiVersion": "scoremill.dev/v1alpha1",
        "kind": "ScoringJob",
        "metadata": {"name": f"job-{number:05d}"},
        "spec": spec,
    }


def metrics(port: int) -> str:
    """Return the metrics of the operator, or an empty text while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def memory(pid: int) -> float:
    """Return the proportional set size of the process in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / MIB


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of the process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
