"""The kinds of objects that scoremill reads or writes, and their paths on the API server."""

from __future__ import annotations

from typing import Any

from scoremill.spec import API_VERSION

from ..objects.names import DASK_API_VERSION

Object = dict[str, Any]

_CORE, _DASK = "/api/v1", f"/apis/{DASK_API_VERSION}"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_SCOREMILL = f"/apis/{API_VERSION}"
KINDS = {
    "ScoringJob": (_SCOREMILL, "scoringjobs"),
    "ScoringSchedule": (_SCOREMILL, "scoringschedules"),
    "DaskCluster": (_DASK, "daskclusters"),
    "DaskWorkerGroup": (_DASK, "daskworkergroups"),
    "DaskAutoscaler": (_DASK, "daskautoscalers"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "Job": ("/apis/batch/v1", "jobs"),
    "Pod": (_CORE, "pods"),
    "Service": (_CORE, "services"),
    "Secret": (_CORE, "secrets"),
    "Event": (_CORE, "events"),
    "Node": (_CORE, "nodes"),
    "ServiceAccount": (_CORE, "serviceaccounts"),
    "Role": (_RBAC, "roles"),
    "RoleBinding": (_RBAC, "rolebindings"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
}
"""Prefix and plural by kind."""


def path_of(kind: str, namespace: str | None, name: str = "") -> str:
    """Return the path of one object, or of a kind in `namespace` or in all namespaces."""
    prefix, plural = KINDS[kind]
    place = "" if namespace is None or kind == "Node" else f"/namespaces/{namespace}"
    return f"{prefix}{place}/{plural}" + (f"/{name}" if name else "")


def api_version(kind: str) -> str:
    """Return the `apiVersion` of a kind."""
    prefix, _ = KINDS[kind]
    return prefix.removeprefix("/apis/").removeprefix("/api/")


def is_scoremills(kind: str) -> bool:
    """Return whether scoremill's chart defines the kind."""
    prefix, _ = KINDS[kind]
    return prefix == _SCOREMILL
