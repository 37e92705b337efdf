"""Number of workers that a job requests, which can change while it runs."""

from __future__ import annotations

from scoremill.kubernetes import objects
from scoremill.kubernetes.objects import Resource

from ..job_state import JobState
from ..observed import Action, Create, Delete, Patch


def scale(state: JobState, cluster: Resource) -> tuple[Action, ...]:
    """Return what brings the cluster to the bounds of the spec: by its autoscaler if they are a range."""
    desired, scaler = objects.job_autoscaler(state.job, state.spec, cluster), state.observed.autoscaler
    if desired is None:
        return _fixed(state)
    if scaler is None:
        return (Create(desired),)
    bounds = {key: desired["spec"][key] for key in ("minimum", "maximum")}
    is_same = all(scaler.spec.get(key) == value for key, value in bounds.items())
    return () if is_same else (Patch("DaskAutoscaler", state.child, {"spec": bounds}),)


def _fixed(state: JobState) -> tuple[Action, ...]:
    """The autoscaler is deleted first, so that two never write one number."""
    scaler, cluster = state.observed.autoscaler, state.observed.cluster
    if scaler is not None:
        return (Delete.of(scaler),)
    count = objects.workers_of(state.spec).min
    if cluster is None or cluster.group is None or cluster.workers == count:
        return ()
    group = objects.names.group_name(state.child)
    return (Patch("DaskWorkerGroup", group, {"spec": {"worker": {"replicas": count}}}),)
