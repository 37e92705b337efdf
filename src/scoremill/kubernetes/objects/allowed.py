"""What `spec.cluster.template` can set if the operator restricts templates: an allow-list, so that new fields are refused.

A user who can create ScoringJobs must not be able to do more than run code in an unprivileged pod: no host access, no
other containers, no service account, no Service, and no label by which the pod could pass for another.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from scoremill.units import quoted

from . import names

Rule = Callable[[Any, str], Iterator[str]]
"""Yields the paths of forbidden fields, given a value and its path."""

RESERVED_DOMAINS = (
    "kubernetes.io",
    "k8s.io",
    "dask.org",
    "scoremill.dev",
    "istio.io",  # adds volumes of any kind to the sidecar
    "cncf.io",  # k8s.v1.cni.cncf.io/networks attaches networks that no policy covers
    "iam.amazonaws.com",  # kiam and kube2iam grant the role that the pod names
)
"""Domains, including subdomains, of labels and annotations that select a pod or give it more rights."""
_OWN_PATHS = (names.TLS_FOLDER, names.SCRATCH)
_OWN_VOLUMES = ("tls", "scratch")


def forbidden_fields(template: Mapping[str, Any]) -> list[str]:
    """Return the paths of the fields that the user's `template` must not set."""
    return list(_TEMPLATE(template, "spec.cluster.template"))


def _anything(_value: Any, _path: str) -> Iterator[str]:
    return iter(())


def _if(accepted: Callable[[Any], bool], value: Any, path: str) -> Iterator[str]:
    if not accepted(value):
        yield path


def _fields(rules: Mapping[str, Rule], value: Any, path: str) -> Iterator[str]:
    """Allow a mapping with these keys only. A null is forbidden, because it would remove what scoremill sets."""
    if not isinstance(value, Mapping):
        yield path
        return
    for key, inner in value.items():
        rule = rules.get(key)
        yield from rule(inner, f"{path}.{key}") if rule else [f"{path}.{key}"]


def _items(key: str, rules: Mapping[str, Rule], value: Any, path: str) -> Iterator[str]:
    """Allow a list that is merged by `key`. Without keys, or empty, it would replace scoremill's own list."""
    if not isinstance(value, list) or not value:
        yield path
        return
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        is_keyed = isinstance(item, Mapping) and isinstance(item.get(key), str)
        yield from _fields(rules, item, where) if is_keyed else [where]


def _texts(value: Any, path: str) -> Iterator[str]:
    """Allow labels or annotations outside of the reserved domains."""
    if not isinstance(value, Mapping):
        yield path
        return
    for key in value:
        if _is_reserved(str(key)):
            yield f"{path}[{quoted(str(key))}]"


def _is_reserved(key: str) -> bool:
    domain = key.lower().rpartition("/")[0]
    return key == "aadpodidbinding" or f".{domain}".endswith(tuple(f".{each}" for each in RESERVED_DOMAINS))


def _is_elsewhere(mount: Any) -> bool:
    """Return whether scoremill mounts nothing at, above or below the path `mount`."""
    if not isinstance(mount, str):
        return False
    path = posixpath.normpath(f"/{mount.lstrip('/')}").rstrip("/") + "/"
    return not any(path.startswith(f"{own}/") or f"{own}/".startswith(path) for own in _OWN_PATHS)


def _is_usual_priority(value: Any) -> bool:
    """Return whether a priority class is not one of Kubernetes' own, which can evict everything else."""
    return value is None or (isinstance(value, str) and not value.startswith("system-"))


_METADATA: Rule = partial(_fields, {"labels": _texts, "annotations": _texts})
_CLAIM: Rule = partial(
    _fields,
    {
        "metadata": _METADATA,
        # No volumeName and no data sources: a claim could bind a volume with somebody else's data.
        "spec": partial(_fields, dict.fromkeys(("accessModes", "resources", "storageClassName"), _anything)),
    },
)
_some: Rule = partial(_if, lambda value: isinstance(value, Mapping))
"""Allow a mapping, but not null, which would remove the limits that scoremill sets."""
_VOLUME: Mapping[str, Rule] = {
    "name": partial(_if, lambda name: name not in _OWN_VOLUMES),
    **dict.fromkeys(("emptyDir", "configMap", "persistentVolumeClaim"), _some),
    "ephemeral": partial(_fields, {"volumeClaimTemplate": _CLAIM}),
}
_VARIABLE: Mapping[str, Rule] = {
    "name": _anything,
    "value": _anything,
    # No secretKeyRef: a job reads only the Secret in `spec.credentials`.
    "valueFrom": partial(_fields, dict.fromkeys(("configMapKeyRef", "fieldRef", "resourceFieldRef"), _anything)),
}
_MOUNT: Mapping[str, Rule] = {
    "mountPath": partial(_if, _is_elsewhere),
    "name": partial(_if, lambda name: isinstance(name, str)),
    **dict.fromkeys(("readOnly", "subPath"), _anything),
}


def _container(name: str) -> Mapping[str, Rule]:
    """Return the rules of the only allowed container; its image is set by `spec.cluster.image`."""
    return {
        "name": partial(_if, lambda given: given == name),
        "resources": partial(_fields, dict.fromkeys(("limits", "requests"), _some)),
        "env": partial(_items, "name", _VARIABLE),
        "volumeMounts": partial(_items, "mountPath", _MOUNT),
    }


def _pod(container: str) -> Mapping[str, Rule]:
    # No runtimeClassName: it decides how well the pod is isolated, and Kubernetes does not authorize its use.
    anywhere = ("nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "imagePullSecrets")
    return {
        **dict.fromkeys(anywhere, _anything),
        "priorityClassName": partial(_if, _is_usual_priority),
        "containers": partial(_items, "name", _container(container)),
        "volumes": partial(_items, "name", _VOLUME),
    }


def _part(name: str) -> Rule:
    return partial(_fields, {"metadata": _METADATA, "spec": partial(_fields, _pod(name))})


_TEMPLATE: Rule = partial(
    _fields,
    {
        # The operator rejects any but those of a DaskCluster.
        "apiVersion": _anything,
        "kind": _anything,
        "metadata": _METADATA,
        "spec": partial(_fields, {part: _part(part) for part in ("scheduler", "worker")}),
    },
)
