"""What a runner pod inherits from the scheduler and the workers of its job, because it reads the same buckets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Object = dict[str, Any]

_PLACEMENT = (
    "imagePullSecrets",
    "nodeSelector",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "priorityClassName",
    "schedulerName",
    "runtimeClassName",
    "dnsPolicy",
    "dnsConfig",
    "hostAliases",
    "securityContext",
)
"""Fields of the scheduler's pod that decide where, and as which user, a pod runs."""
_RESERVED = ("scoremill.dev/", "dask.org/", "batch.kubernetes.io/", "sidecar.istio.io/inject")
"""Prefixes of labels and annotations that controllers use to find their pods, or that dask-kubernetes overrides."""
_OWN_VOLUMES = {"scratch", "tls"}


def inherited_metadata(template: Mapping[str, Any], field: str) -> dict[str, str]:
    """Return the `labels` or `annotations` of pods in the template, without reserved ones.

    The scheduler's take precedence over the workers', because the runner pod is placed like the scheduler.
    """
    spec = template.get("spec") or {}
    found: dict[str, str] = {}
    for part in (template, spec.get("worker") or {}, spec.get("scheduler") or {}):
        found.update((part.get("metadata") or {}).get(field) or {})
    return {key: value for key, value in found.items() if value is not None and not key.startswith(_RESERVED)}


def inherited_account(template: Mapping[str, Any]) -> str | None:
    """Return the service account of workers in the template."""
    worker = ((template.get("spec") or {}).get("worker") or {}).get("spec") or {}
    return worker.get("serviceAccountName") or worker.get("serviceAccount")


def placement(scheduler: Mapping[str, Any]) -> Object:
    """Return the fields of the scheduler's pod that apply to the runner pod."""
    return _picked(scheduler, _PLACEMENT)


def container_settings(scheduler: Mapping[str, Any], worker: Mapping[str, Any]) -> Object:
    """Return the fields of the scheduler's and the worker's container that apply to the runner's."""
    security = _picked(scheduler["containers"][0], ("imagePullPolicy", "securityContext"))
    return {**security, **_picked(worker["containers"][0], ("envFrom",))}


def inherited_mounts(worker: Mapping[str, Any]) -> tuple[list[Object], list[Object]]:
    """Return the volumes and mounts that the template adds to workers, for example for credentials."""
    mounts = [each for each in worker["containers"][0].get("volumeMounts", ()) if each["name"] not in _OWN_VOLUMES]
    return list(_named(worker.get("volumes", ()), {each["name"] for each in mounts})), mounts


def _named(volumes: Iterable[Object], names: set[str]) -> Iterator[Object]:
    return (each for each in volumes if each["name"] in names)


def _picked(of: Mapping[str, Any], keys: Iterable[str]) -> Object:
    return {key: of[key] for key in keys if key in of}
