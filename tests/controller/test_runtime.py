"""The operator as a process: what it loads, its probes, and how it begins, is replaced and ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from scoremill.kubernetes.objects import names
from tests.support.objects import Objects, serving

JOBS = "/apis/scoremill.dev/v1alpha1/namespaces/science/scoringjobs"
CLUSTERS = "/apis/kubernetes.dask.org/v1/namespaces/science/daskclusters"
PODS = "/api/v1/namespaces/science/pods"
BATCH = "/apis/batch/v1/namespaces/science/jobs"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/science/leases"
EVENTS = "/api/v1/namespaces/science/events"
SECONDS = 40.0
DASK_KUBERNETES = "kopf.zalando.org/KopfFinalizerMarker"
"""Its finalizer of clusters; it is made of kopf as well."""
BAD = {"apiVersion": "scoremill.dev/v1alpha1", "kind": "ScoringJob", "metadata": {"name": "tips"}, "spec": {"x": 1}}
# kopf loads them where they are; the operator's image leaves them out.
HIDDEN = "import sys; sys.modules.update(dict.fromkeys(('pykube', 'kubernetes_asyncio'))); "
HEAVY = {"dask", "distributed", "pyarrow", "pandas", "sklearn", "numpy", "fsspec", "click", "rich"}


def until(is_so: Callable[[], bool]) -> None:
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
def operator(server: Objects, folder: Path, name: str) -> Iterator[Process]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = f"{HIDDEN} from scoremill_operator.__main__ import main; sys.exit(main())"
    command = [
        sys.executable,
        "-c",
        program,
        "--namespace=science",
        f"--identity={name}",
        f"--port={port}",
        "--resync=3600",
    ]
    environment = {**os.environ, "KUBECONFIG": str(server.kubeconfig(folder)), "PYTHONPATH": os.pathsep.join(sys.path)}
    log = folder / f"{name}.log"
    with log.open("w") as stderr:
        running = subprocess.Popen(command, env=environment, stderr=stderr, text=True)
    try:
        yield Process(running, port, log)
    finally:
        running.kill()
        running.wait()


@pytest.fixture
def server() -> Iterator[Objects]:
    with serving() as server:
        yield server


def holder(server: Objects) -> str:
    return str(server.wait_for(LEASES, "scoremill-operator", "spec", "holderIdentity"))


def test_nothing_that_moves_data_is_loaded() -> None:
    program = f"{HIDDEN} import scoremill_operator.__main__; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {*done.stdout.split()}
    assert "kopf" in loaded
    assert not HEAVY & loaded


def test_a_job_is_taken_up_its_status_told_and_the_process_ends_in_order(server: Objects, tmp_path: Path) -> None:
    with operator(server, tmp_path, "first") as first:
        assert holder(server) == "first"
        until(lambda: first.get("/readyz") == (200, "ok"))
        server.put(JOBS, BAD, "ADDED")
        assert server.wait_for(JOBS, "tips", "status", "phase") == "Failed"
        until(lambda: any(path == EVENTS for path, _ in [*server.objects]))
        (event,) = (each for (path, _), each in [*server.objects.items()] if path == EVENTS)
        assert event["involvedObject"]["name"] == "tips"
        assert event["reason"] == "InvalidSpec"

        until(lambda: 'scoremill_jobs{phase="Failed"} 1.0' in first.get("/metrics")[1])
        assert "scoremill_leader 1.0" in first.get("/metrics")[1]
        assert first.get("/")[0] == 404
        assert any(line.get("name") == "tips" and line.get("namespace") == "science" for line in first.lines())

        first.running.send_signal(signal.SIGTERM)
        assert first.running.wait(SECONDS) == 0
        assert server.objects[LEASES, "scoremill-operator"]["spec"]["holderIdentity"] == ""


def test_an_event_of_a_child_is_one_of_its_job_and_kopf_leaves_no_trace(server: Objects, tmp_path: Path) -> None:
    def looks() -> int:
        counts = re.findall(r'scoremill_reconcile_seconds_count{kind="ScoringJob"} (\d+)', first.get("/metrics")[1])
        return int(counts[0]) if counts else 0

    meta = {"name": "tips-1", "annotations": {names.JOB_NAME: "tips"}, "labels": {names.JOB: "tips-1"}}
    child = {"metadata": {**meta, "finalizers": [DASK_KUBERNETES], "uid": "u"}}
    with operator(server, tmp_path, "first") as first:
        server.put(CLUSTERS, child, "ADDED")
        until(lambda: looks() == 1)
        # Events of one object are taken up in turn: what kopf had to do after the first is done at the second.
        server.put(CLUSTERS, child, "MODIFIED")
        until(lambda: looks() == 2)
        kept = server.objects[CLUSTERS, "tips-1"]["metadata"]
        assert kept["finalizers"] == [DASK_KUBERNETES]
        assert kept["annotations"] == {names.JOB_NAME: "tips"}
        assert [event["type"] for path, event in server.events if path == CLUSTERS] == ["ADDED", "MODIFIED"]


def test_what_ended_before_the_operator_began_is_not_looked_at_until_something_comes_of_it(
    server: Objects, tmp_path: Path
) -> None:
    def child(job: str, **status: object) -> dict[str, object]:
        meta = {"name": f"{job}-1", "annotations": {names.JOB_NAME: job}, "labels": {names.JOB: f"{job}-1"}}
        return {"metadata": meta, "status": status}

    done = {"phase": "Complete", "completionTime": "2026-11-21T03:00:00Z"}
    server.put(JOBS, {**BAD, "metadata": {"name": "done"}, "status": done}, "ADDED")
    server.put(PODS, child("done", phase="Succeeded"), "ADDED")
    server.put(BATCH, child("done", conditions=[{"type": "Failed", "status": "True"}]), "ADDED")
    # What their listings show behind them.
    server.put(PODS, child("pod", phase="Running"), "ADDED")
    server.put(BATCH, child("batch"), "ADDED")
    server.put(JOBS, BAD, "ADDED")
    with operator(server, tmp_path, "first") as first:
        until(lambda: {f"{JOBS}/pod", f"{JOBS}/batch", f"{JOBS}/tips"} <= {*server.asked})
        until(lambda: 'scoremill_jobs{phase="Complete"} 1.0' in first.get("/metrics")[1])
        assert f"{JOBS}/done" not in server.asked
        server.put(CLUSTERS, child("done"), "ADDED")
        until(lambda: f"{JOBS}/done" in server.asked)


def test_a_second_waits_well_and_takes_over_what_the_first_leaves(server: Objects, tmp_path: Path) -> None:
    with operator(server, tmp_path, "first") as first:
        assert holder(server) == "first"
        with operator(server, tmp_path, "second") as second:
            until(lambda: second.get("/readyz") == (200, "ok"))
            assert "scoremill_leader 0.0" in second.get("/metrics")[1]
            assert second.get("/healthz") == (200, "ok")
            with operator(server, tmp_path, "third") as third:
                until(lambda: third.get("/readyz") == (200, "ok"))
                third.running.send_signal(signal.SIGTERM)
                assert third.running.wait(SECONDS) == 0
            assert holder(server) == "first"
            first.running.send_signal(signal.SIGTERM)
            assert first.running.wait(SECONDS) == 0
            until(lambda: holder(server) == "second")
            server.put(JOBS, BAD, "ADDED")
            assert server.wait_for(JOBS, "tips", "status", "phase") == "Failed"


def test_one_that_has_lost_the_lease_ends_at_once_with_1(server: Objects, tmp_path: Path) -> None:
    with operator(server, tmp_path, "first") as first:
        assert holder(server) == "first"
        until(lambda: first.get("/readyz") == (200, "ok"))
        there = server.objects[LEASES, "scoremill-operator"]
        server.put(LEASES, {**there, "spec": {**there["spec"], "holderIdentity": "other"}}, "MODIFIED")
        assert first.running.wait(SECONDS) == 1
        assert first.lines()[-1]["message"] == "the Lease is lost"
        assert server.objects[LEASES, "scoremill-operator"]["spec"]["holderIdentity"] == "other"
