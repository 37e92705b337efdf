"""`scoremill job` and `schedule` on a real API server without an operator: the tests write its part of the status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import scoremill
from scoremill import verify
from scoremill.errors import ClusterError, RejectLimitError, UsageError
from scoremill.kubernetes.api import Conflict, Kube, Object
from scoremill.kubernetes.objects import Resource
from scoremill.naming import spec_hash
from scoremill.spec import parse_job
from tests.cluster.steps import until
from tests.support.jobs import trip_bundle, trips
from tests.support.kube import Place, new_namespace
from tests.support.operator import apply_kinds

pytestmark = pytest.mark.timeout(300)

SPEC: Object = {
    "model": {"uri": "s3://m/tips"},
    "input": {"uris": ["s3://b/*.csv"], "partitionBytes": "16MiB"},
    "output": {"uri": "s3://b/out"},
    "errors": {"maxFraction": None},
    "cluster": {"workers": 0, "maxWorkers": 8, "memory": "2GiB"},
    # An operator that watches all namespaces leaves it alone.
    "managedBy": "example.org/tests",
}


@pytest.fixture(scope="module")
def place(kubeconfig: Path, runner_image: str) -> Iterator[Place]:
    apply_kinds(kubeconfig)
    with new_namespace(kubeconfig) as namespace:
        yield Place(kubeconfig, namespace, runner_image)


def written(folder: Path, name: str, spec: Object) -> Path:
    path = folder / f"{name}.yaml"
    made = {"apiVersion": "scoremill.dev/v1alpha1", "kind": "ScoringJob", "metadata": {"name": name}, "spec": spec}
    path.write_text(yaml.safe_dump(made))
    return path


def made(kube: Kube, name: str, **spec: Any) -> Resource:
    metadata = {"name": name, "namespace": kube.namespace}
    job = kube.create(
        {
            "apiVersion": "scoremill.dev/v1alpha1",
            "kind": "ScoringJob",
            "metadata": metadata,
            "spec": {**SPEC, **spec},
        }
    )
    assert job
    return job


def test_status_is_not_written_to_a_new_job_of_the_same_name(place: Place) -> None:
    job = made(place.kube, "again")
    assert place.kube.delete("ScoringJob", "again", uid=job.uid)
    assert until(lambda: place.kube.get("ScoringJob", "again") is None, 60)
    made(place.kube, "again")
    with pytest.raises(Conflict, match="was deleted and created again"):
        write_status(place.kube, job, phase="Complete")
    assert "status" not in place.kube.get("ScoringJob", "again")


def write_status(kube: Kube, job: Resource, **status: Any) -> None:
    """The operator's part of the status."""
    assert kube.apply_status("ScoringJob", job.name, status, manager="scoremill-operator", uid=job.uid)


def test_a_job_is_submitted_once_looked_at_changed_and_cancelled(place: Place, tmp_path: Path) -> None:
    path, kube = written(tmp_path, "tips", SPEC), place.kube
    for words in ("is submitted", "exists already"):
        done = place.run("job", "submit", path)
        assert done.returncode == 0 and words in done.stderr, done.stderr
    other = written(tmp_path, "tips", {**SPEC, "persist": True})
    assert "with another spec" in place.fails(2, "job", "submit", other)
    (listed,) = [each for each in json.loads(place.ok("job", "list", "--json"))["jobs"] if each["name"] == "tips"]
    assert (listed["phase"], listed["output"], listed["namespace"]) == ("Pending", "s3://b/out", place.namespace)
    assert "tips" in place.ok("job", "list", "--all-namespaces")
    assert json.loads(place.ok("job", "status", "tips", "--json"))["status"] == {"conditions": [], "failedObjects": []}
    for command, suspend in (("suspend", True), ("resume", False)):
        place.ok("job", command, "tips")
        found = kube.get("ScoringJob", "tips")
        assert found and found["spec"]["suspend"] is suspend
    assert "example.org/tests" in place.ok("job", "why", "tips")
    assert "is deleted" in place.ok("job", "cancel", "tips")
    assert kube.get("ScoringJob", "tips") is None
    assert "does not exist" in place.ok("job", "cancel", "tips")


