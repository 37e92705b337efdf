"""What the operator may do: the chart's roles are made of this (`make generate`), and every call is held against it."""

from __future__ import annotations

from typing import Any

Rule = tuple[str, tuple[str, ...], tuple[str, ...]]

RULES: tuple[Rule, ...] = (
    # Jobs are read, made by schedules, and removed when their time is over; the status is told.
    ("scoremill.dev", ("scoringjobs", "scoringschedules"), ("get", "list", "watch")),
    ("scoremill.dev", ("scoringjobs",), ("create", "delete")),
    ("scoremill.dev", ("scoringjobs/status", "scoringschedules/status"), ("get", "patch")),
    # Who may set finalizers may own objects that block, where OwnerReferencesPermissionEnforcement is on.
    ("scoremill.dev", ("scoringjobs/finalizers", "scoringschedules/finalizers"), ("update",)),
    # Children: clusters, and drivers.
    ("kubernetes.dask.org", ("daskclusters",), ("get", "list", "watch", "create", "delete")),
    ("kubernetes.dask.org", ("daskclusters/finalizers",), ("update",)),
    ("kubernetes.dask.org", ("daskautoscalers",), ("get", "create", "delete")),
    ("kubernetes.dask.org", ("daskworkergroups",), ("get",)),
    ("batch", ("jobs",), ("get", "list", "watch", "create", "delete")),
    # What stands beside them. A driver's Role holds no more than this table.
    ("", ("secrets", "serviceaccounts"), ("create", "delete")),
    ("rbac.authorization.k8s.io", ("roles", "rolebindings"), ("create", "delete")),
    ("networking.k8s.io", ("networkpolicies",), ("create", "delete")),
    ("policy", ("poddisruptionbudgets",), ("create", "delete")),
    # What becomes of them, and why.
    ("", ("pods",), ("get", "list", "watch")),
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
    return [
        {"apiGroups": [group], "resources": [*resources], "verbs": [*verbs]} for group, resources, verbs in rules
    ]  # fmt: skip


def allows(rules: tuple[Rule, ...], group: str, resource: str, verb: str) -> bool:
    """Whether one of the rules lets `verb` be done."""
    return any(group == of and resource in resources and verb in verbs for of, resources, verbs in rules)
