"""The spec is one that the operator accepts, and the one that the job began with."""

from __future__ import annotations

from scoremill import naming
from scoremill.errors import ScoremillError, UsageError
from scoremill.kubernetes.objects import Resource
from scoremill.spec import JobSpec, parse_job
from scoremill.spec.resources.status import JobStatus

from ..desired import NOTHING, Desired, desired_of
from ..job_reasons import SPEC_CHANGED
from ..job_state import JobState, Transition, failed
from ..observed import Observed
from .restrictions import check_permitted


def understood(observed: Observed, status: JobStatus) -> tuple[JobSpec, Desired]:
    """Return the job's spec over the site's template, and what it makes; UsageError lists everything wrong with it."""
    try:
        spec = _parsed(observed.job)
        check_permitted(spec.cluster, observed.job.namespace, observed.settings)
        return desired_of(observed, status, spec)
    except ScoremillError:
        raise
    except Exception as error:
        message = f"could not parse the spec: {type(error).__name__}"
        raise UsageError(message, "Compare the spec with `scoremill schema`.", code="InvalidJob") from None


def spec_for_cleanup(job: Resource) -> JobSpec:
    """Return the spec of a job that must not run, for its cleanup; NOTHING if it cannot be read."""
    try:
        return _parsed(job)
    except Exception:
        return NOTHING


def _parsed(job: Resource) -> JobSpec:
    metadata = {"name": job.name, "namespace": job.namespace}
    return parse_job({"metadata": metadata, "spec": job.spec}, source=job.name).spec


def refuse_change(state: JobState) -> Transition | None:
    """Fail a job whose spec was changed after the start: what runs is not what is requested.

    Defaults of a newer ScoringJob's definition change no generation, and are no change.
    """
    began = state.status.spec_hash
    is_same = began == naming.spec_hash(state.job.spec) or state.status.observed_generation == state.job.generation
    return None if began is None or is_same else failed(state, SPEC_CHANGED, conditions=("SpecChanged",))