def test_python_programs_submit_inspect_and_cancel_jobs(place: Place) -> None:
    where = {"kubeconfig": str(place.kubeconfig), "namespace": place.namespace}
    job = parse_job({"metadata": {"name": "from-python"}, "spec": SPEC})
    handle = scoremill.submit(job, **where)
    assert handle == scoremill.submit(job, **where) == scoremill.find_job("from-python", **where)
    with pytest.raises(UsageError, match="with another spec"):
        scoremill.submit(parse_job({"metadata": {"name": "from-python"}, "spec": {**SPEC, "persist": True}}), **where)
    cause = handle.why()
    assert cause and "example.org/tests" in cause.evidence
    with pytest.raises(ClusterError, match="did not finish within"):
        handle.wait(timeout=1)
    made = place.kube.get("ScoringJob", "from-python")
    assert made
    failure = {"reason": "TooManyRejectedRows", "message": "5 of 10", "exitCode": 4}
    write_status(place.kube, Resource.of(made), phase="Failed", failure=failure)
    with pytest.raises(RejectLimitError, match="5 of 10"):
        handle.wait()
    assert handle.status().phase == "Failed"
    assert handle.cancel() and not handle.cancel()
    with pytest.raises(ClusterError, match='job "from-python" not found'):
        handle.status()


def test_missing_job_is_reported_with_existing_ones(place: Place) -> None:
    made(place.kube, "known")
    for command in ("status", "wait", "suspend", "resume", "logs", "why", "report"):
        err = place.fails(6, "job", command, "unknown")
        assert 'job "unknown" not found' in err and "known" in err


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        ({"phase": "Complete", "rows": {"total": 9, "scored": 8, "rejected": 1}}, 0, "8 rows scored, 1 rejected"),
        (
            {"phase": "Failed", "failure": {"reason": "TooManyRejectedRows", "message": "5 of 10", "exitCode": 4}},
            4,
            "5 of 10",
        ),
        (
            {"phase": "Failed", "failure": {"reason": "StorageFailed", "message": "refused", "exitCode": 5}},
            5,
            "refused",
        ),
        ({"phase": "Suspended"}, 6, "job resume"),
    ],
    ids=lambda value: str(value.get("phase")) if isinstance(value, dict) else None,
)
def test_who_waits_sees_how_far_it_is_and_ends_as_the_job_does(
    place: Place, status: dict[str, Any], code: int, words: str
) -> None:
    kube, name = place.kube, f"waited-{code}"
    job = made(kube, name, suspend=status["phase"] == "Suspended")
    write_status(kube, job, phase="Starting", cluster={"name": "c", "waiting": "Pulling: the image"})
    with place.start("job", "wait", name, "--timeout", "120s") as process:
        try:
            assert process.stderr and "Starting: Pulling: the image" in process.stderr.readline()
            write_status(kube, job, phase="Running")
            assert "Running" in process.stderr.readline()
            write_status(kube, job, **status)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == code, err
    assert words in out + err and "Traceback" not in err


def test_wait_reports_that_the_job_was_deleted(place: Place) -> None:
    job = made(place.kube, "removed")
    write_status(place.kube, job, phase="Running")
    with place.start("job", "wait", "removed") as process:
        try:
            assert process.stderr and "Running" in process.stderr.readline()
            place.ok("job", "cancel", "removed")
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 6 and "was deleted" in err


def test_job_continues_after_a_wait_times_out(place: Place) -> None:
    made(place.kube, "long")
    err = place.fails(6, "job", "wait", "long", "--timeout", "1s")
    assert "did not finish within" in err and "job wait long" in err


