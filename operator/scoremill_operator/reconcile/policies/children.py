"""What a job that runs needs, created in this order: the driver, which plans, then the cluster that it asks for."""

from __future__ import annotations

from typing import Any

from scoremill import naming
from scoremill.kubernetes import diagnosis, objects
from scoremill.spec.resources.status import DriverStatus

from ..job_reasons import DRIVER_RUNS, cluster_starts, driver_restarts, planning
from ..job_state import POLL_SECONDS, JobState, Transition
from ..observed import Action, Create
from .scale import scale


def start(state: JobState) -> Transition | None:
    """Begin the first attempt, or the first after a suspension."""
    if state.status.phase not in {None, "Pending", "Suspended"}:
        return None
    spec_hash = state.status.spec_hash or naming.spec_hash(state.job.spec)
    attempt = state.attempt + 1
    return _planning(
        state, requeue_after=0, spec_hash=spec_hash, attempt=attempt, failed_attempts=0, start_time=state.now
    )


def make(state: JobState) -> Transition:
    """Create what is missing and needed now: driver, cluster or autoscaler."""
    driver = state.driver
    if driver is None or driver.job is None:
        # One whose status was lost, or pods that outlive their Job: two must never score at the same time.
        return _planning(state, state.delete_drivers() if state.live_drivers else _create_driver(state))
    if not state.status.needs_cluster:
        return _planning(state)
    if state.status.phase != "Running" and not _is_ready(state):
        changes = {"driver": _status_of(driver)}
        why, actions = cluster_starts(state.waits_for), _create_cluster(state)
        return Transition("Starting", why, changes, actions, requeue_after=POLL_SECONDS)
    return _running(state, driver)


def _planning(
    state: JobState, actions: tuple[Action, ...] = (), requeue_after: float = POLL_SECONDS, **changes: Any
) -> Transition:
    """No cluster yet: whatever is wrong with model, input or output costs no more than the driver's pod."""
    driver = state.driver
    why = planning(state.waits_for, is_running=driver is not None and driver.is_running)
    return Transition("Planning", why, {"driver": _status_of(driver), **changes}, actions, requeue_after)


def _running(state: JobState, driver: diagnosis.Driver) -> Transition:
    """The driver scores, or Kubernetes moves it to another node."""
    changes = {"driver": _status_of(driver), "running_time": state.status.running_time or state.now}
    actions = _create_cluster(state)
    if driver.is_running:
        return Transition("Running", DRIVER_RUNS, changes, actions)
    return Transition("Running", driver_restarts(state.waits_for), changes, actions, requeue_after=POLL_SECONDS)


def _status_of(driver: diagnosis.Driver | None) -> DriverStatus | None:
    if driver is None or driver.job is None:
        return None
    return DriverStatus(job=driver.name, pod=driver.pod.name if driver.pod else None)


def _create_driver(state: JobState) -> tuple[Action, ...]:
    """Create everything that driver and cluster need, because it might have been deleted, and the driver's Job last."""
    job, settings = state.job, state.observed.settings
    needed = [
        *objects.job_support(job, settings.issue, settings.network),
        *objects.driver_access(job, state.spec, settings.network),
    ]
    return tuple(map(Create, [*needed, state.desired.driver]))


def _create_cluster(state: JobState) -> tuple[Action, ...]:
    """Create the cluster if it is missing, or scale it; nothing while the last one is being deleted."""
    cluster = state.observed.dask_cluster
    if cluster is None:
        return (Create(state.desired.cluster),)
    return () if cluster.is_deleting else scale(state, cluster)


def _is_ready(state: JobState) -> bool:
    """Return whether the scheduler is ready, and one worker if any starts before there is work."""
    observed, cluster = state.observed.cluster, state.observed.dask_cluster
    if observed is None or cluster is None or cluster.is_deleting or observed.registered is None:
        return False
    return observed.registered >= min(1, objects.workers_of(state.spec).min)
