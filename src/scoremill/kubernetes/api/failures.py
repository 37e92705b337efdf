"""The errors for answers that reject a call, and for an API server that does not answer."""

from __future__ import annotations

from typing import NoReturn

from scoremill.errors import ClusterError, UsageError

from .answers import Answer
from .kinds import KINDS, is_scoremills


class Unavailable(ClusterError):
    """The API does not answer, or not now; the same call might succeed later."""

    code = "KubernetesUnreachable"


class VersionExpired(ClusterError):
    """The resource version has expired."""

    code = "KubernetesFailed"


class NoPlace(ClusterError):
    """The namespace or the kind does not exist."""

    code = "NamespaceNotFound"


class Conflict(ClusterError):
    """The object has changed since it was read."""

    code = "KubernetesConflict"


class NotPermitted(ClusterError):
    """The credentials are valid but do not permit the request."""

    code = "KubernetesForbidden"


def refuse(answer: Answer) -> None:
    """Raise the error of a rejected call, except for 404 and 409, which mean something else to each caller."""
    match answer.status:
        case 401:
            raise ClusterError(
                f"the Kubernetes API at {answer.host} rejected your credentials (401)",
                "Log in to the cluster again, or choose another context with `context=`.",
                code="KubernetesCredentials",
            )
        case 403:
            raise NotPermitted(
                f"not permitted in namespace {answer.namespace}: {answer.message}",
                "Ask the cluster's administrator for the Role of scoremill's chart, or choose another `namespace=` or "
                "`context=`.",
            )
        case 400 | 422:
            raise UsageError(
                f"Kubernetes rejected the request as invalid: {answer.message}",
                "Correct the value that the message names.",
                code="KubernetesRejected",
            )
        case 410:
            raise VersionExpired(
                f"the requested resource version has expired: {answer.message}", "List the objects again."
            )
        case 404 | 409:
            return
    if answer.status == 429 or answer.status >= 500:
        raise Unavailable(f"the Kubernetes API failed at {answer.call}: {answer.message}", "Try again later.")
    if answer.status >= 400:
        _fail(answer)


def refuse_all(answer: Answer) -> NoReturn:
    """Raise the error of a call that must not be answered in this way."""
    refuse(answer)
    _fail(answer)


def _fail(answer: Answer) -> NoReturn:
    raise ClusterError(
        f"the Kubernetes API failed at {answer.call}: {answer.message}", "Try again later.", code="KubernetesFailed"
    )


def no_place(kind: str, answer: Answer) -> NoPlace:
    """Return the error for 404 to a call for a kind: what is missing, and how to get it."""
    if answer.body.get("details", {}).get("kind") == "namespaces":
        return NoPlace(
            f"namespace {answer.namespace} not found",
            f"Create it with `kubectl create namespace {answer.namespace}`, or choose another with `namespace=`.",
        )
    _, plural = KINDS[kind]
    if is_scoremills(kind):
        return NoPlace(
            f"this Kubernetes cluster has no {plural}: scoremill's chart is not installed",
            "Install the chart helm/scoremill.",
            code="OperatorMissing",
        )
    return NoPlace(
        f"this Kubernetes cluster has no {plural}: dask-kubernetes' operator is not installed",
        "Install the chart helm/scoremill, which includes it, or follow https://kubernetes.dask.org.",
        code="OperatorMissing",
    )


def unreachable(host: str, error: Exception) -> Unavailable:
    """Return the error for an API server that does not answer."""
    reason = getattr(error, "reason", None) or error
    return Unavailable(
        f"could not reach the Kubernetes API at {host}: {reason}",
        "Check that the cluster is running and that `context=` names the right one.",
    )
