"""What is decided, in each state that a job can be seen in."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest

from scoremill.kubernetes import diagnosis, objects
from scoremill.kubernetes.objects import Resource
from scoremill.naming import spec_hash
from scoremill.spec import JobSpec
from scoremill.spec.resources.status import JobStatus
from scoremill_operator.reconcile.decide import decide
from scoremill_operator.reconcile.observed import Create, Decision, Delete, Observed, OperatorSettings, Patch
from scoremill_operator.reconcile.policies.retry import backoff_seconds

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
SETTINGS = OperatorSettings("runner:1", issue=lambda *_: objects.Certificates("ca", "certificate", "key"))
ANYTHING = replace(SETTINGS, templates="Any")


def ago(seconds: float) -> str:
    return (NOW - dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def resource(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    asked = {"model": {"uri": "s3://m/tips"}, "input": {"uris": ["s3://in/*.csv"]}, "output": {"uri": "s3://out/tips"}}
    return {
        "apiVersion": "scoremill.dev/v1alpha1",
        "kind": "ScoringJob",
        "metadata": {
            "name": "tips",
            "namespace": "ml",
            "uid": "uid-of-job",
            "generation": 1,
            "resourceVersion": "7",
            "creationTimestamp": ago(3000),
        },
        "spec": asked | spec,
        **({"status": status} if status else {}),
    }


def observed(job: dict[str, Any], *rest: Any, **more: Any) -> Observed:
    """What is observed of a job as the API gives it."""
    return Observed(Resource.of(job), *rest, **more)


CHILD = objects.child_of(Resource.of(resource()))
OF_DRIVER = [
    "Secret",
    "NetworkPolicy",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "NetworkPolicy",
    "Job",
]
"""What is created for each driver, also if an earlier one had it: a user might have removed it."""


def started(phase: str, since: float = 60, **fields: Any) -> dict[str, Any]:
    return {
        "phase": phase,
        "attempt": 1,
        "failedAttempts": 0,
        "startTime": ago(since),
        "observedGeneration": 1,
        **fields,
    }


def planned(phase: str = "Starting", since: float = 60, asked: float = 30, **fields: Any) -> dict[str, Any]:
    """The status of a job whose driver has made its plan and asks for its cluster."""
    attempt = fields.get("attempt", 1)
    progress = {"attempt": attempt, "stage": "WaitingForCluster", "progressTime": ago(asked), "updateTime": ago(asked)}
    return started(phase, since, **{"progress": progress, **fields})


def cluster(registered: int | None = 1, *, is_going: bool = False) -> diagnosis.ObservedCluster:
    metadata = {"name": CHILD, "uid": "uid-of-cluster"} | ({"deletionTimestamp": ago(1)} if is_going else {})
    workers = {"spec": {"containers": [{"name": "worker", "image": "runner:1"}]}}
    made = {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": metadata,
        "spec": {"worker": workers},
    }
    deployments = (Resource("Deployment", "a"), Resource("Deployment", "b"))
    return diagnosis.ObservedCluster(Resource.of(made), 60, 1, registered, deployments=deployments)


def pod(state: str = "running", phase: str = "Running", **more: Any) -> dict[str, Any]:
    times = {"running": {"startedAt": ago(50)}, "waiting": {}}.get(state, {})
    status = {
        "phase": phase,
        "containerStatuses": [{"name": "driver", "image": "runner:1", "state": {state: times | more}}],
    }
    labels = {"batch.kubernetes.io/job-name": f"{CHILD}-1", "app.kubernetes.io/component": "driver"}
    return {"metadata": {"name": "driver-x", "labels": labels, "creationTimestamp": ago(55)}, "status": status}


def old(seconds: float, state: str = "running", phase: str = "Running") -> dict[str, Any]:
    """The pod of a driver, created that long ago."""
    found = pod(state, phase, **({"startedAt": ago(seconds)} if state == "running" else {}))
    found["metadata"]["creationTimestamp"] = ago(seconds)
    return found


def driver(*pods: dict[str, Any], end: str | None = None, attempt: int = 1, **condition: Any) -> diagnosis.Driver:
    conditions = [{"type": end, "status": "True", **condition}] if end else []
    name, uid = f"{CHILD}-{attempt}", f"uid-of-driver-{attempt}"
    job = Resource("Job", name, uid=uid, status={"conditions": conditions})
    return diagnosis.Driver(name, job, tuple(Resource.of(pod, "Pod") for pod in pods))


def ended(code: int, reason: str = "Error", reported: Any = None, **message: Any) -> diagnosis.Driver:
    text = reported if reported is not None else json.dumps({"exitCode": code, **message})
    left = pod("terminated", "Failed" if code else "Succeeded", exitCode=code, reason=reason, message=text)
    return driver(left, end="Failed" if code else "Complete")


def with_pod(driver: diagnosis.Driver, **changes: Any) -> diagnosis.Driver:
    (pod,) = driver.pods
    return replace(driver, pods=(replace(pod, **changes),))


def look(
    job: dict[str, Any], *drivers: diagnosis.Driver, at: diagnosis.ObservedCluster | None = None, **more: Any
) -> Decision:
    return decide(observed(job, NOW, SETTINGS, drivers, at, **more))


def status(decision: Decision) -> JobStatus:
    assert decision.status is not None and "progress" not in decision.status
    return JobStatus.model_validate(decision.status)


def made(decision: Decision) -> list[str]:
    return [action.manifest["kind"] for action in decision.actions if isinstance(action, Create)]


def removed(decision: Decision) -> list[str]:
    return [action.uid for action in decision.actions if isinstance(action, Delete)]


def true(decision: Decision) -> set[str]:
    return {each.type for each in status(decision).conditions if each.status == "True"}


# --- children


def test_new_job_gets_a_status_before_any_action() -> None:
    first = look(resource())
    assert (status(first).phase, first.actions, first.requeue_after) == ("Planning", (), 0)
    assert status(first).spec_hash == spec_hash(resource()["spec"]) and status(first).start_time == NOW
    assert true(first) == {"Reconciling"} and [event.reason for event in first.events] == ["Planning"]


def test_reconcile_without_changes_writes_nothing() -> None:
    job = resource(planned("Running"))
    first = look(job, driver(pod()), at=cluster())
    job["status"] = {**(first.status or {}), "progress": job["status"]["progress"]}
    again = look(job, driver(pod()), at=cluster())
    assert again == Decision(requeue_after=again.requeue_after)


def test_outdated_observation_creates_and_deletes_nothing() -> None:
    # The status, written on the version that was seen, goes first even if it is unchanged.
    job = resource(started("Planning"))
    job["status"] = look(job).status
    assert look(job).status == job["status"] and made(look(job))
    assert look(job).events == ()


def test_the_driver_is_created_before_any_cluster_after_all_that_it_needs() -> None:
    decision = look(resource(started("Planning")))
    assert (status(decision).phase, made(decision)) == ("Planning", OF_DRIVER)


@pytest.mark.parametrize(
    "progress",
    [None, {"attempt": 1, "stage": "Planning"}, {"attempt": 1}, {"attempt": 7, "stage": "WaitingForCluster"}],
)
def test_no_cluster_is_created_while_the_driver_plans(progress: dict[str, Any] | None) -> None:
    fields = {"progress": progress} if progress else {}
    decision = look(resource(started("Planning", **fields)), driver(pod()))
    assert (status(decision).phase, made(decision), removed(decision)) == ("Planning", [], [])
    assert [each.reason for each in status(decision).conditions] == ["DriverPlans"]


@pytest.mark.parametrize(("code", "phase"), [(2, "Failed"), (3, "Failed"), (5, "Retrying"), (6, "Retrying")])
def test_a_job_that_fails_while_it_is_planned_never_has_a_cluster(code: int, phase: str) -> None:
    before = look(resource(started("Planning")), driver(pod("waiting", "Pending"))).status
    decision = look(resource(before), ended(code))
    assert (status(decision).phase, decision.actions, status(decision).cluster) == (phase, (), None)


@pytest.mark.parametrize("stage", ["WaitingForCluster", "Scoring"])
def test_the_cluster_is_created_once_the_driver_asks_for_it(stage: str) -> None:
    job = resource(planned("Planning", progress={"attempt": 1, "stage": stage}))
    decision = look(job, driver(pod()))
    assert (status(decision).phase, made(decision)) == ("Starting", ["DaskCluster"])


@pytest.mark.parametrize(
    ("workers", "registered", "is_ready"),
    [
        ({"workers": 1}, None, False),
        ({"workers": 1}, 0, False),
        ({"workers": 1}, 1, True),
        ({"workers": 8}, 1, True),
        ({"workers": 0, "maxWorkers": 4}, None, False),
        ({"workers": 0, "maxWorkers": 4}, 0, True),
        ({"workers": 2, "maxWorkers": 4}, 0, False),
    ],
)
def test_the_driver_scores_once_the_scheduler_and_a_first_worker_are_ready(
    workers: Any, registered: Any, is_ready: bool
) -> None:
    job = resource(planned(), cluster=workers)
    decision = look(job, driver(pod()), at=cluster(registered))
    assert "Job" not in made(decision) and "DaskCluster" not in made(decision)
    assert status(decision).phase == ("Running" if is_ready else "Starting")


def test_a_run_stays_one_while_its_cluster_has_no_worker_for_a_while() -> None:
    for at in (cluster(None), cluster(0)):
        decision = look(resource(planned("Running")), driver(pod()), at=at)
        assert (status(decision).phase, decision.actions) == ("Running", ())


def test_a_next_attempt_plans_too_and_uses_the_cluster_that_is_there() -> None:
    job = resource(started("Planning", attempt=2, progress={"attempt": 1, "stage": "Scoring"}))
    again = driver(pod(), attempt=2)
    assert status(look(job, again, at=cluster())).phase == "Planning"
    job["status"]["progress"]["attempt"] = 2
    decision = look(job, again, at=cluster())
    assert (status(decision).phase, made(decision)) == ("Running", [])


def images(of: Decision) -> dict[str, str]:
    """The images of the containers of drivers and workers that are created, by kind."""
    found = {}
    for each in (action.manifest for action in of.actions if isinstance(action, Create)):
        if each["kind"] == "Job":
            found["Job"] = each["spec"]["template"]["spec"]["containers"][0]["image"]
        if each["kind"] == "DaskCluster":
            found["DaskCluster"] = each["spec"]["worker"]["spec"]["containers"][0]["image"]
    return found


def created(decision: Decision, kind: str) -> Any:
    (found,) = [
        each.manifest for each in decision.actions if isinstance(each, Create) and each.manifest["kind"] == kind
    ]
    return found


def job_of(before: Decision) -> diagnosis.Driver:
    """The driver whose Job was created, and runs."""
    made = created(before, "Job")
    job = replace(Resource.of(made), uid="uid")
    return diagnosis.Driver(job.name, job, (Resource.of(pod(), "Pod"),))


def test_a_cluster_has_the_image_of_its_driver_whatever_is_the_default_by_now() -> None:
    before, now = replace(SETTINGS, image="runner:0"), SETTINGS
    first = decide(observed(resource(started("Planning")), NOW, before))
    then = decide(observed(resource(planned()), NOW, now, (job_of(first),)))
    assert (images(first), images(then)) == ({"Job": "runner:0"}, {"DaskCluster": "runner:0"})


def test_a_driver_has_the_image_of_a_cluster_that_an_earlier_attempt_left() -> None:
    before = replace(SETTINGS, image="runner:0")
    job = resource(started("Planning", attempt=2))
    left = Resource.of(objects.job_cluster(Resource.of(job), JobSpec.model_validate(job["spec"]), before.image))
    assert images(look(job, at=replace(cluster(), cluster=left))) == {"Job": "runner:0"}


def test_driver_and_workers_have_the_image_that_a_job_gives_its_workers() -> None:
    template = {"spec": {"worker": {"spec": {"containers": [{"name": "worker", "image": "mine:3"}]}}}}
    for asked in ({"template": template}, {"template": template, "image": "mine:2"}):
        first = decide(observed(resource(started("Planning"), cluster=asked), NOW, ANYTHING))
        then = decide(observed(resource(planned(), cluster=asked), NOW, ANYTHING, (job_of(first),)))
        assert (images(first), images(then)) == ({"Job": "mine:3"}, {"DaskCluster": "mine:3"})


def test_autoscaler_of_a_range_is_created_once() -> None:
    job = resource(planned(), cluster={"workers": 0, "maxWorkers": 4})
    assert made(look(job, driver(pod()), at=cluster(None))) == ["DaskAutoscaler"]
    there = Resource("DaskAutoscaler", CHILD, spec={"minimum": 0, "maximum": 4})
    assert made(look(job, driver(pod()), at=cluster(None), autoscaler=there)) == []
    assert made(look(resource(planned()), driver(pod()), at=cluster(None))) == []


SCALER = Resource("DaskAutoscaler", CHILD, uid="uid-of-scaler", spec={"cluster": CHILD, "minimum": 0, "maximum": 4})


@pytest.mark.parametrize(
    ("workers", "replicas", "scaler", "expected"),
    [
        ({"workers": 2}, 2, None, ()),
        (
            {"workers": 5},
            2,
            None,
            (Patch("DaskWorkerGroup", f"{CHILD}-default", {"spec": {"worker": {"replicas": 5}}}),),
        ),
        ({"workers": 5}, 2, SCALER, (Delete("DaskAutoscaler", CHILD, "uid-of-scaler"),)),
        ({"workers": 0, "maxWorkers": 4}, 2, SCALER, ()),
        (
            {"workers": 1, "maxWorkers": 9},
            2,
            SCALER,
            (Patch("DaskAutoscaler", CHILD, {"spec": {"minimum": 1, "maximum": 9}}),),
        ),
    ],
)
def test_a_job_that_runs_is_scaled_to_the_workers_that_its_spec_has_by_now(
    workers: Any, replicas: int, scaler: Any, expected: Any
) -> None:
    job = resource(planned("Running", specHash=spec_hash(resource(cluster={"workers": 2})["spec"])), cluster=workers)
    job["metadata"]["generation"] = 2
    at = replace(cluster(), workers=replicas, group=Resource("DaskWorkerGroup", "any"))
    decision = look(job, driver(pod()), at=at, autoscaler=scaler)
    assert (status(decision).phase, decision.actions) == ("Running", expected)


def test_a_group_that_is_not_there_yet_is_scaled_later() -> None:
    job = resource(planned("Running"), cluster={"workers": 5})
    assert look(job, driver(pod()), at=replace(cluster(), workers=2)).actions == ()


def test_a_driver_that_somebody_removed_comes_again_when_no_pod_of_it_is_left() -> None:
    job = resource(started("Running"))
    orphans = diagnosis.drivers_of([], [Resource.of(pod(), "Pod")])
    assert made(look(job, *orphans, at=cluster())) == []
    assert made(look(job, at=cluster())) == OF_DRIVER


def test_driver_is_not_created_while_one_of_another_attempt_is_alive() -> None:
    other = driver(pod(), attempt=7)
    decision = look(resource(started("Planning")), other, at=cluster())
    assert (made(decision), removed(decision)) == ([], ["uid-of-driver-7"])


def test_a_driver_has_what_is_left_of_the_runs_time() -> None:
    job = resource(started("Planning", since=100), deadlines={"activeSeconds": 3600})
    assert created(look(job), "Job")["spec"]["activeDeadlineSeconds"] == 3500


def test_a_cluster_that_is_removed_under_a_driver_is_created_again() -> None:
    job = resource(planned("Running"))
    assert look(job, driver(pod()), at=cluster(is_going=True)).actions == ()
    again = look(job, driver(pod()))
    assert (status(again).phase, made(again)) == ("Running", ["DaskCluster"])


def test_status_reports_what_the_job_waits_for() -> None:
    stuck = pod("waiting", "Pending", reason="ImagePullBackOff", message="no such image")
    decision = look(resource(started("Planning")), driver(stuck))
    reported = status(decision).cluster
    assert reported and reported.waiting and reported.waiting.startswith("ImagePull: the driver (pod driver-x)")
    for job, drivers in ((resource(started("Planning")), []), (resource(planned()), [driver(pod())])):
        reported = status(look(job, *drivers, refused="DaskCluster tips: exceeded quota")).cluster
        assert reported and reported.waiting and "exceeded quota" in reported.waiting
    reported = status(look(resource(planned()), driver(pod()), at=cluster(None))).cluster
    assert reported and reported.waiting == "Scheduler: the scheduler is not ready"


# --- the end


def test_success_is_a_driver_that_ended_with_0() -> None:
    end = ended(0, rows={"total": 10, "scored": 9, "rejected": 1}, modelDigest="sha256:0", outputs={"report": "s3://r"})
    decision = look(resource(started("Running")), end, at=cluster())
    seen = status(decision)
    assert (seen.phase, true(decision), decision.actions) == ("Complete", {"Complete", "Finished"}, ())
    assert seen.rows and (seen.rows.total, seen.rows.scored, seen.rows.rejected) == (10, 9, 1)
    assert seen.model and seen.model.digest == "sha256:0" and seen.outputs and seen.outputs.report == "s3://r"


@pytest.mark.parametrize("odd", [{"rows": "many"}, {"modelDigest": 3}, {"outputs": {"report": []}}, {"rows": [1]}])
def test_invalid_termination_message_ends_the_job_like_any_other(odd: dict[str, Any]) -> None:
    assert status(look(resource(started("Running")), ended(0, **odd), at=cluster())).phase == "Complete"
    failing = look(resource(started("Running")), ended(3, **odd, message=["x"], hint=4), at=cluster())
    assert status(failing).phase == "Failed"


@pytest.mark.parametrize("phase", ["Planning", "Starting", "Running", "Suspending", "Retrying"])
def test_a_success_counts_whatever_else_is_asked_by_then(phase: str) -> None:
    job = resource(started(phase, since=9000), suspend=True, deadlines={"activeSeconds": 60})
    assert status(look(job, ended(0), at=cluster())).phase == "Complete"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (2, "Usage"),
        (3, "DoesNotFit"),
        (4, "TooManyRejectedRows"),
        (7, "VerificationFailed"),
        (6, "NoProgress"),
        (6, "ActiveDeadline"),
    ],
)
def test_what_the_data_or_the_user_did_is_not_tried_again(code: int, reason: str) -> None:
    error = {"NoProgress": "StallError", "ActiveDeadline": "DeadlineError"}.get(reason, "FitError")
    decision = look(resource(started("Running")), ended(code, error=error, message="why", hint="so"), at=cluster())
    seen = status(decision)
    assert (seen.phase, true(decision), decision.actions) == ("Failed", {"Failed", "Stalled", "Finished"}, ())
    assert seen.failure and (seen.failure.reason, seen.failure.exit_code) == (reason, code)
    assert (seen.failure.message, seen.failure.hint) == ("why", "so")


@pytest.mark.parametrize(
    ("end", "reason", "code"),
    [
        (ended(1), "DriverFailed", 1),
        (ended(5), "StorageFailed", 5),
        (ended(6), "ClusterFailed", 6),
        (ended(6, error="LeaseError"), "OutputBusy", 6),
        (ended(130), "DriverFailed", 130),
        (ended(5, reported="Traceback …\nMemoryError"), "StorageFailed", 5),
        (driver(end="Failed", reason="BackoffLimitExceeded"), "DriverLost", None),
    ],
)
def test_other_failures_are_tried_again_until_the_limit(end: diagnosis.Driver, reason: str, code: int | None) -> None:
    retrying = look(resource(started("Running"), retry={"backoffLimit": 1}), end, at=cluster())
    seen = status(retrying)
    assert (seen.phase, seen.failed_attempts, true(retrying)) == ("Retrying", 1, {"Reconciling"})
    assert seen.failure and (seen.failure.reason, seen.failure.exit_code) == (reason, code)
    assert seen.retry_time and 8 <= (seen.retry_time - NOW).total_seconds() <= 12
    last = look(resource(started("Running", failedAttempts=1), retry={"backoffLimit": 1}), end, at=cluster())
    assert status(last).phase == "Failed" and [event.reason for event in last.events] == [reason]


def a_worker(**state: Any) -> Resource:
    """A worker's pod of 600 MiB."""
    limits = {"limits": {"memory": "600Mi"}}
    return Resource(
        "Pod",
        "worker-x",
        labels={"dask.org/component": "worker"},
        spec={"containers": [{"name": "worker", "resources": limits}]},
        status={"containerStatuses": [{"name": "worker", "restartCount": 2, **state}]},
    )


