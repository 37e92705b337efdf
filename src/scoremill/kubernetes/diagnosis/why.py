"""Why a ScoringJob is where it is: the one most probable cause, its evidence, and what can be done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

from scoremill.spec.resources.status import Failure, JobStatus, format_time

from ..objects.resource import Resource, age
from .cause import Cause, Observed, diagnose, diagnose_driver, diagnose_refusal
from .memory import killed_worker
from .outcome import Driver, outcome_of

OURS = "scoremill.dev/operator"
"""`managedBy` of the jobs that scoremill's operator looks after, where it is given."""
_FIELDS = {
    "--template": "cluster.template",
    "--workers": "cluster.workers",
    "--memory": "cluster.memory",
    "--cpu": "cluster.cpu",
    "--image": "cluster.image",
    "--secret": "credentials.secretRef",
    "--service-account": "cluster.serviceAccount",
}
"""What of a job's spec says what flags say of a cluster that somebody makes."""
_REFUSED = "Kubernetes refuses what the operator makes for the job: "
_REFUSED_MEND = "See cluster.template, quotas and the operator's Role; then make the job again."
_OPERATOR_SECONDS = 15
"""Time in which the operator, if it runs, has taken up a job."""
_MAKING_SECONDS = 60
"""Time in which it has then made the cluster, also where many jobs begin at once."""
_IS_THERE_AN_OPERATOR = (
    "Check that scoremill's operator runs, watches this namespace and logs no failure: kubectl get pods --all-namespaces "
    "--selector app.kubernetes.io/name=scoremill-operator."
)
_PLANS = "the driver reads the model and lists the input"
_STALE_SECONDS = 120
"""Time in which a driver that runs has told how far it is."""


def why(
    job: Resource, now: dt.datetime, cluster: Observed | None = None, drivers: Iterable[Driver] = ()
) -> Cause | None:
    """The cause of the wait, the rest or the failure of `job`; None where it is complete or simply runs.

    What may not be read is left out; the status alone tells much.
    """
    status = JobStatus.model_validate(job.status)
    if status.phase == "Complete":
        return None
    if status.phase == "Failed":
        return _failure(status)
    others = job.spec.get("managedBy")
    if others not in {None, OURS}:
        evidence = f"{others} looks after this job, not scoremill's operator"
        return Cause(
            "ManagedBy", evidence, "See what that one says of it; or make the job again without spec.managedBy."
        )
    if status.phase in {None, "Pending"}:
        return _untaken(job, now)
    if status.observed_generation != job.generation:
        return Cause("Accepting", "scoremill's operator takes up a change of the spec", _IS_THERE_AN_OPERATOR)
    if status.phase in {"Suspended", "Suspending"}:
        going = "driver and cluster are about to go" if status.phase == "Suspending" else "the job holds nothing"
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
    status: JobStatus, cluster: Observed | None, driver: Driver | None, refused: str | None = None
) -> Cause | None:
    """Return what the start of the driver, or of the cluster that it asks for, waits for; None if neither waits."""
    cause = _waits_for(status, cluster, driver, refused)
    return cause and _of_job(cause)


def _waits_for(status: JobStatus, cluster: Observed | None, driver: Driver | None, refused: str | None) -> Cause | None:
    if driver is not None and (outcome_of(driver) or (driver.is_running and status.phase == "Running")):
        return None
    if refused:
        return Cause("Refused", f"{_REFUSED}{refused}", _REFUSED_MEND)
    if driver is None:
        return _removal(cluster) or Cause("DriverAsked", "the driver is about to be made")
    if not driver.is_running:
        return _driver_wait(driver, cluster)
    return _cluster_wait(cluster) if status.needs_cluster else None


def _driver_wait(driver: Driver, cluster: Observed | None) -> Cause:
    if driver.is_ending:
        return Cause("DriverEnds", "the driver has ended; Kubernetes has yet to count its pod")
    if cause := diagnose_refusal(driver.events):
        return cause
    if not driver.pods:
        return Cause("DriverStarts", "the driver's pod is about to be made")
    cause = diagnose_driver(driver.pods, cluster.events if cluster else ())
    return cause or Cause("DriverStarts", "the driver's pod is being started")


