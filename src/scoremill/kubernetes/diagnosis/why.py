"""Explain the state of a ScoringJob: the most probable cause, the evidence for it, and a hint."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

from scoremill.spec.resources.status import Failure, JobStatus, format_time

from ..objects import names
from ..objects.resource import Resource, age
from .cause import Cause, ObservedCluster, diagnose, diagnose_driver, diagnose_refusal
from .memory import killed_worker
from .outcome import Driver, outcome_of

OURS = "scoremill.dev/operator"
"""The value of `managedBy` for scoremill's operator; a job without one is its as well."""
_FIELDS = {
    "--template": "`spec.cluster.template`",
    "--workers": "`spec.cluster.workers`",
    "--memory": "`spec.cluster.memory`",
    "--cpu": "`spec.cluster.cpu`",
    "--image": "`spec.cluster.image`",
    "--secret": "`spec.credentials.secretRef.name`",
    "--service-account": "`spec.cluster.serviceAccount`",
}
"""The field of a job's spec for each flag of `scoremill cluster up`."""
_REFUSED = "Kubernetes rejected an object of the job: "
_REFUSED_HINT = "Correct what the message names: `spec.cluster.template`, a quota or the operator's Role. Then create the job again."
_OPERATOR_SECONDS = 15
"""Seconds within which a running operator reconciles a new job."""
_CREATION_SECONDS = 60
"""Seconds within which the operator then creates the cluster, even if many jobs start at the same time."""
_IS_THERE_AN_OPERATOR = (
    "Check that scoremill's operator is running, watches this namespace and logs no error: kubectl get pods "
    f"--all-namespaces --selector {names.APP}={names.OPERATOR}."
)
_PLANS = "the driver is reading the model and listing the input"
_STALE_SECONDS = 120
"""Seconds within which a running driver reports its progress."""


def why(
    job: Resource, now: dt.datetime, cluster: ObservedCluster | None = None, drivers: Iterable[Driver] = ()
) -> Cause | None:
    """Return why `job` waits, is suspended or failed; None if it is complete or runs normally.

    Objects that the caller is not permitted to read can be omitted; the status alone explains most cases.
    """
    status = JobStatus.model_validate(job.status)
    if status.phase == "Complete":
        return None
    if status.phase == "Failed":
        return _failure(status)
    others = job.spec.get("managedBy")
    if others not in {None, OURS}:
        evidence = f"the job is managed by {others}, not by scoremill's operator"
        return Cause(
            "ManagedBy", evidence, f"Check the status that {others} reports, or create the job again without managedBy."
        )
    if status.phase in {None, "Pending"}:
        return _untaken(job, now)
    if status.observed_generation != job.generation:
        evidence = "scoremill's operator has not reconciled the latest change of the spec yet"
        return Cause("Accepting", evidence, _IS_THERE_AN_OPERATOR)
    if status.phase in {"Suspended", "Suspending"}:
        going = (
            "the driver and the cluster are being deleted"
            if status.phase == "Suspending"
            else "the job has no driver and no cluster"
        )
        return Cause("Suspended", f"spec.suspend is true: {going}", "Resume it with `scoremill job resume NAME`.")
    if status.phase == "Retrying":
        return _between_attempts(status)
    driver = next((each for each in drivers if status.driver and each.name == status.driver.job), None)
    cause = waits_for(status, cluster, driver, _refused(status))
    if cause and cause.reason == "DriverAsked":
        return _unmade(now, "driver", status.retry_time or status.start_time) or cause
    if cause and cause.reason == "ClusterAsked":
        return _unmade(now, "DaskCluster", status.progress.progress_time if status.progress else None) or cause
    return cause or _unnoticed(driver, now) or _silence(status, now, cluster) or _killed(cluster)


def waits_for(
    status: JobStatus, cluster: ObservedCluster | None, driver: Driver | None, refused: str | None = None
) -> Cause | None:
    """Return what the start of the driver, or of the cluster that it asks for, waits for; None if neither waits."""
    cause = _waits_for(status, cluster, driver, refused)
    return cause and _of_job(cause)


def _waits_for(
    status: JobStatus, cluster: ObservedCluster | None, driver: Driver | None, refused: str | None
) -> Cause | None:
    if driver is not None and (outcome_of(driver) or (driver.is_running and status.phase == "Running")):
        return None
    if refused:
        return Cause("Refused", f"{_REFUSED}{refused}", _REFUSED_HINT)
    if driver is None:
        return _removal(cluster) or Cause("DriverAsked", "the operator is creating the driver")
    if not driver.is_running:
        return _driver_wait(driver, cluster)
    return _cluster_wait(cluster) if status.needs_cluster else None


