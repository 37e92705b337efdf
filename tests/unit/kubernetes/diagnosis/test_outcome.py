"""How a driver ended, from what Kubernetes keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from scoremill.kubernetes.diagnosis import Driver, drivers_of, outcome_of
from scoremill.kubernetes.objects import Resource


def ended(code: int, written: Any = None, at: str = "2026-11-21T12:00:00Z", **more: Any) -> Resource:
    message = written if isinstance(written, str) else json.dumps({"exitCode": code} if written is None else written)
    state = {"terminated": {"exitCode": code, "message": message, "finishedAt": at, **more}}
    phase = "Failed" if code else "Succeeded"
    return Resource("Pod", "x", status={"phase": phase, "containerStatuses": [{"name": "driver", "state": state}]})


def disrupted(pod: Resource) -> Resource:
    return replace(pod, status={**pod.status, "conditions": [{"type": "DisruptionTarget", "status": "True"}]})


def job(end: str | None = None, name: str = "tips-1", **condition: Any) -> Resource:
    conditions = [{"type": end, "status": "True", **condition}] if end else []
    return Resource("Job", name, uid="1", status={"conditions": conditions})


def driver(job: Resource, *pods: Resource) -> Driver:
    return Driver(job.name, job, pods)


@pytest.mark.parametrize("condition", [None, "FailureTarget", "SuccessCriteriaMet", "Suspended"])
def test_a_job_that_has_not_ended_has_no_outcome_whatever_its_pods_say(condition: str | None) -> None:
    lives = driver(job(condition), ended(0))
    assert outcome_of(lives) is None and lives.is_alive


def test_the_pod_that_was_not_disrupted_counts() -> None:
    moved, left = disrupted(ended(143, at="2026-11-21T13:00:00Z")), ended(5, at="2026-11-21T12:00:00Z")
    outcome = outcome_of(driver(job("Failed"), moved, left))
    assert outcome and outcome.exit_code == 5


def test_only_pods_that_were_disrupted_leave_no_code() -> None:
    outcome = outcome_of(driver(job("Failed", message="deleted"), disrupted(ended(143))))
    assert outcome and outcome.exit_code is None and outcome.reason == "DriverLost" and "deleted" in outcome.message


@pytest.mark.parametrize(
    ("code", "written"),
    [
        (5, "Traceback (most recent call last):\nOSError: disk full"),
        (5, {"exitCode": 0, "rows": {"total": 1}}),
        (5, "[1, 2]"),
        (5, ""),
    ],
)
def test_foreign_termination_message_is_reported_as_log_lines(code: int, written: Any) -> None:
    outcome = outcome_of(driver(job("Failed"), ended(code, written)))
    assert outcome and (outcome.exit_code, outcome.reason, outcome.termination) == (code, "StorageFailed", {})
    assert "exited with code 5" in outcome.message


@pytest.mark.parametrize(("code", "more"), [(137, {"reason": "OOMKilled"}), (137, {}), (139, {}), (5, {})])
def test_killed_driver_reported_where_its_log_is(code: int, more: dict[str, Any]) -> None:
    left = {"outputs": {"logs": "s3://b/out/_scoremill/logs/tips-1a2b3c4d/"}}
    outcome = outcome_of(driver(job("Failed"), ended(code, left, **more)))
    assert outcome and outcome.termination == left and "{" not in outcome.message
    late = outcome_of(driver(job("Failed", reason="DeadlineExceeded"), ended(code, left, **more)))
    assert late and (late.reason, late.termination) == ("ActiveDeadline", left)


def test_driver_whose_exit_code_the_runtime_does_not_know_ended_as_it_said() -> None:
    outcome = outcome_of(driver(job("Failed"), ended(255, {"exitCode": 6, "error": "LeaseError", "message": "busy"})))
    assert outcome and (outcome.exit_code, outcome.reason, outcome.message) == (6, "OutputBusy", "busy")


@pytest.mark.parametrize("left", [{"exitCode": 0}, {"outputs": {"logs": "s3://b/out/_scoremill/logs/tips/"}}, ""])
def test_driver_whose_exit_code_the_runtime_does_not_know_is_lost_if_it_left_no_failure(left: Any) -> None:
    outcome = outcome_of(driver(job("Failed"), ended(255, left)))
    assert outcome and (outcome.exit_code, outcome.reason) == (None, "DriverLost")


def test_a_container_that_ended_with_0_succeeded_even_without_a_message() -> None:
    outcome = outcome_of(driver(job("Complete"), ended(0, "")))
    assert outcome and (outcome.exit_code, outcome.reason, outcome.termination) == (0, None, {})


def test_drivers_are_jobs_with_their_pods_and_pods_whose_job_is_deleted() -> None:
    def pod(name: str, **labels: str) -> Resource:
        return Resource("Pod", name, labels=labels, status={"phase": "Running"})

    mine = {"batch.kubernetes.io/job-name": "tips-1"}
    orphan = {"batch.kubernetes.io/job-name": "tips-0"}
    found = drivers_of([job()], [pod("a", **mine), pod("b", **orphan), pod("worker")])
    shown = [(each.name, each.job and each.job.uid, len(each.pods), each.is_alive) for each in found]
    assert shown == [("tips-0", None, 1, True), ("tips-1", "1", 1, True)]


def test_warnings_are_asked_for_of_the_job_that_has_no_pod_and_has_not_ended() -> None:
    asked = drivers_of([job(name="new"), job("Failed", name="old")], [], lambda name: [{"about": name}])
    assert [each.events for each in asked] == [({"about": "new"},), ()]
