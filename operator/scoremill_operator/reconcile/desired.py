"""The desired state of a ScoringJob: its spec over the site's template, and what is rendered from it, once per reconcile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scoremill.errors import UsageError
from scoremill.kubernetes import objects
from scoremill.kubernetes.objects import Resource
from scoremill.spec import JobSpec
from scoremill.spec.resources.status import JobStatus

from .observed import Object, Observed, OperatorSettings

NOTHING = JobSpec.model_validate({"model": {"uri": "-"}, "input": {"uris": ["-"]}, "output": {"uri": "-"}})
"""In place of a spec that cannot be read."""
_ANY_JOB = Resource("ScoringJob", name="_", namespace="_", uid="_")


@dataclass(frozen=True)
class Desired:
    """Manifests that a job can need; empty if its spec is invalid."""

    cluster: Object = field(default_factory=dict)
    """The DaskCluster."""
    driver: Object = field(default_factory=dict)
    """The batch Job of the present attempt's driver."""


NOTHING_DESIRED = Desired()


def desired_of(observed: Observed, status: JobStatus, spec: JobSpec) -> tuple[JobSpec, Desired]:
    """Return `spec` over the site's template, and what it makes; UsageError if that is not a DaskCluster."""
    attempt, settings = status.attempt or 0, observed.settings
    image = _image(observed, attempt) or settings.image
    return _rendered(observed.job, spec, settings, image, attempt, _seconds(observed, status, spec))


def check_template(template: Mapping[str, Any]) -> None:
    """Raise UsageError if no DaskCluster can be rendered with the site's `template`."""
    _rendered(_ANY_JOB, NOTHING, OperatorSettings("image", template=template), "image", 1, None)


def _rendered(
    job: Resource, spec: JobSpec, settings: OperatorSettings, image: str, attempt: int, seconds: int | None
) -> tuple[JobSpec, Desired]:
    try:
        spec = objects.with_site(spec, settings.template)
        cluster = objects.job_cluster(job, spec, image)
        resources = settings.driver_resources
        # The runner pod has the volumes and mounts of workers.
        driver = objects.driver_job(job, spec, attempt, cluster, resources=resources, seconds=seconds)
        is_valid = _is_cluster_of(job, cluster)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        is_valid = False
    if is_valid:
        return spec, Desired(cluster, driver)
    raise UsageError(
        "spec.cluster.template does not give a DaskCluster with the job's name and the containers scheduler and worker",
        "Write the template as a part of a DaskCluster, such as spec: {worker: {spec: …}}, and do not rename containers.",
        code="InvalidJob",
    )


def _is_cluster_of(job: Resource, cluster: Object) -> bool:
    """Return whether the template has left kind, name and containers as they are."""
    made = Resource.of(cluster)
    containers = [made.spec[part]["spec"]["containers"][0]["name"] for part in ("scheduler", "worker")]
    has_identity = (made.kind, made.api_version, made.name, made.namespace) == (
        "DaskCluster",
        objects.names.DASK_API_VERSION,
        objects.child_of(job),
        job.namespace,
    )
    return has_identity and containers == ["scheduler", "worker"]


def _image(observed: Observed, attempt: int) -> str | None:
    """Return the image that the job has already: driver and workers are of one version, also across an upgrade."""
    name = objects.names.driver_name(objects.child_of(observed.job), attempt)
    driver = next((driver for driver in observed.drivers if driver.name == name), None)
    if driver and driver.image:
        return driver.image
    pod = observed.dask_cluster.spec.get("worker", {}).get("spec", {}) if observed.dask_cluster else {}
    return next((each.get("image") for each in pod.get("containers", ())), None)


def _seconds(observed: Observed, status: JobStatus, spec: JobSpec) -> int | None:
    """Return how much of the time limit of the whole run is left."""
    active, started = spec.deadlines.active_seconds, status.start_time
    spent = (observed.now - started).total_seconds() if started else 0
    return None if active is None else max(1, min(round(active - spent), 2**31 - 1))
