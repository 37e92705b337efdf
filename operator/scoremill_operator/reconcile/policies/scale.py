"""The number of workers that a job asks for, which may change while it runs."""

from __future__ import annotations

from scoremill.kubernetes import diagnosis, objects

from ..look import Look
from ..observed import Action, Create, Delete, Patch


def scale(look: Look, cluster: diagnosis.Observed) -> tuple[Action, ...]:
    """Return what brings the cluster to the bounds of the spec: by its autoscaler if they are a range."""
    wanted = objects.job_autoscaler(look.seen.job, look.spec, dict(cluster.cluster))
    scaler = look.seen.autoscaler
    if wanted is None:
        return _fixed(look, cluster)
    if scaler is None:
        return (Create(wanted),)
    bounds = {key: wanted["spec"][key] for key in ("minimum", "maximum")}
    is_same = all(scaler["spec"].get(key) == value for key, value in bounds.items())
    return () if is_same else (Patch("DaskAutoscaler", look.child, {"spec": bounds}),)


def _fixed(look: Look, cluster: diagnosis.Observed) -> tuple[Action, ...]:
    """First the autoscaler goes, so that two never write one number."""
    if look.seen.autoscaler is not None:
        return (Delete("DaskAutoscaler", look.child, look.seen.autoscaler["metadata"]["uid"]),)
    count = objects.workers_of(look.spec).min
    if not cluster.group or cluster.workers == count:
        return ()
    group = objects.names.group_name(look.child)
    return (Patch("DaskWorkerGroup", group, {"spec": {"worker": {"replicas": count}}}),)