KILLED = {"lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, "state": {"running": {}}}


def test_workers_that_die_of_memory_on_one_partition_end_the_job_with_the_kubelets_word() -> None:
    at = replace(cluster(), pods=(a_worker(**KILLED), a_worker(state={"running": {}})))
    end = ended(6, error="KilledWorkerError", message="3 workers died while scoring partition 0")
    decision = look(resource(planned("Running")), end, at=at)
    seen = status(decision)
    assert seen.phase == "Failed" and seen.failure and seen.failure.reason == "WorkerOutOfMemory"
    assert seen.failure.message == (
        "3 workers died while scoring partition 0; the kubelet reports OOMKilled for worker pod worker-x, "
        "whose memory limit is 600 MiB"
    )
    assert "cluster.memory" in str(seen.failure.hint)
    assert [event.reason for event in decision.events] == ["WorkerOutOfMemory"]


def test_workers_that_die_without_a_word_of_the_kubelet_are_no_memory() -> None:
    end = ended(6, error="KilledWorkerError", message="3 workers died")
    for state in ({"state": {"running": {}}}, {"lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}):
        seen = status(look(resource(planned("Running")), end, at=replace(cluster(), pods=(a_worker(**state),))))
        assert seen.phase == "Retrying" and seen.failure and seen.failure.reason == "ClusterFailed"
        assert seen.failure.message == "3 workers died"


def test_killed_worker_is_reported_with_other_cluster_failures() -> None:
    at = replace(cluster(), pods=(a_worker(**KILLED),))
    seen = status(look(resource(planned("Running")), ended(6, error="ClusterError", message="lost"), at=at))
    assert (seen.phase, seen.failure and seen.failure.reason) == ("Retrying", "ClusterFailed")
    assert "OOMKilled for worker pod worker-x" in str(seen.failure)
    other = status(look(resource(planned("Running")), ended(5, message="503"), at=at))
    assert other.failure and other.failure.message == "503"


def test_a_partition_that_the_driver_saw_exceed_memory_is_not_tried_again() -> None:
    seen = status(look(resource(planned("Running")), ended(6, error="WorkerMemoryError", message="m"), at=cluster()))
    assert (seen.phase, seen.failure and seen.failure.reason) == ("Failed", "WorkerOutOfMemory")


@pytest.mark.parametrize(
    ("progress", "phase"),
    [
        (None, "Failed"),
        ({"attempt": 1, "stage": "Planning"}, "Failed"),
        ({"attempt": 1, "partitions": {"total": 9, "done": 4, "resumed": 4}}, "Failed"),
        ({"attempt": 0, "partitions": {"total": 9, "done": 4, "resumed": 0}}, "Failed"),
        ({"attempt": 1, "partitions": {"total": 9, "done": 5, "resumed": 4}}, "Retrying"),
    ],
)
def test_a_driver_out_of_memory_is_tried_again_only_if_it_had_finished_something(progress: Any, phase: str) -> None:
    limited = {"containers": [{"name": "driver", "resources": {"limits": {"memory": "1Gi"}}}]}
    killed = with_pod(ended(137, "OOMKilled"), spec=limited)
    seen = status(look(resource(started("Running", **({"progress": progress} if progress else {}))), killed))
    assert (seen.phase, seen.failure and seen.failure.reason) == (phase, "DriverOutOfMemory")
    assert seen.failure and seen.failure.message
    assert seen.failure.message.startswith("the driver was killed for exceeding its memory limit of 1 GiB (OOMKilled)")


def test_a_job_that_kubernetes_calls_complete_is_a_success_whatever_became_of_its_pod() -> None:
    assert status(look(resource(started("Running")), driver(end="Complete"), at=cluster())).phase == "Complete"
    done = ended(0, rows={"total": 3, "scored": 3, "rejected": 0})
    conditions = [{"type": "DisruptionTarget", "status": "True"}]
    drained = with_pod(done, status={**done.pods[0].status, "conditions": conditions})
    seen = status(look(resource(started("Running")), drained, at=cluster()))
    assert seen.phase == "Complete" and seen.rows and seen.rows.total == 3


def test_sidecar_of_the_driver_is_ignored() -> None:
    failed = ended(5)
    sidecar = {"name": "a-sidecar", "state": {"terminated": {"exitCode": 0, "message": ""}}}
    failed.pods[0].status["containerStatuses"].insert(0, sidecar)
    assert status(look(resource(started("Running")), failed, at=cluster())).phase == "Retrying"


def test_long_messages_are_truncated() -> None:
    for limit in (0, 1):
        job = resource(started("Running"), retry={"backoffLimit": limit})
        seen = status(look(job, ended(5, reported="x" * 40_000), at=cluster()))
        assert seen.failure and len(seen.failure.message or "") == 4096


def test_failure_keeps_the_location_of_the_logs() -> None:
    logs = f"s3://out/tips/_scoremill/logs/{CHILD}/"
    for code, phase in ((3, "Failed"), (5, "Retrying")):
        end = ended(code, outputs={"logs": logs, "report": "s3://of/another"})
        reported = status(look(resource(started("Running")), end, at=cluster())).outputs
        assert reported and reported.fields() == {"logs": logs}, phase
    killed = status(look(resource(started("Running", outputs={"logs": logs})), ended(137, "Error"), at=cluster()))
    assert killed.phase == "Retrying" and killed.outputs and killed.outputs.logs == logs
    odd = status(look(resource(started("Running")), ended(5, outputs={"logs": 3}), at=cluster()))
    assert odd.phase == "Retrying" and odd.outputs is None
    complete = status(look(resource(started("Running")), ended(0, outputs={"logs": logs}), at=cluster()))
    assert complete.outputs and complete.outputs.logs == logs


def test_a_pod_that_was_disrupted_is_no_failure() -> None:
    moved = pod("terminated", "Failed", exitCode=143)
    moved["status"]["conditions"] = [{"type": "DisruptionTarget", "status": "True"}]
    decision = look(resource(planned("Running", since=5000)), driver(moved), at=cluster())
    assert status(decision).phase == "Running", "nor does the deadline of a start apply to it"


def test_up_to_twenty_failed_objects_are_kept() -> None:
    failures = [{"uri": f"s3://in/{number}", "message": "torn"} for number in range(30)]
    assert (
        len(status(look(resource(started("Running")), ended(3, failedObjects=failures), at=cluster())).failed_objects)
        == 20
    )
    odd = look(resource(started("Running")), ended(3, failedObjects="nonsense"), at=cluster())
    assert status(odd).failed_objects == ()


# --- retries


def test_a_next_attempt_waits_for_its_time_and_has_a_new_cluster_if_the_last_one_failed() -> None:
    failure = {"reason": "ClusterFailed", "message": "lost", "exitCode": 6}
    early = started("Retrying", failedAttempts=1, failure=failure, retryTime=ago(-30))
    assert removed(look(resource(early), ended(6), at=cluster())) == ["uid-of-cluster"]
    due = {**early, "retryTime": ago(1)}
    assert status(look(resource(due), ended(6), at=cluster(is_going=True))).phase == "Retrying"
    then = status(look(resource(due), ended(6)))
    assert (then.phase, then.attempt, then.retry_time) == ("Planning", 2, NOW)


def test_a_next_attempt_keeps_a_cluster_that_did_not_fail() -> None:
    failure = {"reason": "StorageFailed", "message": "503", "exitCode": 5}
    job = resource(started("Retrying", failedAttempts=1, failure=failure, retryTime=ago(1)))
    then = look(job, ended(5), at=cluster())
    assert (status(then).attempt, then.actions) == (2, ())


def test_backoff_doubles_up_to_five_minutes_and_is_the_same_each_time() -> None:
    waits = [backoff_seconds("uid", attempt, attempt) for attempt in range(1, 9)]
    for wait, middle in zip(waits, [10, 20, 40, 80, 160, 300, 300, 300], strict=True):
        assert 0.8 * middle - 1 <= wait <= 1.2 * middle + 1
    assert waits == [backoff_seconds("uid", attempt, attempt) for attempt in range(1, 9)]
    assert len({backoff_seconds(str(uid), 6, 6) for uid in range(20)}) > 10


# --- deadlines


@pytest.mark.parametrize(
    ("before", "drivers", "waits_for"),
    [
        (started("Planning", since=901), [], "the operator is creating the driver"),
        (started("Planning", since=901), [driver(old(901, "waiting", "Pending"))], "the driver's pod is starting"),
        (planned(since=5000, asked=901), [driver(old(4000))], "the scheduler is not ready"),
    ],
)
def test_a_start_that_takes_too_long_fails_with_what_it_waited_for(
    before: dict[str, Any], drivers: list[diagnosis.Driver], waits_for: str
) -> None:
    at = cluster(None) if "progress" in before else None
    seen = status(look(resource(before), *drivers, at=at))
    assert seen.failure and (seen.failure.reason, seen.failure.exit_code) == ("PreRunningDeadline", 6)
    assert waits_for in (seen.failure.message or "")


def test_a_driver_that_was_moved_while_it_planned_has_its_time_again() -> None:
    moved = pod("terminated", "Failed", exitCode=143)
    moved["status"]["conditions"] = [{"type": "DisruptionTarget", "status": "True"}]
    seen = status(look(resource(started("Planning", since=5000)), driver(moved, pod("waiting", "Pending"))))
    assert seen.phase == "Planning"


def test_a_start_has_its_time_for_the_driver_and_again_for_the_cluster() -> None:
    assert status(look(resource(started("Planning", since=899)))).phase == "Planning"
    late = resource(planned(since=5000, asked=899))
    assert status(look(late, driver(pod()), at=cluster(None))).phase == "Starting"


def test_plan_can_take_as_long_as_a_partition() -> None:
    old = pod(startedAt=ago(1000))
    old["metadata"]["creationTimestamp"] = ago(1010)
    for seconds, phase in ((1000, "Planning"), (900, "Failed")):
        job = resource(started("Planning", since=1020), deadlines={"noProgressSeconds": seconds})
        seen = status(look(job, driver(old)))
        assert seen.phase == phase
    assert seen.failure and seen.failure.reason == "NoProgress" and "plan" in str(seen.failure.message)


def test_a_further_attempt_has_its_own_time_to_start() -> None:
    job = resource(started("Planning", since=5000, attempt=2, retryTime=ago(10)))
    assert status(look(job)).phase == "Planning"


def test_next_attempt_does_not_wait_without_limit_for_the_deletion_of_the_last_cluster() -> None:
    failure = {"reason": "ClusterFailed", "message": "lost", "exitCode": 6}
    job = resource(started("Retrying", since=5000, failedAttempts=1, failure=failure, retryTime=ago(899)))
    assert status(look(job, ended(6), at=cluster(is_going=True))).phase == "Retrying"
    job["status"]["retryTime"] = ago(901)
    # The driver of the attempt before is no driver of the next.
    job["status"]["attempt"] = 2
    seen = status(look(job, ended(6), at=cluster(is_going=True)))
    assert seen.failure and seen.failure.reason == "PreRunningDeadline" and "ClusterGoes" in str(seen.failure.message)


def test_what_an_operator_did_not_see_is_no_fault_of_the_job() -> None:
    ready = resource(started("Planning", since=5000))
    stale = {"attempt": 1, "stage": "Scoring", "updateTime": ago(4000), "progressTime": ago(4000)}
    silent = resource(started("Running", since=5000, progress=stale))
    old = pod(startedAt=ago(4500))
    old["metadata"]["creationTimestamp"] = ago(4500)
    early, late = (NOW - dt.timedelta(seconds=seconds) for seconds in (10, 130))
    assert made(look(ready, since=early)) == OF_DRIVER
    assert status(look(silent, driver(old), at=cluster(), since=early)).phase == "Running"
    assert status(look(silent, driver(old), at=cluster(), since=late)).failure.reason == "NoProgress"
    # One that has ended in the meantime is judged by its end.
    assert status(look(silent, ended(5), at=cluster(), since=late)).phase == "Retrying"


@pytest.mark.parametrize("phase", ["Planning", "Starting", "Running", "Retrying"])
def test_a_run_that_takes_too_long_fails(phase: str) -> None:
    job = resource(started(phase, since=61), deadlines={"activeSeconds": 60})
    seen = status(look(job, driver(pod()), at=cluster()))
    assert seen.failure and seen.failure.reason == "ActiveDeadline"


def test_a_driver_that_kubernetes_stopped_at_the_deadline_did_not_fail_by_itself() -> None:
    end = replace(ended(130), job=driver(end="Failed", reason="DeadlineExceeded").job)
    seen = status(look(resource(started("Running")), end, at=cluster()))
    assert seen.phase == "Failed" and seen.failure and seen.failure.reason == "ActiveDeadline"


@pytest.mark.parametrize(
    ("progress", "fails"),
    [
        ({"attempt": 1, "stage": "Scoring", "progressTime": ago(200)}, True),
        ({"attempt": 1, "stage": "Scoring", "progressTime": ago(100)}, False),
        ({"attempt": 1, "stage": "Scoring"}, True),
        ({"attempt": 0, "stage": "Scoring", "progressTime": ago(1)}, True),
    ],
)
def test_a_driver_that_finishes_nothing_fails(progress: dict[str, Any], fails: bool) -> None:
    old = pod(startedAt=ago(1000))
    old["metadata"]["creationTimestamp"] = ago(1010)
    job = resource(started("Running", since=1200, progress=progress), deadlines={"noProgressSeconds": 100})
    assert (status(look(job, driver(old), at=cluster())).phase == "Failed") == fails


def test_the_time_in_which_the_cluster_started_is_none_without_progress() -> None:
    old = pod(startedAt=ago(1000))
    old["metadata"]["creationTimestamp"] = ago(1010)
    for since, phase in ((10, "Running"), (500, "Failed")):
        runs = {"type": "Running", "status": "True", "lastTransitionTime": ago(since)}
        job = resource(planned("Running", 1200, asked=900, conditions=[runs]), deadlines={"noProgressSeconds": 100})
        assert status(look(job, driver(old), at=cluster())).phase == phase


def test_next_reconcile_is_at_the_next_deadline() -> None:
    job = resource(planned("Running", since=100), deadlines={"activeSeconds": 160})
    assert look(job, driver(pod()), at=cluster()).requeue_after == 60


# --- suspension


def test_a_job_that_is_suspended_from_the_beginning_makes_nothing() -> None:
    decision = look(resource(suspend=True))
    assert (status(decision).phase, true(decision), decision.actions) == ("Suspended", {"Suspended"}, ())


def test_suspension_stops_the_driver_then_the_cluster_and_counts_nothing() -> None:
    job = resource(started("Running", failedAttempts=1), suspend=True)
    first = look(job, driver(pod()), at=cluster())
    assert (status(first).phase, removed(first)) == ("Suspending", ["uid-of-driver-1"])
    job["status"] = first.status
    second = look(job, at=cluster())
    assert (status(second).phase, removed(second)) == ("Suspending", ["uid-of-cluster"])
    assert look(job, at=cluster(is_going=True)).actions == ()
    last = look(job)
    assert (status(last).phase, status(last).failed_attempts, true(last)) == ("Suspended", 0, {"Suspended"})
    resumed = look(resource(last.status))
    assert (status(resumed).phase, status(resumed).attempt, status(resumed).start_time) == ("Planning", 2, NOW)


def test_a_suspension_that_is_taken_back_ends_first() -> None:
    job = resource(started("Suspending"))
    assert removed(look(job, at=cluster())) == ["uid-of-cluster"]
    assert (status(look(job)).phase, look(job).requeue_after) == ("Suspended", 0)


# --- validation


def test_invalid_spec_is_reported_with_all_problems() -> None:
    decision = look(resource(input={"uris": [], "delimiter": ";"}))
    seen = status(decision)
    assert (seen.phase, true(decision), decision.actions) == (
        "Failed",
        {"Failed", "Stalled", "Invalid", "Finished"},
        (),
    )
    assert seen.failure and (seen.failure.reason, seen.failure.exit_code) == ("InvalidSpec", 2)
    assert "spec.input.uris" in (seen.failure.message or "") and "spec.input.delimiter" in (seen.failure.message or "")


def test_job_starts_after_its_invalid_spec_is_fixed() -> None:
    refused = look(resource(input={"uris": []}))
    job = resource(refused.status)
    # What another version of the operator understands begins nothing by itself.
    assert look(job) == Decision()
    job["metadata"]["generation"] = 2
    restarted = look(job)
    assert (status(restarted).phase, status(restarted).failure, status(restarted).start_time) == ("Planning", None, NOW)
    assert true(restarted) == {"Reconciling"} and status(restarted).completion_time is None
    job["spec"]["model"] = {}
    assert "spec.model" in str(status(look(job)).failure)


def test_failed_job_that_had_started_never_starts_again() -> None:
    failure = {"reason": "DoesNotFit", "message": "m", "exitCode": 3}
    job = resource(started("Failed", completionTime=ago(5), failure=failure))
    job["metadata"]["generation"] = 2
    assert look(job) == Decision()


def test_success_counts_even_if_the_spec_became_invalid() -> None:
    assert status(look(resource(started("Running"), input={"uris": []}), ended(0))).phase == "Complete"


@pytest.mark.parametrize(
    "template",
    [
        {"metadata": {"name": "mine"}},
        {"metadata": {"name": "cluster"}},
        {"metadata": {"namespace": "namespace"}},
        {"kind": "Mine"},
        {"apiVersion": "v2"},
    ],
)
def test_a_template_makes_no_other_object(template: dict[str, Any]) -> None:
    assert "Invalid" in true(decide(observed(resource(cluster={"template": template}), NOW, ANYTHING)))


@pytest.mark.parametrize(
    "template",
    [
        {"spec": 3},
        {"spec": None},
        {"spec": {"worker": {"spec": {"containers": "none"}}}},
        {"spec": {"worker": {"spec": {"containers": []}}}},
        {"spec": {"worker": {"spec": {"containers": [{"name": "worker", "image": None}]}}}},
    ],
)
def test_a_template_that_makes_no_cluster_is_not_understood(template: dict[str, Any]) -> None:
    assert "Invalid" in true(decide(observed(resource(cluster={"template": template}), NOW, ANYTHING)))


@pytest.mark.parametrize("levels", [60, 1500])
def test_a_spec_that_is_nested_too_deep_is_refused_once(levels: int) -> None:
    template: dict[str, Any] = {}
    for _ in range(levels):
        template = {"a": template}
    decision = look(resource(cluster={"template": template}))
    assert "Invalid" in true(decision)
    assert status(decision).phase == "Failed"


@pytest.mark.parametrize(
    "asked",
    [
        {"serviceAccount": "operator"},
        {"template": {"spec": {"worker": {"spec": {"serviceAccountName": "operator"}}}}},
        {"template": {"spec": {"scheduler": {"spec": {"serviceAccount": "operator"}}}}},
        {"serviceAccount": "operator", "template": {"spec": {"worker": {"spec": {"serviceAccountName": "reader"}}}}},
    ],
)
def test_no_job_runs_as_an_account_that_is_reserved_in_its_namespace(asked: dict[str, Any]) -> None:
    for reserved, job, is_refused in (
        ("ml/operator", resource(cluster=asked), True),
        ("mill/operator", resource(cluster=asked), False),
        ("ml/operator", resource(cluster={"serviceAccount": "reader", "image": "operator"}), False),
    ):
        decision = decide(observed(job, NOW, replace(ANYTHING, reserved=frozenset({reserved}))))
        assert ("Invalid" in true(decision)) == is_refused
        assert status(decision).phase == ("Failed" if is_refused else "Planning") and not decision.actions


def test_a_secret_in_the_environment_is_refused_and_not_repeated() -> None:
    decision = look(resource(cluster={"env": {"DB_PASSWORD": "hunter2"}}))
    assert "Invalid" in true(decision) and "hunter2" not in repr(decision)


def test_a_spec_that_was_changed_after_the_start_ends_the_job() -> None:
    job = resource(planned("Running", specHash="0" * 64))
    job["metadata"]["generation"] = 2
    decision = look(job, driver(pod()), at=cluster())
    assert {"Failed", "SpecChanged"} <= true(decision)
    same = resource(started("Running", specHash=spec_hash(resource()["spec"])), suspend=False)
    assert "SpecChanged" not in true(look(same, driver(pod()), at=cluster()))


def test_new_defaults_of_the_same_generation_are_no_change() -> None:
    job = resource(planned("Running", specHash="0" * 64))
    decision = look(job, driver(pod()), at=cluster())
    assert status(decision).phase == "Running" and status(decision).spec_hash == spec_hash(job["spec"])


@pytest.mark.parametrize("managed_by", ["kueue.x-k8s.io/multikueue", "somebody.else/they"])
def test_the_job_of_another_is_left_alone(managed_by: str) -> None:
    assert look(resource(managedBy=managed_by)) == Decision()
    assert look(resource(managedBy="scoremill.dev/operator")).status


def test_a_job_that_is_being_deleted_is_left_to_kubernetes() -> None:
    job = resource(started("Running"))
    job["metadata"]["deletionTimestamp"] = ago(1)
    assert look(job, driver(pod()), at=cluster()) == Decision()


# --- cleanup


@pytest.mark.parametrize(
    ("phase", "cleanup", "goes"),
    [
        ("Complete", {}, True),
        ("Complete", {"onSuccess": "Keep"}, False),
        ("Failed", {}, False),
        ("Failed", {"onFailure": "Delete"}, True),
    ],
)
def test_the_cluster_goes_as_cleanup_says_and_the_end_is_not_written_again(
    phase: str, cleanup: dict[str, Any], goes: bool
) -> None:
    job = resource(started(phase, completionTime=ago(5)), cleanup=cleanup)
    decision = look(job, ended(0 if phase == "Complete" else 3), at=cluster())
    assert decision.status is None and removed(decision) == (["uid-of-cluster"] if goes else [])


def test_kept_cluster_is_deleted_when_idle_even_without_a_scheduler() -> None:
    job = resource(started("Failed", completionTime=ago(50)), cluster={"idleTimeoutSeconds": 60})
    assert look(job, at=cluster(None)) == Decision(requeue_after=10)
    job["status"]["completionTime"] = ago(60)
    assert removed(look(job, at=cluster(None))) == ["uid-of-cluster"]
    containers = [{"name": "scheduler", "restartCount": 0, "state": {"running": {}}}]
    ran = Resource("Pod", "s", labels={"dask.org/component": "scheduler"}, status={"containerStatuses": containers})
    assert look(job, at=replace(cluster(None), pods=(ran,))) == Decision()
    job["spec"]["cluster"]["idleTimeoutSeconds"] = 0
    assert look(job, at=cluster(None)) == Decision()


def test_a_driver_that_lives_at_the_end_goes_before_the_cluster() -> None:
    job = resource(started("Failed", completionTime=ago(5)), cleanup={"onFailure": "Delete"})
    assert removed(look(job, driver(pod()), at=cluster())) == ["uid-of-driver-1"]


def test_the_job_itself_goes_when_its_time_has_come() -> None:
    job = resource(started("Complete", completionTime=ago(50)), cleanup={"ttlSecondsAfterFinished": 60})
    assert look(job, ended(0)) == Decision(requeue_after=10)
    job["status"]["completionTime"] = ago(60)
    assert removed(look(job, ended(0))) == ["uid-of-job"]
