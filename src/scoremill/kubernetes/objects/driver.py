"""The driver of a ScoringJob: a batch/v1 Job, and what it may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scoremill import naming
from scoremill.spec import API_VERSION, JobSpec
from scoremill.units import GIB

from . import names
from .cluster import SCRATCH_BYTES, certificates_volume, dask_cluster, env_of, pod_of, said_of
from .inherited import container_settings, inherited_account, inherited_metadata, inherited_mounts, placement
from .merge import merge
from .network import DEFAULT, Network, driver_egress
from .objects import owned_by

Object = dict[str, Any]

GRACE_SECONDS = 60
"""For receipts to be flushed and the lease to be given back."""
_RBAC = "rbac.authorization.k8s.io"


def child_of(job: Object) -> str:
    """The child name of a ScoringJob."""
    return names.child_name(job["metadata"]["name"], job["metadata"]["uid"])


def job_child(made: Object, job: Object) -> Object:
    """`made` as a child of the ScoringJob: told by label and annotation, and gone before it."""
    told = {"labels": {names.JOB: child_of(job)}, "annotations": {names.JOB_NAME: job["metadata"]["name"]}}
    owner = {**job, "apiVersion": API_VERSION, "kind": "ScoringJob"}
    return owned_by(merge(made, {"metadata": told}), owner, blocks=True)


def driver_access(job: Object, spec: JobSpec, network: Network = DEFAULT) -> list[Object]:
    """What lets the driver read its own ScoringJob and write that one's status, and lets nobody reach the driver.

    The account is the one that the job gives its workers, which its buckets know, or one of the driver's own.
    """
    child, account = child_of(job), _account(job, spec)
    mine = {"apiGroups": ["scoremill.dev"], "resourceNames": [job["metadata"]["name"]]}
    rules = [
        {**mine, "resources": ["scoringjobs"], "verbs": ["get"]},
        {**mine, "resources": ["scoringjobs/status"], "verbs": ["patch"]},
    ]
    subject = {"kind": "ServiceAccount", "name": account, "namespace": job["metadata"]["namespace"]}
    role = {"apiGroup": _RBAC, "kind": "Role", "name": f"{child}-driver"}
    pods = {names.JOB: child, "app.kubernetes.io/component": names.DRIVER}
    closed = {
        "podSelector": {"matchLabels": pods},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [],
        "egress": driver_egress(child, network),
    }
    made = [
        _object(job, f"{_RBAC}/v1", "Role", {"rules": rules}),
        _object(job, f"{_RBAC}/v1", "RoleBinding", {"roleRef": role, "subjects": [subject]}),
        _object(job, "networking.k8s.io/v1", "NetworkPolicy", {"spec": closed}),
    ]
    if not _given_account(spec):
        made.insert(0, _object(job, "v1", "ServiceAccount", {"automountServiceAccountToken": False}))
    return [job_child(each, job) for each in made]


def driver_job(
    job: Object, spec: JobSpec, attempt: int, image: str, *, resources: Mapping[str, Any], seconds: int | None
) -> Object:
    """The Job of one attempt, which runs for at most `seconds`; `resources` are laid over its container's.

    `image` is its cluster's (`image_of`): driver and workers must be of one version, whatever is the default by now.
    """
    name = names.driver_name(child_of(job), attempt)
    limit = {"activeDeadlineSeconds": seconds} if seconds is not None else {}
    made: Object = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": job["metadata"]["namespace"], "labels": _labels(job)},
        "spec": {
            "backoffLimit": 0,
            # Never two at a time, even where a node is lost with the first.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                ],
            },
            **limit,
            "template": {"metadata": _pod_metadata(job, spec), "spec": _pod(job, spec, attempt, image, resources)},
        },
    }
    return job_child(made, job)


def _pod(job: Object, spec: JobSpec, attempt: int, image: str, resources: Mapping[str, Any]) -> Object:
    child = child_of(job)
    beside = dask_cluster(child, job["metadata"]["namespace"], image, spec.cluster, spec.credentials)
    scheduler, worker = (beside["spec"][part]["spec"] for part in ("scheduler", "worker"))
    env = env_of({"HOME": names.SCRATCH, "TMPDIR": names.SCRATCH, **spec.cluster.env})
    own = {
        "SCOREMILL_JOB": job["metadata"]["name"],
        "SCOREMILL_ATTEMPT": str(attempt),
        "SCOREMILL_SPEC": naming.spec_hash(job["spec"]),
        "SCOREMILL_CLUSTER": child,
    }
    container = {
        "name": names.DRIVER,
        "image": image,
        "args": ["scoremill", "driver"],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": merge(merge(env, said_of(spec.cluster.template, "worker").get("env") or env), env_of(own)),
        "resources": merge(_RESOURCES, resources),
    }
    pod = pod_of(spec.cluster, container)
    volumes, mounts = inherited_mounts(worker)
    pod["volumes"] += [certificates_volume(child), *volumes]
    pod["containers"][0]["volumeMounts"] += mounts
    pod["containers"][0].update(container_settings(scheduler, worker))
    return {
        **pod,
        **placement(scheduler),
        "serviceAccountName": _account(job, spec),
        "automountServiceAccountToken": True,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
    }


_RESOURCES: Object = {
    "requests": {"cpu": "250m", "memory": str(GIB), "ephemeral-storage": str(GIB)},
    "limits": {"memory": str(GIB), "ephemeral-storage": str(SCRATCH_BYTES + GIB)},
}


def _account(job: Object, spec: JobSpec) -> str:
    return _given_account(spec) or f"{child_of(job)}-driver"


def _given_account(spec: JobSpec) -> str | None:
    return spec.cluster.service_account or inherited_account(spec.cluster.template)


def _labels(job: Object) -> dict[str, str]:
    # Not those of the cluster's objects: `scoremill cluster` shall not take the driver for a part of it.
    return {
        "app.kubernetes.io/name": "scoremill",
        "app.kubernetes.io/instance": child_of(job),
        "app.kubernetes.io/component": names.DRIVER,
        "app.kubernetes.io/part-of": "scoremill",
        "app.kubernetes.io/managed-by": "scoremill-operator",
        names.JOB: child_of(job),
    }


def _pod_metadata(job: Object, spec: JobSpec) -> Object:
    labels, annotations = (inherited_metadata(spec.cluster.template, field) for field in ("labels", "annotations"))
    return {
        # By the label of the cluster its policies let it in. A sidecar that does not end would keep the Job from ending.
        "labels": {**labels, **_labels(job), names.LABEL: child_of(job), "sidecar.istio.io/inject": "false"},
        "annotations": {
            "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
            **annotations,
            names.JOB_NAME: job["metadata"]["name"],
        },
    }


def _object(job: Object, version: str, kind: str, content: Object) -> Object:
    metadata = {
        "name": f"{child_of(job)}-driver",
        "namespace": job["metadata"]["namespace"],
        "labels": _labels(job),
    }
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}
