"""Why a cluster is not up: recorded from clusters on Kubernetes 1.34 (waits/*.yaml), and what those cannot show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoremill.kubernetes.diagnosis import Cause, ObservedCluster, diagnose
from scoremill.kubernetes.diagnosis.cause import diagnose_refusal
from scoremill.kubernetes.objects import Resource

WAITS = sorted((Path(__file__).parent / "waits").glob("*.yaml"))


def observed(fields: dict[str, Any]) -> ObservedCluster:
    """Parse what a file holds."""
    one = {key: Resource.of(fields[key]) for key in ("cluster", "group") if fields.get(key)}
    kinds = (key for key in ("deployments", "pods", "nodes") if key in fields)
    many = {key: tuple(map(Resource.of, fields[key])) for key in kinds}
    return ObservedCluster(**{**fields, "group": None, **one, **many})


def recorded(name: str) -> tuple[ObservedCluster, Cause | None]:
    content = yaml.safe_load((Path(__file__).parent / "waits" / f"{name}.yaml").read_text())
    return observed(content["seen"]), Cause(**content["cause"]) if content["cause"] else None


@pytest.mark.parametrize("name", [path.stem for path in WAITS])
def test_cause_of_a_recorded_wait_is_found(name: str) -> None:
    seen, cause = recorded(name)
    assert diagnose(seen) == cause


def up(**changes: Any) -> ObservedCluster:
    return replace(recorded("up")[0], **changes)


def reason(seen: ObservedCluster) -> str:
    cause = diagnose(seen)
    assert cause is not None
    return cause.reason


def test_a_cluster_without_workers_is_up_when_its_scheduler_answers() -> None:
    assert diagnose(up(workers=0, registered=0)) is None
    assert reason(up(workers=0, registered=None)) == "Scheduler"


def test_workers_that_have_not_registered_are_counted() -> None:
    assert diagnose(up(workers=4, registered=3)) == Cause("Workers", "3 of 4 workers have registered")


def test_missing_dask_operator_is_reported() -> None:
    fresh = up(registered=None, deployments=(), pods=(), age=1.0)
    assert reason(fresh) == "Accepting"
    assert reason(replace(fresh, age=60.0)) == "OperatorNotRunning"


def test_the_operator_refuses_the_cluster() -> None:
    assert (
        reason(up(registered=None, cluster=Resource("DaskCluster", "c", status={"phase": "Error"}))) == "InvalidCluster"
    )


def test_what_the_operator_cannot_make_is_in_its_notes() -> None:
    note = json.dumps(
        {"retries": 1, "success": False, "failure": False, "message": 'Deployment.apps "w" is invalid: x'}
    )
    group = Resource("DaskWorkerGroup", "c", annotations={"kopf.zalando.org/daskworkergroup_create": note, "a/b": "{"})
    seen = up(workers=1, registered=0, group=group)
    scheduler = tuple(each for each in seen.deployments if each.name.endswith("-scheduler"))
    cause = diagnose(replace(seen, deployments=scheduler))
    assert cause is not None
    assert cause.reason == "OperatorError" and cause.evidence.endswith('Deployment.apps "w" is invalid: x')
    assert reason(seen) == "Workers", "an old note of what is made by now says nothing"


def test_an_image_that_is_being_pulled_is_no_fault() -> None:
    seen, _ = recorded("image-pull")
    pods = [replace(pod, status={"phase": "Pending"}) for pod in seen.pods]
    name = next(pod.name for pod in pods if "scheduler" in pod.name)
    pulling = {"reason": "Pulling", "message": 'Pulling image "i"', "involvedObject": {"kind": "Pod", "name": name}}
    cause = diagnose(replace(seen, pods=tuple(pods), events=(pulling,)))
    assert cause == Cause("Pulling", f'the scheduler (pod {name}): Pulling image "i"')


def test_what_a_pod_died_of_once_is_forgotten_when_it_is_ready_again() -> None:
    seen, _ = recorded("oom-killed")
    for pod in seen.pods:
        for container in pod.status["containerStatuses"]:
            container |= {"ready": True, "state": {"running": {}}}
    assert reason(seen) not in {"OOMKilled", "CrashLoop"}


def worker_that_ended(seconds_after_ready: int, scheduler_is_ready: bool) -> ObservedCluster:
    """The scheduler has been ready since 12:00:30, if it is; a worker has ended once, and waits to start again."""
    seen, _ = recorded("crash-loop")
    for pod in seen.pods:
        is_worker = pod.component == "worker"
        (container,) = pod.status["containerStatuses"]
        ended = {"exitCode": 1, "reason": "Error", "finishedAt": f"2026-01-01T12:00:{30 + seconds_after_ready:02}Z"}
        waiting = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": ended}}
        container |= {"ready": False, **waiting} if is_worker else {"state": {"running": {}}, "lastState": {}}
        if not is_worker:
            ready = {"type": "Ready", "status": str(scheduler_is_ready), "lastTransitionTime": "2026-01-01T12:00:30Z"}
            container["ready"], pod.status["conditions"][:] = scheduler_is_ready, [ready]
    return seen


def test_worker_that_was_up_before_its_scheduler_is_not_blamed() -> None:
    assert reason(worker_that_ended(-20, scheduler_is_ready=False)) == "Scheduler"
    assert reason(worker_that_ended(-20, scheduler_is_ready=True)) == "Scheduler"
    assert reason(worker_that_ended(5, scheduler_is_ready=True)) == "Scheduler"


def test_worker_that_ends_although_there_is_a_scheduler_is_blamed() -> None:
    assert reason(worker_that_ended(20, scheduler_is_ready=True)) == "CrashLoop"


def test_pods_that_are_going_are_not_blamed() -> None:
    seen, _ = recorded("crash-loop")
    going = tuple(replace(pod, is_deleting=True) for pod in seen.pods)
    assert reason(replace(seen, pods=going)) == "Scheduler"


@pytest.mark.parametrize("name", [path.stem for path in WAITS])
def test_every_cause_but_waiting_has_a_hint(name: str) -> None:
    _, cause = recorded(name)
    assert cause is None or cause.reason in {"Scheduler", "Starting"} or cause.hint


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("failed quota: q: must specify limits.cpu for: driver", "QuotaAsksForMore"),
        ("maximum memory usage per Container is 512Mi, but limit is 1Gi", "LimitRange"),
        ("maximum cpu usage per Pod is 1, but limit is 2", "LimitRange"),
        ("a webhook does not like it", "PodsRefused"),
    ],
)
def test_rejected_driver_pod_is_explained_by_its_last_warning(message: str, expected: str) -> None:
    events = [{"reason": "FailedCreate", "message": text} for text in ("exceeded quota: old", message)]
    cause = diagnose_refusal([*events, {"reason": "Unhealthy", "message": "-"}])
    assert (
        cause
        and (cause.reason, cause.evidence) == (expected, f"Kubernetes rejected the driver: {message}")
        and cause.hint
    )
    assert diagnose_refusal([]) is None