def _cluster_wait(cluster: Observed | None) -> Cause | None:
    if cluster is None:
        return Cause("ClusterAsked", "the DaskCluster is about to be made")
    return _removal(cluster) or diagnose(cluster)


def _removal(cluster: Observed | None) -> Cause | None:
    if cluster is None or cluster.cluster is None or not cluster.cluster.is_deleting:
        return None
    return Cause("ClusterGoes", "the last cluster is being removed")


def _failure(status: JobStatus) -> Cause:
    failure = status.failure or Failure()
    failed = status.condition("Failed")
    evidence = failure.message or (failed.message if failed else "")
    return Cause(failure.reason or (failed.reason if failed else "Failed"), evidence, failure.hint)


def _untaken(job: Resource, now: dt.datetime) -> Cause:
    if age(job, now) < _OPERATOR_SECONDS:
        return Cause("Accepting", "scoremill's operator takes up the job")
    return Cause("OperatorNotRunning", "nothing takes up the job", _IS_THERE_AN_OPERATOR)


def _between_attempts(status: JobStatus) -> Cause:
    cause = _failure(status)
    then = f"; the next attempt begins at {format_time(status.retry_time)}" if status.retry_time else ""
    return Cause(cause.reason, f"attempt {status.attempt} failed: {cause.evidence}{then}", cause.hint)


def _of_job(cause: Cause) -> Cause:
    """The cause as it is told of a job, which has fields where somebody who makes a cluster gives flags."""
    hint = cause.hint or ""
    for flag, field in _FIELDS.items():
        hint = hint.replace(flag, field)
    return replace(cause, hint=hint or None)


def _refused(status: JobStatus) -> str | None:
    """What Kubernetes refuses the operator, who alone is told and tells it."""
    _, refuses, what = ((status.cluster and status.cluster.waiting) or "").partition(_REFUSED)
    return what if refuses else None


def _unmade(now: dt.datetime, what: str, since: dt.datetime | None) -> Cause | None:
    """What the operator would have made long ago."""
    if since is None or (now - since).total_seconds() < _MAKING_SECONDS:
        return None
    evidence = f"the {what} was to be made at {format_time(since)}, and nothing makes it"
    return Cause("OperatorNotRunning", evidence, _IS_THERE_AN_OPERATOR)


def _unnoticed(driver: Driver | None, now: dt.datetime) -> Cause | None:
    """A driver that has ended while the status has it running."""
    ended = driver.ended if driver else None
    if driver is None or ended is None:
        return None
    outcome, since = outcome_of(driver), ended.get("lastTransitionTime")
    how = f"with code {outcome.exit_code}" if outcome and outcome.exit_code is not None else "without a code"
    if since is None or (now - dt.datetime.fromisoformat(since)).total_seconds() < _OPERATOR_SECONDS:
        return Cause("Accepting", f"the driver has ended {how}, which scoremill's operator takes up")
    return Cause("OperatorNotRunning", f"the driver has ended {how}, and nothing takes that up", _IS_THERE_AN_OPERATOR)


def _silence(status: JobStatus, now: dt.datetime, cluster: Observed | None) -> Cause | None:
    progress = status.progress
    broken = diagnose(cluster) if cluster and not (progress and progress.workers) else None
    if broken and broken.hint:
        return _of_job(broken)
    if progress is None or progress.update_time is None or progress.attempt != status.attempt:
        return Cause("Planning", _PLANS)
    if progress.stage == "Planning":
        # Such as that another run holds the output.
        return Cause("Planning", progress.notes[-1] if progress.notes else _PLANS)
    silent = (now - progress.update_time).total_seconds()
    if silent > _STALE_SECONDS:
        evidence = f"the driver has told nothing since {format_time(progress.update_time)}"
        return Cause("Silent", evidence, "See its log: scoremill job logs NAME.")
    if progress.workers == 0:
        return Cause("NoWorkers", "the cluster has no worker at the moment")
    return None


def _killed(cluster: Observed | None) -> Cause | None:
    """A worker that came back after it was killed: its partition may kill the next one too."""
    evidence = killed_worker(cluster.pods) if cluster else None
    if evidence is None:
        return None
    return Cause("OOMKilled", evidence, "Give workers more memory (cluster.memory) if that happens again and again.")
