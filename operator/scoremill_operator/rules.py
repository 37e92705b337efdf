"""What the operator may do: the chart's roles are made of this (`make generate`), and tests hold its calls against it."""

from __future__ import annotations

from typing import Any

Rule = tuple[str, tuple[str, ...], tuple[str, ...]]

RULES: tuple[Rule, ...] = (
    # Jobs are read, made by schedules, and removed when their time is over; the status is told.
    ("scoremill.dev", ("scoringjobs",), ("get", "list", "watch", "create", "delete")),
    ("scoremill.dev", ("scoringschedules",), ("get", "list", "watch")),
    ("scoremill.dev", ("scoringjobs/status", "scoringschedules/status"), ("patch",)),
    # Who may not do this may own nothing that is waited for (OwnerReferencesPermissionEnforcement, as on OpenShift).
    ("scoremill.dev", ("scoringjobs/finalizers", "scoringschedules/finalizers"), ("update",)),
    # Clusters and drivers come and go; what stands beside them goes with its owner.
    ("kubernetes.dask.org", ("daskclusters",), ("get", "list", "watch", "create", "delete")),
    # The number of workers of a job that runs can change.
    ("kubernetes.dask.org", ("daskautoscalers",), ("get", "create", "patch", "delete")),
    ("batch", ("jobs",), ("list", "watch", "create", "delete")),
    ("", ("secrets", "serviceaccounts"), ("create",)),
    ("rbac.authorization.k8s.io", ("roles", "rolebindings"), ("create",)),
    ("networking.k8s.io", ("networkpolicies",), ("create",)),
    ("policy", ("poddisruptionbudgets",), ("create",)),
    # What becomes of them, and why.
    ("kubernetes.dask.org", ("daskworkergroups",), ("get", "patch")),
    ("", ("pods",), ("list", "watch")),
    ("", ("pods/log",), ("get",)),
    ("apps", ("deployments",), ("list",)),
    ("", ("events",), ("list", "create")),
)
"""API group, resources and verbs, in the namespaces that it looks after."""
LEASE_RULES: tuple[Rule, ...] = (("coordination.k8s.io", ("leases",), ("get", "create", "patch")),)
"""The same, in its own namespace."""
CLUSTER_RULES: tuple[Rule, ...] = (("", ("nodes",), ("list",)),)
"""The same, beyond namespaces: the largest node explains why a pod has none. It does without."""


def as_role(rules: tuple[Rule, ...]) -> list[dict[str, Any]]:
    """The `rules` of a Role."""
    return [{"apiGroups": [group], "resources": [*names], "verbs": [*verbs]} for group, names, verbs in rules]
