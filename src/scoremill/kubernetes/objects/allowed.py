"""What `spec.cluster.template` may set if the operator restricts templates: an allow-list, so that new fields are refused.

Who may create ScoringJobs must not be able to do more than run code in a pod without privileges: no host, no other
containers, no account, no Service, and no label by which Kubernetes or a network policy takes the pod for another.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from . import names

Rule = Callable[[Any, str], Iterator[str]]
"""Yields the paths of the fields in a value, which is at a path, that are not allowed."""

RESERVED_DOMAINS = (
    "kubernetes.io",
    "k8s.io",
    "dask.org",
    "scoremill.dev",
    "istio.io",  # gives the sidecar volumes of any kind
    "cncf.io",  # k8s.v1.cni.cncf.io/networks attaches networks that no policy covers
    "iam.amazonaws.com",  # kiam and kube2iam give the role that the pod names
)
"""Domains, including their subdomains, of labels and annotations by which a pod is selected or gets more than others."""
_OWN_PATHS = (names.TLS_FOLDER, names.SCRATCH)
_OWN_VOLUMES = ("tls", "scratch")


def forbidden_fields(template: Mapping[str, Any]) -> list[str]:
    """Return the paths of the fields that `template`, as the user gave it, may not set."""
    return list(_TEMPLATE(template, "spec.cluster.template"))


def _anything(_value: Any, _path: str) -> Iterator[str]:
    return iter(())


def _if(accepted: Callable[[Any], bool], value: Any, path: str) -> Iterator[str]:
    if not accepted(value):
        yield path


def _fields(rules: Mapping[str, Rule], value: Any, path: str) -> Iterator[str]:
    """A mapping with no other keys. A null is refused: it would remove what scoremill itself sets."""
    if not isinstance(value, Mapping):
        yield path
        return
    for key, inner in value.items():
        rule = rules.get(key)
        yield from rule(inner, f"{path}.{key}") if rule else [f"{path}.{key}"]


def _items(key: str, rules: Mapping[str, Rule], value: Any, path: str) -> Iterator[str]:
    """A list that is merged by `key`. One that is empty, or has an item without it, would replace scoremill's own."""
    if not isinstance(value, list) or not value:
        yield path
        return
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        is_keyed = isinstance(item, Mapping) and isinstance(item.get(key), str)
        yield from _fields(rules, item, where) if is_keyed else [where]


def _texts(value: Any, path: str) -> Iterator[str]:
    """Labels or annotations outside of the reserved domains."""
    if not isinstance(value, Mapping):
        yield path
        return
    for key in value:
        if _is_reserved(str(key)):
            yield f"{path}[{str(key)!r}]"


def _is_reserved(key: str) -> bool:
    domain = key.lower().rpartition("/")[0]
    return key == "aadpodidbinding" or f".{domain}".endswith(tuple(f".{each}" for each in RESERVED_DOMAINS))


def _is_elsewhere(mount: Any) -> bool:
    """Whether nothing that scoremill mounts is at, above or below the path `mount`."""
    if not isinstance(mount, str):
        return False
    path = posixpath.normpath(f"/{mount.lstrip('/')}").rstrip("/") + "/"
    return not any(path.startswith(f"{own}/") or f"{own}/".startswith(path) for own in _OWN_PATHS)


def _is_usual_priority(value: Any) -> bool:
    """Whether it is not one of Kubernetes' own, before which everything else is evicted."""
    return value is None or (isinstance(value, str) and not value.startswith("system-"))


_METADATA: Rule = partial(_fields, {"labels": _texts, "annotations": _texts})
_CLAIM: Rule = partial(
    _fields,
    {
        "metadata": _METADATA,
        # Without volumeName and sources of data: a claim could take a volume that holds another's data.
        "spec": partial(_fields, dict.fromkeys(("accessModes", "resources", "storageClassName"), _anything)),
    },
)
_some: Rule = partial(_if, lambda value: isinstance(value, Mapping))
"""A null would remove the bounds that scoremill sets."""
_VOLUME: Mapping[str, Rule] = {
    "name": partial(_if, lambda name: name not in _OWN_VOLUMES),
    **dict.fromkeys(("emptyDir", "configMap", "persistentVolumeClaim"), _some),
    "ephemeral": partial(_fields, {"volumeClaimTemplate": _CLAIM}),
}
_VARIABLE: Mapping[str, Rule] = {
    "name": _anything,
    "value": _anything,
    # No secretKeyRef: the Secret of a job is the one in `spec.credentials`.
    "valueFrom": partial(_fields, dict.fromkeys(("configMapKeyRef", "fieldRef", "resourceFieldRef"), _anything)),
}
_MOUNT: Mapping[str, Rule] = {
    "mountPath": partial(_if, _is_elsewhere),
    "name": partial(_if, lambda name: isinstance(name, str)),
    **dict.fromkeys(("readOnly", "subPath"), _anything),
}


def _container(name: str) -> Mapping[str, Rule]:
    """The container `name`; others are not allowed. Its image is `spec.cluster.image`."""
    return {
        "name": partial(_if, lambda given: given == name),
        "resources": partial(_fields, dict.fromkeys(("limits", "requests"), _some)),
        "env": partial(_items, "name", _VARIABLE),
        "volumeMounts": partial(_items, "mountPath", _MOUNT),
    }


def _pod(container: str) -> Mapping[str, Rule]:
    # No runtimeClassName: who chooses the runtime chooses how well the pod is isolated, and Kubernetes checks no right.
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
        # Those of a DaskCluster: the operator refuses all others.
        "apiVersion": _anything,
        "kind": _anything,
        "metadata": _METADATA,
        "spec": partial(_fields, {part: _part(part) for part in ("scheduler", "worker")}),
    },
)