def test_driver_reports_progress_and_keeps_the_status_of_the_operator(place: Place, tmp_path: Path) -> None:
    trips(3000).to_csv(tmp_path / "in.csv", index=False)
    kube = place.kube
    job = made(
        kube,
        "driven",
        model={"uri": trip_bundle(tmp_path / "bundle")},
        input={"uris": [str(tmp_path / "in.csv")], "partitionBytes": "32KiB"},
        output={"uri": str(tmp_path / "out")},
    )
    write_status(kube, job, phase="Running", attempt=1, specHash=spec_hash(job.spec))
    words = ["driver", "--job", "driven", "--attempt", 1, "--spec", spec_hash(job.spec), "--cluster", "in-process"]
    done = place.run(*words, "--termination-log", tmp_path / "last", "--namespace", place.namespace)
    assert done.returncode == 0, done.stderr
    assert "not up to date" not in done.stderr
    last = json.loads((tmp_path / "last").read_text())
    status = (kube.get("ScoringJob", "driven") or {})["status"]
    assert (status["phase"], status["attempt"]) == ("Running", 1)
    counts = {"total": last["partitions"], "done": last["partitions"], "resumed": 0}
    assert (status["progress"]["stage"], status["progress"]["partitions"]) == ("Scoring", counts)
    assert status["progress"]["summary"] == f"{last['partitions']}/{last['partitions']}"
    assert verify(str(tmp_path / "out")).totals.scored == 3000
    assert f"{last['partitions']}/{last['partitions']} partitions, 3,000 rows" in place.ok("job", "status", "driven")
    assert "3,000 = 3,000 scored + 0 rejected" in place.ok("job", "report", "driven")


def test_the_report_of_an_output_that_cannot_be_read_here_is_the_status(place: Place, tmp_path: Path) -> None:
    job = made(place.kube, "elsewhere", output={"uri": str(tmp_path / "nothing")})
    write_status(place.kube, job, phase="Complete", rows={"total": 9, "scored": 9, "rejected": 0})
    done = place.run("job", "report", "elsewhere")
    assert done.returncode == 0 and "9 = 9 scored" in done.stdout and "the output cannot be read here" in done.stderr


def test_the_drivers_log_is_followed_to_its_end(place: Place) -> None:
    job = made(place.kube, "logged")
    assert "no driver yet" in place.fails(6, "job", "logs", "logged")
    pod = speaking_pod("logged-driver", place.image)
    assert place.kube.create({**pod, "metadata": {**pod["metadata"], "namespace": place.namespace}})
    write_status(place.kube, job, phase="Running", driver={"job": "logged-1", "pod": "logged-driver"})
    assert place.ok("job", "logs", "logged", "-f").split() == ["0", "1", "2"]
    assert place.ok("job", "logs", "logged", "--tail", "1").split() == ["2"]


def speaking_pod(name: str, image: str) -> Object:
    """Says three numbers, a second apart."""
    script = "import time\nfor n in range(3):\n    print(n, flush=True)\n    time.sleep(1)"
    container = {
        "name": "driver",
        "image": image,
        "args": ["python", "-c", script],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    locked = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"restartPolicy": "Never", "securityContext": locked, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def test_a_schedule_is_submitted_run_now_and_deleted_with_its_jobs(place: Place, tmp_path: Path) -> None:
    kube = place.kube
    spec = {**SPEC, "input": {**SPEC["input"], "since": "LastSuccess"}, "output": {"uri": "s3://b/{scheduledTime}"}}
    path = written(tmp_path, "nightly", spec)
    for words in ("is submitted", "exists already"):
        done = place.run("schedule", "submit", path, "--schedule", "0 3 30 2 *", "--time-zone", "Europe/Vienna")
        assert done.returncode == 0 and words in done.stderr, done.stderr
    assert "with another spec" in place.fails(2, "schedule", "submit", path, "--schedule", "@yearly")
    place.ok("schedule", "suspend", "nightly")
    (listed,) = json.loads(place.ok("schedule", "list", "--json"))["schedules"]
    assert (listed["schedule"], listed["timeZone"], listed["suspend"]) == ("0 3 30 2 *", "Europe/Vienna", True)
    place.ok("schedule", "resume", "nightly")
    assert "nightly" in place.ok("schedule", "list")
    assert "0 3 30 2 * in Europe/Vienna, Forbid" in place.ok("schedule", "status", "nightly")
    done = place.run("schedule", "run", "nightly")
    assert done.returncode == 0, done.stderr
    (job,) = [each for each in kube.select("ScoringJob") if each["metadata"]["name"].startswith("nightly-")]
    assert job["metadata"]["ownerReferences"][0]["name"] == "nightly"
    assert job["spec"]["output"]["uri"].startswith("s3://b/2") and "since" not in job["spec"]["input"]
    assert "notScoredBy" not in job["spec"]["input"], "no run came before it"
    assert "is deleted" in place.ok("schedule", "delete", "nightly")
    assert until(lambda: kube.get("ScoringJob", job["metadata"]["name"]) is None, 60)
