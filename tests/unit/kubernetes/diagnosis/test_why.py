"""Why a ScoringJob is in its state."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from scoremill.kubernetes.diagnosis import Cause, Driver, ObservedCluster, waits_for, why
from scoremill.kubernetes.objects import Resource
from scoremill.spec.resources.status import JobStatus

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def ago(seconds: float) -> str:
    return (NOW - dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def resource(age: float = 600, spec: dict[str, Any] | None = None, **status: Any) -> Resource:
    known = {"observedGeneration": 1, **status} if status else {}
    created = NOW - dt.timedelta(seconds=age)
    return Resource("ScoringJob", "tips", generation=1, created=created, spec=spec or {}, status=known)


def driver(state: dict[str, Any], phase: str = "Running") -> Driver:
    labels = {"app.kubernetes.io/component": "driver"}
    status = {"phase": phase, "containerStatuses": [{"name": "driver", "image": "runner:1", "state": state}]}
    return Driver("tips-1", Resource("Job", "tips-1", uid="1"), (Resource("Pod", "x", labels=labels, status=status),))


RUNNING = driver({"running": {}})
ASKED = {"phase": "Running", "attempt": 1, "driver": {"job": "tips-1"}}


def reason(job: Resource, *drivers: Driver, cluster: ObservedCluster | None = None) -> str | None:
    cause = why(job, NOW, cluster, drivers)
    return cause.reason if cause else None


def test_missing_operator_is_reported_after_a_delay() -> None:
    assert reason(resource(age=5)) == "Accepting"
    cause = why(resource(age=60), NOW)
    assert cause and cause.reason == "OperatorNotRunning" and "kubectl get pods" in (cause.hint or "")


def test_unreconciled_change_is_reported() -> None:
    cause = why(replace(resource(phase="Suspended"), generation=2), NOW)
    assert cause and cause.reason == "Accepting" and "change" in cause.evidence


def test_job_managed_by_another_controller_is_reported() -> None:
    cause = why(resource(spec={"managedBy": "somebody.else/they"}), NOW)
    assert cause and cause.reason == "ManagedBy" and "somebody.else/they" in cause.evidence


def test_failure_is_reported_with_its_hint() -> None:
    failure = {"reason": "StorageFailed", "message": "no such bucket", "hint": "Make it."}
    assert why(resource(phase="Failed", failure=failure), NOW) == Cause("StorageFailed", "no such bucket", "Make it.")


def test_wait_between_attempts_reports_failure_and_retry_time() -> None:
    failure = {"reason": "ClusterFailed", "message": "the scheduler was deleted", "exitCode": 6}
    cause = why(resource(phase="Retrying", attempt=1, failure=failure, retryTime=ago(-20)), NOW)
    assert cause and cause.reason == "ClusterFailed"
    assert (
        cause.evidence == "attempt 1 failed: the scheduler was deleted; the next attempt starts at 2026-11-21T12:00:20Z"
    )


@pytest.mark.parametrize("phase", ["Suspending", "Suspended"])
def test_suspended_job_is_reported(phase: str) -> None:
    assert reason(resource(phase=phase)) == "Suspended"


PLANNED = {
    "phase": "Starting",
    "attempt": 1,
    "driver": {"job": "tips-1"},
    "progress": {"attempt": 1, "stage": "WaitingForCluster", "updateTime": ago(5), "progressTime": ago(5)},
}


def test_a_plan_waits_for_the_driver_alone() -> None:
    assert reason(resource(phase="Planning", attempt=1)) == "DriverAsked"
    job = resource(phase="Planning", attempt=1, driver={"job": "tips-1"})
    assert reason(job, driver({}, "Pending")) == "DriverStarts"
    assert reason(job, RUNNING) == "Planning"


def test_what_a_plan_waits_for_is_what_the_driver_noted_last() -> None:
    progress = {
        "attempt": 1,
        "stage": "Planning",
        "updateTime": ago(5),
        "notes": ["a", "waiting: locked by another run"],
    }
    cause = why(
        resource(phase="Planning", attempt=1, driver={"job": "tips-1"}, progress=progress), NOW, None, [RUNNING]
    )
    assert cause == Cause("Planning", "waiting: locked by another run")


def test_a_start_waits_for_the_cluster() -> None:
    job = resource(**PLANNED)
    assert reason(job, RUNNING) == "ClusterAsked"
    cluster = Resource("DaskCluster", "tips")
    assert reason(job, RUNNING, cluster=ObservedCluster(cluster, 60, 1)) == "OperatorNotRunning", "dask-kubernetes' own"
    going = ObservedCluster(replace(cluster, is_deleting=True), 60, 1)
    assert reason(job, RUNNING, cluster=going) == "ClusterGoes"


@pytest.mark.parametrize("seconds", [5, 300])
def test_missing_driver_is_reported_after_a_delay(seconds: float) -> None:
    expected = "DriverAsked" if seconds == 5 else "OperatorNotRunning"
    assert reason(resource(phase="Planning", attempt=1, startTime=ago(seconds))) == expected
    assert reason(resource(phase="Planning", attempt=2, startTime=ago(5000), retryTime=ago(seconds))) == expected


def test_missing_cluster_is_reported_after_a_delay() -> None:
    progress = {**PLANNED["progress"], "progressTime": ago(300)}
    cause = why(resource(**{**PLANNED, "progress": progress}), NOW, None, [RUNNING])
    assert cause and cause.reason == "OperatorNotRunning" and "the DaskCluster has been missing" in cause.evidence


def test_a_driver_that_does_not_start_is_the_cause() -> None:
    stuck = driver({"waiting": {"reason": "ErrImagePull", "message": "no such image"}}, "Pending")
    cause = why(resource(**ASKED), NOW, None, [stuck])
    assert cause and cause.reason == "ImagePull" and cause.evidence.startswith("the driver (pod x)")
    assert reason(resource(**ASKED), driver({}, "Pending")) == "DriverStarts"


def test_a_driver_whose_pod_is_refused_is_the_cause() -> None:
    forbidden = 'Error creating: pods "tips-1-x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=4, limited: pods=4'
    events = ({"reason": "BackOff", "message": "-"}, {"reason": "FailedCreate", "message": forbidden})
    cause = why(resource(**ASKED), NOW, None, [Driver("tips-1", Resource("Job", "tips-1", uid="1"), events=events)])
    assert cause == Cause(
        "QuotaExceeded",
        "Kubernetes rejected the driver: exceeded quota: q, requested: pods=1, used: pods=4, limited: pods=4",
        "Request less (`spec.cluster.workers`, `spec.cluster.memory`, `spec.cluster.cpu`), or ask the cluster's administrator for a larger quota.",
    )


def test_rejection_in_the_status_is_reported() -> None:
    waiting = "Refused: Kubernetes rejected an object of the job: Job tips-1: exceeded quota: q"
    cause = why(resource(**ASKED, cluster={"name": "tips", "waiting": waiting}), NOW)
    assert (
        cause and cause.reason == "Refused" and cause.evidence.endswith("Job tips-1: exceeded quota: q") and cause.hint
    )


@pytest.mark.parametrize("code", [0, 5])
def test_a_driver_that_has_ended_does_not_start(code: int) -> None:
    assert reason(resource(**ASKED), driver({"terminated": {"exitCode": code}}, "Running")) == "DriverEnds"


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (None, "Planning"),
        ({"attempt": 1, "updateTime": ago(10), "workers": 4}, None),
        ({"attempt": 1, "updateTime": ago(500), "workers": 4}, "Silent"),
        ({"attempt": 1, "updateTime": ago(10), "workers": 0}, "NoWorkers"),
        ({"attempt": 0, "updateTime": ago(10), "workers": 4}, "Planning"),
    ],
)
def test_running_driver_is_explained_by_its_progress(progress: Any, expected: str | None) -> None:
    assert reason(resource(**ASKED, progress=progress), RUNNING) == expected


def test_a_running_driver_without_workers_waits_for_what_keeps_them_away() -> None:
    container = {
        "name": "worker",
        "image": "i",
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }
    last = {"lastState": {"terminated": {"exitCode": 1}}}
    pod = Resource("Pod", "w", status={"phase": "Running", "containerStatuses": [container | last]})
    made, deployments = Resource("DaskCluster", "tips"), (Resource("Deployment", "a"), Resource("Deployment", "b"))
    seen = ObservedCluster(made, 60, 1, 0, deployments=deployments, pods=(pod,), logs={"w": "no dask"})
    for progress in (None, {"attempt": 1, "updateTime": ago(10), "workers": 0}):
        cause = why(resource(**ASKED, progress=progress), NOW, seen, [RUNNING])
        assert (
            cause
            and cause.reason == "CrashLoop"
            and "no dask" in cause.evidence
            and "cluster.image" in (cause.hint or "")
        )
    works = {"attempt": 1, "updateTime": ago(10), "workers": 4}
    assert reason(resource(**ASKED, progress=works), RUNNING, cluster=seen) is None, "others work"
    starts = ObservedCluster(made, 60, 1, 0, deployments=deployments)
    progress = {"attempt": 1, "updateTime": ago(10), "workers": 0}
    assert reason(resource(**ASKED, progress=progress), RUNNING, cluster=starts) == "NoWorkers"


def test_unreconciled_end_of_the_driver_is_reported() -> None:
    ended = driver({"terminated": {"exitCode": 0}}, "Succeeded")
    progress = {"attempt": 1, "updateTime": ago(500), "workers": 4}
    for seconds, expected in ((5, "Accepting"), (300, "OperatorNotRunning")):
        conditions = [{"type": "Complete", "status": "True", "lastTransitionTime": ago(seconds)}]
        done = Driver("tips-1", Resource("Job", "tips-1", uid="1", status={"conditions": conditions}), ended.pods)
        cause = why(resource(**ASKED, progress=progress), NOW, None, [done])
        assert cause and (cause.reason, "with code 0" in cause.evidence) == (expected, True)


def test_rejection_is_reported_like_in_the_status() -> None:
    refused = waits_for(JobStatus(phase="Planning"), None, None, "pods is forbidden: exceeded quota")
    assert refused
    cluster = {"name": "c", "waiting": f"{refused.reason}: {refused.evidence}"}
    assert why(resource(phase="Starting", attempt=1, cluster=cluster), NOW) == refused
    runs = resource(**ASKED, cluster=cluster, progress={"attempt": 1, "updateTime": ago(10), "workers": 4})
    assert reason(runs, RUNNING) is None


def test_restarted_worker_that_was_killed_is_reported() -> None:
    killed = {
        "name": "worker",
        "ready": True,
        "state": {"running": {}},
        "lastState": {"terminated": {"reason": "OOMKilled"}},
    }
    pod = Resource(
        "Pod",
        "w",
        labels={"dask.org/component": "worker"},
        status={"containerStatuses": [killed]},
        spec={"containers": [{"name": "worker", "resources": {"limits": {"memory": "600Mi"}}}]},
    )
    job = resource(**ASKED, progress={"attempt": 1, "stage": "Scoring", "updateTime": ago(5), "workers": 1})
    up = ObservedCluster(Resource("DaskCluster", "tips"), 60, 1, 1, pods=(pod,))
    cause = why(job, NOW, up, [RUNNING])
    assert cause and cause.reason == "OOMKilled" and "pod w, whose memory limit is 600 MiB" in cause.evidence


def test_nothing_is_wrong_with_a_complete_job() -> None:
    assert why(resource(phase="Complete"), NOW) is None
