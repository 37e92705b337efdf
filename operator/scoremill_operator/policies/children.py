"""What a job that is to run needs, made in its order: first attempt, cluster, driver."""

from __future__ import annotations

from scoremill import deploy, naming
from scoremill.spec.status import DriverStatus, Reason

from ..look import SOON, Look, Step
from ..observed import Action, Create


def start(look: Look) -> Step | None:
    """The first attempt, or the first after a rest."""
    if look.status.phase not in {None, "Pending", "Suspended"}:
        return None
    spec_hash = look.status.spec_hash or naming.spec_hash(look.seen.job["spec"])
    attempt = look.attempt + 1
    return _starting(look, again=0, spec_hash=spec_hash, attempt=attempt, failures=0, start_time=look.now)


def make(look: Look) -> Step:
    """Cluster, autoscaler and driver: what is missing and whose turn it is."""
    driver, cluster = look.driver, look.seen.cluster
    if driver is not None and driver.uid:
        return _driving(look)
    if look.alive:
        # One whose status was lost, or pods that outlive their Job: two must never score at once.
        return _starting(look, look.without_drivers())
    if cluster is None:
        made = deploy.job_cluster(look.seen.job, look.spec, look.seen.settings.image, look.seen.settings.issue)
        return _starting(look, tuple(Create(each) for each in made))
    if "deletionTimestamp" in cluster.cluster["metadata"] or not _is_ready(look):
        return _starting(look, _autoscaler(look))
    name = deploy.names.driver_name(look.child, look.attempt)
    # Each time: what somebody has removed since would keep every further driver from starting.
    access = (Create(each) for each in deploy.driver_access(look.seen.job, look.spec))
    return Step(
        "Running", Reason.DRIVER_STARTS, "the driver is asked for", {"driver": DriverStatus(job=name)},
        actions=(*_autoscaler(look), *access, Create(_job(look, cluster))), again=SOON,
    )  # fmt: skip


def _starting(look: Look, actions: tuple[Action, ...] = (), again: float = SOON, **changes: object) -> Step:
    cause = look.waits_for
    message = f"{cause.reason}: {cause.evidence}" if cause else "the cluster starts"
    return Step("Starting", Reason.CLUSTER_STARTS, message, {"driver": None, **changes}, actions, again)


def _driving(look: Look) -> Step:
    """The driver is asked for: it lives, or is being removed by somebody and comes again."""
    driver = look.driver
    assert driver is not None
    pod = driver.pod["metadata"]["name"] if driver.pod else None
    changes: dict[str, object] = {"driver": DriverStatus(job=driver.name, pod=pod)}
    if driver.is_running:
        changes["running_time"] = look.status.running_time or look.now
        return Step("Running", Reason.DRIVER_RUNS, "the driver is scoring", changes, _autoscaler(look))
    cause = look.waits_for
    message = f"{cause.reason}: {cause.evidence}" if cause else "the driver's pod is about to start"
    return Step("Running", Reason.DRIVER_STARTS, message, changes, _autoscaler(look), again=SOON)


def _autoscaler(look: Look) -> tuple[Action, ...]:
    cluster = look.seen.cluster
    if cluster is None or look.seen.autoscaler is not None or "deletionTimestamp" in cluster.cluster["metadata"]:
        return ()
    made = deploy.job_autoscaler(look.seen.job, look.spec, dict(cluster.cluster))
    return (Create(made),) if made else ()


def _is_ready(look: Look) -> bool:
    """Whether the scheduler is, and one worker if any comes without work."""
    registered = look.seen.cluster.registered if look.seen.cluster else None
    return registered is not None and registered >= min(1, deploy.workers_of(look.spec).min)


def _job(look: Look, cluster: deploy.Observed) -> dict[str, object]:
    active, began = look.spec.deadlines.active_seconds, look.status.start_time
    spent = (look.now - began).total_seconds() if began else 0
    seconds = None if active is None else max(1, min(round(active - spent), 2**31 - 1))
    return deploy.driver_job(
        look.seen.job, look.spec, look.attempt, deploy.image_of(cluster.cluster),
        resources=look.seen.settings.driver_resources, seconds=seconds,
    )  # fmt: skip
