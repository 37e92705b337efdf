"""What a job that runs needs, created in its order: the driver, which plans, then the cluster that it asks for."""

from __future__ import annotations

from typing import Any

from scoremill import naming
from scoremill.kubernetes import diagnosis, objects
from scoremill.spec.resources.status import DriverStatus, Reason

from ..look import SOON, Look, Step
from ..observed import Action, Create
from .scale import scale


def start(look: Look) -> Step | None:
    """The first attempt, or the first after a rest."""
    if look.status.phase not in {None, "Pending", "Suspended"}:
        return None
    spec_hash = look.status.spec_hash or naming.spec_hash(look.seen.job["spec"])
    attempt = look.attempt + 1
    return _planning(look, again=0, spec_hash=spec_hash, attempt=attempt, failed_attempts=0, start_time=look.now)


def make(look: Look) -> Step:
    """Driver, cluster and autoscaler: what is missing and whose turn it is."""
    driver = look.driver
    if driver is None or not driver.uid:
        # One whose status was lost, or pods that outlive their Job: two must never score at once.
        return _planning(look, look.without_drivers() if look.alive else tuple(map(Create, _driver(look))))
    if not look.status.needs_cluster:
        return _planning(look)
    if look.status.phase != "Running" and not _is_ready(look):
        return _starting(look, driver)
    return _running(look, driver)


def _planning(look: Look, actions: tuple[Action, ...] = (), again: float = SOON, **changes: Any) -> Step:
    """No cluster yet: whatever is wrong with model, input or output costs no more than the driver's pod."""
    driver, cause = look.driver, look.waits_for
    is_running = driver is not None and driver.is_running
    message = f"{cause.reason}: {cause.evidence}" if cause else "the driver makes the plan"
    changes = {"driver": _status_of(driver), **changes}
    return Step(
        "Planning", Reason.DRIVER_PLANS if is_running else Reason.DRIVER_STARTS, message, changes, actions, again
    )


def _starting(look: Look, driver: diagnosis.Driver) -> Step:
    cause = look.waits_for
    message = f"{cause.reason}: {cause.evidence}" if cause else "the cluster starts"
    return Step(
        "Starting", Reason.CLUSTER_STARTS, message, {"driver": _status_of(driver)}, _cluster(look, driver), again=SOON
    )


def _running(look: Look, driver: diagnosis.Driver) -> Step:
    """The driver scores, or Kubernetes moves it to another node."""
    changes: dict[str, Any] = {"driver": _status_of(driver), "running_time": look.status.running_time or look.now}
    actions = _cluster(look, driver)
    if driver.is_running:
        return Step("Running", Reason.DRIVER_RUNS, "the driver is scoring", changes, actions)
    cause = look.waits_for
    message = f"{cause.reason}: {cause.evidence}" if cause else "the driver's pod is about to start"
    return Step("Running", Reason.DRIVER_STARTS, message, changes, actions, again=SOON)


def _status_of(driver: diagnosis.Driver | None) -> DriverStatus | None:
    if driver is None or not driver.uid:
        return None
    return DriverStatus(job=driver.name, pod=driver.pod["metadata"]["name"] if driver.pod else None)


def _driver(look: Look) -> list[dict[str, Any]]:
    """The driver's Job, last, and all that it and the cluster need: somebody may have removed what an earlier one had."""
    job, spec, settings = look.seen.job, look.spec, look.seen.settings
    needed = [
        *objects.job_support(job, settings.issue, settings.network),
        *objects.driver_access(job, spec, settings.network),
    ]
    # A cluster that an earlier attempt has left keeps its image, whatever is the default by now.
    cluster = look.seen.cluster.cluster if look.seen.cluster else objects.job_cluster(job, spec, settings.image)
    made = objects.driver_job(
        job, spec, look.attempt, objects.image_of(cluster), resources=settings.driver_resources, seconds=_seconds(look)
    )
    return [*needed, made]


def _seconds(look: Look) -> int | None:
    """What is left of the time that the whole run may take."""
    active, began = look.spec.deadlines.active_seconds, look.status.start_time
    spent = (look.now - began).total_seconds() if began else 0
    return None if active is None else max(1, min(round(active - spent), 2**31 - 1))


def _cluster(look: Look, driver: diagnosis.Driver) -> tuple[Action, ...]:
    """The cluster if it is missing, or its number of workers; nothing while the last one is being removed."""
    job, spec, cluster = look.seen.job, look.spec, look.seen.cluster
    if cluster is None:
        # Driver and workers are of one version, also where the operator was upgraded between the two.
        return (Create(objects.job_cluster(job, spec, driver.image or look.seen.settings.image)),)
    return () if "deletionTimestamp" in cluster.cluster["metadata"] else scale(look, cluster)


def _is_ready(look: Look) -> bool:
    """Whether the scheduler is, and one worker if any comes without work."""
    cluster = look.seen.cluster
    if cluster is None or "deletionTimestamp" in cluster.cluster["metadata"] or cluster.registered is None:
        return False
    return cluster.registered >= min(1, objects.workers_of(look.spec).min)
