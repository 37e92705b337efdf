"""Render the driver of a ScoringJob: a batch/v1 Job and its permissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scoremill import naming
from scoremill.spec import API_VERSION, JobSpec
from scoremill.units import GIB

from . import names
from .cluster import image_of
from .inherited import container_settings, inherited_account, inherited_metadata, inherited_mounts, placement
from .network import DEFAULT, Network, driver_egress
from .pod import SCRATCH_BYTES, certificates_volume, env_of, pod_of
from .resource import Resource, owned_by
from .template import said_of, strategic_merge

Object = dict[str, Any]

GRACE_SECONDS = 60
"""Seconds in which a driver can write its receipts and release its lease."""
_RBAC = "rbac.authorization.k8s.io"


def child_of(job: Resource) -> str:
    """Return the child name of a ScoringJob."""
    return names.child_name(job.name, job.uid)


def job_child(made: Object, job: Resource) -> Object:
    """Return `made` as a child of the ScoringJob: labeled, annotated, and deleted before it."""
    metadata = {"labels": {names.JOB: child_of(job)}, "annotations": {names.JOB_NAME: job.name}}
    owner = replace(job, api_version=API_VERSION, kind="ScoringJob")
    return owned_by(strategic_merge(made, {"metadata": metadata}), owner, blocks=True)


def driver_access(job: Resource, spec: JobSpec, network: Network = DEFAULT) -> list[Object]:
    """Render what lets the driver read its ScoringJob and write its status, and what keeps other pods from the driver.

    The service account is the one of the job's workers, which has access to its buckets, or the driver's own.
    """
    child, account = child_of(job), _account(job, spec)
    mine = {"apiGroups": ["scoremill.dev"], "resourceNames": [job.name]}
    rules = [
        {**mine, "resources": ["scoringjobs"], "verbs": ["get"]},
        {**mine, "resources": ["scoringjobs/status"], "verbs": ["patch"]},
    ]
    subject = {"kind": "ServiceAccount", "name": account, "namespace": job.namespace}
    role = {"apiGroup": _RBAC, "kind": "Role", "name": f"{child}-driver"}
    pods = {names.JOB: child, names.COMPONENT: names.DRIVER}
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
    job: Resource, spec: JobSpec, attempt: int, cluster: Object, *, resources: Mapping[str, Any], seconds: int | None
) -> Object:
    """Return the Job of one attempt, which runs for at most `seconds`; `resources` are merged into its container's.

    `cluster` is the job's DaskCluster as rendered: the driver has its image, and reads the same buckets.
    """
    name = names.driver_name(child_of(job), attempt)
    limit = {"activeDeadlineSeconds": seconds} if seconds is not None else {}
    made: Object = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": job.namespace, "labels": _labels(job)},
        "spec": {
            "backoffLimit": 0,
            # Never two pods at the same time, even if the node of the first is lost.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                ],
            },
            **limit,
            "template": {"metadata": _pod_metadata(job, spec), "spec": _pod(job, spec, attempt, cluster, resources)},
        },
    }
    return job_child(made, job)


def _pod(job: Resource, spec: JobSpec, attempt: int, cluster: Object, resources: Mapping[str, Any]) -> Object:
    child = child_of(job)
    scheduler, worker = (cluster["spec"][part]["spec"] for part in ("scheduler", "worker"))
    env = env_of({"HOME": names.SCRATCH, "TMPDIR": names.SCRATCH, **spec.cluster.env})
    own = {
        "SCOREMILL_JOB": job.name,
        "SCOREMILL_ATTEMPT": str(attempt),
        "SCOREMILL_SPEC": naming.spec_hash(job.spec),
        "SCOREMILL_CLUSTER": child,
    }
    container = {
        "name": names.DRIVER,
        "image": image_of(cluster),
        "args": ["scoremill", "driver"],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": strategic_merge(
            strategic_merge(env, said_of(spec.cluster.template, "worker").get("env") or env), env_of(own)
        ),
        "resources": strategic_merge(_RESOURCES, resources),
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


def _account(job: Resource, spec: JobSpec) -> str:
    return _given_account(spec) or f"{child_of(job)}-driver"


def _given_account(spec: JobSpec) -> str | None:
    return spec.cluster.service_account or inherited_account(spec.cluster.template)


def _labels(job: Resource) -> dict[str, str]:
    # Different from the labels of the cluster's objects: `scoremill cluster` must not treat the driver as part of it.
    return {
        names.APP: "scoremill",
        names.INSTANCE: child_of(job),
        names.COMPONENT: names.DRIVER,
        names.PART_OF: "scoremill",
        names.MANAGED_BY: names.OPERATOR,
        names.JOB: child_of(job),
    }


def _pod_metadata(job: Resource, spec: JobSpec) -> Object:
    labels, annotations = (inherited_metadata(spec.cluster.template, field) for field in ("labels", "annotations"))
    return {
        # The cluster's policies admit pods with its label. A sidecar that does not exit would keep the Job active.
        "labels": {**labels, **_labels(job), names.LABEL: child_of(job), "sidecar.istio.io/inject": "false"},
        "annotations": {
            "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
            **annotations,
            names.JOB_NAME: job.name,
        },
    }


def _object(job: Resource, version: str, kind: str, content: Object) -> Object:
    metadata = {
        "name": f"{child_of(job)}-driver",
        "namespace": job.namespace,
        "labels": _labels(job),
    }
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}