def _driver_wait(driver: Driver, cluster: ObservedCluster | None) -> Cause:
    if driver.is_ending:
        return Cause("DriverEnds", "the driver has ended, but Kubernetes has not updated its Job yet")
    if cause := diagnose_refusal(driver.events):
        return cause
    if not driver.pods:
        return Cause("DriverStarts", "Kubernetes is creating the driver's pod")
    cause = diagnose_driver(driver.pods, cluster.events if cluster else ())
    return cause or Cause("DriverStarts", "the driver's pod is starting")


def _cluster_wait(cluster: ObservedCluster | None) -> Cause | None:
    if cluster is None:
        return Cause("ClusterAsked", "the operator is creating the DaskCluster")
    return _removal(cluster) or diagnose(cluster)


def _removal(cluster: ObservedCluster | None) -> Cause | None:
    if cluster is None or cluster.cluster is None or not cluster.cluster.is_deleting:
        return None
    return Cause("ClusterGoes", "the previous cluster is being deleted")


def _failure(status: JobStatus) -> Cause:
    failure = status.failure or Failure()
    failed = status.condition("Failed")
    evidence = failure.message or (failed.message if failed else "")
    return Cause(failure.reason or (failed.reason if failed else "Failed"), evidence, failure.hint)


def _untaken(job: Resource, now: dt.datetime) -> Cause:
    if age(job, now) < _OPERATOR_SECONDS:
        return Cause("Accepting", "scoremill's operator has not reconciled the job yet")
    return Cause("OperatorNotRunning", "no operator reconciles the job", _IS_THERE_AN_OPERATOR)


def _between_attempts(status: JobStatus) -> Cause:
    cause = _failure(status)
    then = f"; the next attempt starts at {format_time(status.retry_time)}" if status.retry_time else ""
    return Cause(cause.reason, f"attempt {status.attempt} failed: {cause.evidence}{then}", cause.hint)


def _of_job(cause: Cause) -> Cause:
    """Return the cause with the fields of a job in place of the flags of a cluster."""
    hint = cause.hint or ""
    for flag, field in _FIELDS.items():
        hint = hint.replace(flag, field)
    return replace(cause, hint=hint or None)


def _refused(status: JobStatus) -> str | None:
    """Return which object Kubernetes rejected and why, as the operator wrote it to the status."""
    _, refuses, what = ((status.cluster and status.cluster.waiting) or "").partition(_REFUSED)
    return what if refuses else None


def _unmade(now: dt.datetime, what: str, since: dt.datetime | None) -> Cause | None:
    """Return the cause if a running operator would have created the object already."""
    if since is None or (now - since).total_seconds() < _CREATION_SECONDS:
        return None
    evidence = f"the {what} has been missing since {format_time(since)}, and no operator creates it"
    return Cause("OperatorNotRunning", evidence, _IS_THERE_AN_OPERATOR)


def _unnoticed(driver: Driver | None, now: dt.datetime) -> Cause | None:
    """Return the cause if the driver has ended and the status does not show it."""
    ended = driver.ended if driver else None
    if driver is None or ended is None:
        return None
    outcome, since = outcome_of(driver), ended.get("lastTransitionTime")
    how = f"with code {outcome.exit_code}" if outcome and outcome.exit_code is not None else "with an unknown code"
    if since is None or (now - dt.datetime.fromisoformat(since)).total_seconds() < _OPERATOR_SECONDS:
        return Cause("Accepting", f"the driver exited {how}; scoremill's operator has not reconciled this yet")
    return Cause(
        "OperatorNotRunning", f"the driver exited {how}, and no operator reconciles this", _IS_THERE_AN_OPERATOR
    )


def _silence(status: JobStatus, now: dt.datetime, cluster: ObservedCluster | None) -> Cause | None:
    progress = status.progress
    broken = diagnose(cluster) if cluster and not (progress and progress.workers) else None
    if broken and broken.hint:
        return _of_job(broken)
    if progress is None or progress.update_time is None or progress.attempt != status.attempt:
        return Cause("Planning", _PLANS)
    if progress.stage == "Planning":
        # For example that another run holds the lease of the output.
        return Cause("Planning", progress.notes[-1] if progress.notes else _PLANS)
    silent = (now - progress.update_time).total_seconds()
    if silent > _STALE_SECONDS:
        evidence = f"the driver has not reported progress since {format_time(progress.update_time)}"
        return Cause("Silent", evidence, "Check its log with `scoremill job logs NAME`.")
    if progress.workers == 0:
        return Cause("NoWorkers", "the cluster has no workers now")
    return None


def _killed(cluster: ObservedCluster | None) -> Cause | None:
    """Return the cause if a worker was killed and restarted: its partition might kill the next one too."""
    evidence = killed_worker(cluster.pods) if cluster else None
    if evidence is None:
        return None
    return Cause("OOMKilled", evidence, "Increase `spec.cluster.memory` if this happens repeatedly.")
