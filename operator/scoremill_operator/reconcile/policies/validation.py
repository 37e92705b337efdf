"""The spec is one that the operator understands, and the one that the job began with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scoremill import naming
from scoremill.errors import ScoremillError, UsageError
from scoremill.kubernetes import objects
from scoremill.spec import JobSpec, parse_job
from scoremill.spec.resources.status import Reason

from ..look import Look, Step, failed
from ..observed import Object, Settings
from .restrictions import check_permitted

_NAME = "_"
"""One that Kubernetes takes for nothing, so that a template which gives it makes nothing."""
NOTHING = JobSpec.model_validate({"model": {"uri": "-"}, "input": {"uris": ["-"]}, "output": {"uri": "-"}})
"""In place of a spec that is not understood."""
_JOB: Object = {"metadata": {"name": _NAME, "namespace": _NAME, "uid": _NAME}, "spec": {}}


def understood(job: Object, settings: Settings) -> JobSpec:
    """Return the job's spec over the site's template; UsageError lists everything that is wrong with it."""
    try:
        return _understood(job, settings)
    except ScoremillError:
        raise
    except Exception as error:
        raise UsageError(f"the spec cannot be read: {type(error).__name__}", "See `scoremill schema`.") from None


def _understood(job: Object, settings: Settings) -> JobSpec:
    spec = _parsed(job)
    check_permitted(spec.cluster, job["metadata"]["namespace"], settings)
    return laid(spec, settings.template)


def asked(job: Object) -> JobSpec:
    """The spec of a job that may not run, for its cleanup; NOTHING if it cannot be read."""
    try:
        return _parsed(job)
    except Exception:
        return NOTHING


def _parsed(job: Object) -> JobSpec:
    return parse_job({"metadata": job["metadata"], "spec": job.get("spec", {})}, source=job["metadata"]["name"]).spec


def laid(spec: JobSpec, template: Mapping[str, Any]) -> JobSpec:
    """`spec` over the site's `template`; UsageError where no DaskCluster comes of both."""
    try:
        spec = objects.with_site(spec, template)
        made = objects.dask_cluster(_NAME, _NAME, "image", spec.cluster, spec.credentials)
        objects.image_of(made)
        pods = [made["spec"][part]["spec"]["containers"][0]["name"] for part in ("scheduler", "worker")]
        # The runner pod has the volumes and mounts of workers.
        objects.driver_job(_JOB, spec, 1, "image", resources={}, seconds=None)
        its = [made["kind"], made["apiVersion"], made["metadata"]["name"], made["metadata"]["namespace"]]
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        pods, its = [], []
    if pods != ["scheduler", "worker"] or its != ["DaskCluster", objects.names.DASK_GROUP, _NAME, _NAME]:
        raise UsageError(
            "spec.cluster.template makes no DaskCluster of the job's own name with containers scheduler and worker",
            "It is a part of a DaskCluster: spec: {worker: {spec: …}}.",
        )
    return spec


def refuse_change(look: Look) -> Step | None:
    """A spec that was changed after the start ends the job: what runs is not what is asked for.

    Defaults of a newer ScoringJob's definition change no generation, and are no change.
    """
    began, job = look.status.spec_hash, look.seen.job
    is_same = began == naming.spec_hash(job["spec"]) or look.status.observed_generation == job["metadata"]["generation"]
    if began is None or is_same:
        return None
    return failed(
        look, Reason.SPEC_CHANGED, "the spec is not the one that the job began with; only suspend may change",
        "Make a new job with the new spec: it goes on where this one ended, as far as the results would be the same.",
        exit_code=2, holds=("SpecChanged",),
    )  # fmt: skip
