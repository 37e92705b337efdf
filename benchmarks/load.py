"""The operator under load: many ScoringJobs at once on a real API server; drivers and Dask's pods are KWOK's word.

What dask-kubernetes does is done by a thread of this program: pods for each DaskCluster, so that the operator alone is
measured. Prints Markdown: `python benchmarks/load.py --jobs 300`.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src"), str(Path(__file__).resolve().parent)]

from plane import Plane, free_ports, wait_for  # noqa: E402 the paths above

from scoremill.deploy import names  # noqa: E402
from scoremill.kube import KINDS, Kube, Object  # noqa: E402

MIB = 2**20


def main() -> None:
    """Jobs in, figures out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--driver-seconds", type=float, default=5, help="from a driver's start to its end")
    parser.add_argument("--timeout", type=float, default=1800)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="scoremill-load-") as folder,
        Plane(Path(folder), asked.driver_seconds) as plane,
    ):
        measure(plane, asked.jobs, asked.timeout)


def measure(plane: Plane, jobs: int, seconds: float) -> None:
    """Prints what `jobs` at once cost the operator, its API server and its memory."""
    kube = plane.kube
    define(kube)
    with Dask(kube):
        (port,) = free_ports(1)
        operator = plane.start(
            "operator", sys.executable, "-m", "scoremill_operator", "--namespace=default", "--lease-namespace=default",
            f"--port={port}", KUBECONFIG=str(plane.kubeconfig), PYTHONPATH=f"{ROOT / 'src'}:{ROOT / 'operator'}",
        )  # fmt: skip
        wait_for(lambda: "scoremill_leader 1.0" in metrics(port), 60, "the operator")
        rest, most = memory(operator.pid), 0.0
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: kube.create(job(number)), range(jobs)))
        made = time.monotonic() - began
        phases: Counter[str] = Counter()

        def ended() -> bool:
            nonlocal most, phases
            most = max(most, memory(operator.pid))
            phases = Counter((each.get("status") or {}).get("phase", "Pending") for each in kube.select("ScoringJob"))
            return phases["Complete"] + phases["Failed"] == jobs

        wait_for(ended, seconds, f"the end of all jobs ({phases})")
        print_figures(jobs, made, time.monotonic() - began, phases, metrics(port), (rest, most))


def print_figures(
    jobs: int, made: float, seconds: float, phases: Counter[str], told: str, held: tuple[float, float]
) -> None:
    calls = sum(float(value) for value in re.findall(r"^scoremill_api_calls_total\{.*?\} (\S+)", told, re.MULTILINE))
    errors = sum(
        float(value) for value in re.findall(r"^scoremill_reconcile_errors_total\{.*?\} (\S+)", told, re.MULTILINE)
    )
    print(
        "| jobs | made in | all ended in | phases | API calls a job | looks that failed | reconcile p50 | p99 | memory at rest | at most |"
    )
    print("|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|")
    ended = ", ".join(f"{count} {phase}" for phase, count in sorted(phases.items()) if count)
    print(
        f"| {jobs} | {made:.0f} s | {seconds:.0f} s | {ended} | {calls / jobs:.1f} | {errors:.0f} "
        f"| {quantile(told, 0.5)} | {quantile(told, 0.99)} | {held[0]:.0f} MiB | {held[1]:.0f} MiB |"
    )


def quantile(told: str, share: float) -> str:
    """The bucket of `scoremill_reconcile_seconds` of jobs in which that share of all looks ended."""
    buckets = re.findall(
        r'^scoremill_reconcile_seconds_bucket\{kind="ScoringJob",le="(\S+?)"\} (\S+)', told, re.MULTILINE
    )
    total = float(buckets[-1][1])
    return next(f"< {bound} s" for bound, count in buckets if float(count) >= share * total)


def define(kube: Kube) -> None:
    """The API server knows our kinds, and a DaskCluster of whatever content."""
    made = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "helm/scoremill/files/crds").glob("*.yaml"))]
    made += [anything("DaskCluster"), anything("DaskWorkerGroup"), anything("DaskAutoscaler")]
    for each in made:
        kube._call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {}, each)
    kinds = ("ScoringJob", "ScoringSchedule", "DaskCluster", "DaskWorkerGroup", "DaskAutoscaler")
    wait_for(lambda: all(kube._call("GET", kube.path(kind))[0] == 200 for kind in kinds), 30, "the kinds")


def anything(kind: str) -> Object:
    """A definition of one of dask-kubernetes' kinds that takes whatever it is given."""
    plural = KINDS[kind][1]
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.kubernetes.dask.org"},
        "spec": {"group": "kubernetes.dask.org", "scope": "Namespaced", "versions": [version],
                 "names": {"kind": kind, "plural": plural, "singular": kind.lower()}},
    }  # fmt: skip


class Dask:
    """Pods of a scheduler and of workers for each DaskCluster, as dask-kubernetes and its Deployments make them."""

    def __init__(self, kube: Kube) -> None:
        self._kube, self._done, self._stopped = kube, set[str](), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(4) as pool:
            while not self._stopped.wait(0.5):
                new = [each for each in self._kube.select("DaskCluster") if each["metadata"]["uid"] not in self._done]
                self._done |= {each["metadata"]["uid"] for each in new}
                list(pool.map(self._make, new))

    def _make(self, cluster: Object) -> None:
        name, meta = cluster["metadata"]["name"], cluster["metadata"]
        owner = {"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskCluster", "name": name,
                 "uid": meta["uid"], "controller": True}  # fmt: skip
        for component in ("scheduler", *["worker"] * cluster["spec"]["worker"]["replicas"]):
            part = cluster["spec"][component]
            labels = {**meta["labels"], **part["metadata"]["labels"], names.DASK_COMPONENT: component}
            annotations = {**meta["annotations"], **part["metadata"].get("annotations", {})}
            self._kube.create({
                "apiVersion": "v1", "kind": "Pod", "spec": {**part["spec"], "restartPolicy": "Always"},
                "metadata": {"name": f"{name}-{component}", "labels": labels, "annotations": annotations,
                             "ownerReferences": [owner]},
            })  # fmt: skip


def job(number: int) -> Object:
    """A ScoringJob of one worker; nobody reads what it names."""
    spec = {
        "model": {"uri": "s3://bucket/model"}, "input": {"uris": ["s3://bucket/in/*.csv"]},
        "output": {"uri": f"s3://bucket/out/{number}"}, "cluster": {"workers": {"min": 1, "max": 1}},
    }  # fmt: skip
    return {
        "apiVersion": "scoremill.dev/v1alpha1",
        "kind": "ScoringJob",
        "metadata": {"name": f"job-{number:05d}"},
        "spec": spec,
    }


def metrics(port: int) -> str:
    """What the operator tells Prometheus; nothing while it does not."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def memory(pid: int) -> float:
    """MiB that the process takes (PSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / MIB


if __name__ == "__main__":
    main()
