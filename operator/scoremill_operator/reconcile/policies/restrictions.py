"""What a job can request from Kubernetes, so that the right to create jobs is not the right to create any pod."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scoremill.errors import UsageError
from scoremill.kubernetes import objects
from scoremill.spec.cluster import Cluster
from scoremill.units import quoted

from ..observed import OperatorSettings

_MOST_NAMED = 10
_ANY = "ask the cluster's administrator to install the chart with operator.templates=Any"


def check_permitted(cluster: Cluster, namespace: str, settings: OperatorSettings) -> None:
    """UsageError if a job's `spec.cluster`, as the user gave it, asks for more than the operator's settings permit."""
    _check_reserved(cluster, namespace, settings)
    if settings.templates == "Restricted":
        _check_account(cluster, namespace, settings)
        _check_template(cluster)


def _check_reserved(cluster: Cluster, namespace: str, settings: OperatorSettings) -> None:
    asked = [cluster.service_account, *_accounts(cluster.template)]
    if refused := [name for name in asked if f"{namespace}/{name}" in settings.reserved]:
        raise UsageError(
            f"spec.cluster: service account {refused[0]} is reserved, because it has rights in Kubernetes",
            "Remove it, or use a service account that has no rights in Kubernetes.",
            code="NotAllowed",
        )


def _check_account(cluster: Cluster, namespace: str, settings: OperatorSettings) -> None:
    name = cluster.service_account
    if name is not None and f"{namespace}/{name}" not in settings.accounts:
        raise UsageError(
            f"spec.cluster.serviceAccount: service account {quoted(name)} is not allowed here",
            "Remove it, or ask the cluster's administrator to add it to operator.serviceAccounts of the chart.",
            code="NotAllowed",
        )


def _check_template(cluster: Cluster) -> None:
    if found := objects.forbidden_fields(cluster.template):
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        verb = "is" if len(found) == 1 else "are"
        fields = ", ".join(found[:_MOST_NAMED])
        raise UsageError(
            f"{fields}{more} {verb} not allowed here",
            f"Remove {'it' if verb == 'is' else 'them'}, or {_ANY}.",
            code="NotAllowed",
        )


def _accounts(template: object) -> Iterator[object]:
    """Yield what a template gives as a service account, at any depth."""
    if isinstance(template, Mapping):
        for key, value in template.items():
            if key in {"serviceAccountName", "serviceAccount"}:
                yield value
            yield from _accounts(value)
    elif isinstance(template, list):
        for value in template:
            yield from _accounts(value)
