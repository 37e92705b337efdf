"""The operator's RBAC rules: the chart's roles are generated from them, and tests check its API calls against them."""

from __future__ import annotations

from typing import Any

Rule = tuple[str, tuple[str, ...], tuple[str, ...]]

RULES: tuple[Rule, ...] = (
    # Jobs are read, created by schedules, and deleted after their TTL; their status is written.
    ("scoremill.dev", ("scoringjobs",), ("get", "list", "watch", "create", "delete")),
    ("scoremill.dev", ("scoringschedules",), ("get", "list", "watch")),
    ("scoremill.dev", ("scoringjobs/status", "scoringschedules/status"), ("patch",)),
    # Required for blockOwnerDeletion if OwnerReferencesPermissionEnforcement is enabled, as on OpenShift.
    ("scoremill.dev", ("scoringjobs/finalizers", "scoringschedules/finalizers"), ("update",)),
    # Clusters and drivers are created and deleted; their children are deleted with them.
    ("kubernetes.dask.org", ("daskclusters",), ("get", "list", "watch", "create", "delete")),
    # The number of workers of a running job can change.
    ("kubernetes.dask.org", ("daskautoscalers",), ("get", "create", "patch", "delete")),
    ("batch", ("jobs",), ("list", "watch", "create", "delete")),
    ("", ("secrets", "serviceaccounts"), ("create",)),
    ("rbac.authorization.k8s.io", ("roles", "rolebindings"), ("create",)),
    ("networking.k8s.io", ("networkpolicies",), ("create",)),
    ("policy", ("poddisruptionbudgets",), ("create",)),
    # State of the children, and why they do not start.
    ("kubernetes.dask.org", ("daskworkergroups",), ("get", "patch")),
    ("", ("pods",), ("list", "watch")),
    ("", ("pods/log",), ("get",)),
    ("apps", ("deployments",), ("list",)),
    ("", ("events",), ("list", "create")),
)
"""API group, resources and verbs, in the namespaces that the operator watches."""
LEASE_RULES: tuple[Rule, ...] = (("coordination.k8s.io", ("leases",), ("get", "create", "patch")),)
"""Rules in the operator's own namespace."""
CLUSTER_RULES: tuple[Rule, ...] = (("", ("nodes",), ("list",)),)
"""Optional cluster-wide rules: the largest node explains why a pod cannot be scheduled."""


def as_role(rules: tuple[Rule, ...]) -> list[dict[str, Any]]:
    """Render the `rules` of a Role."""
    return [{"apiGroups": [group], "resources": [*names], "verbs": [*verbs]} for group, names, verbs in rules]
