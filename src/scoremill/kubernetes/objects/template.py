"""Merge templates: a job's into a rendered object, similar to `kubectl patch`, and a job's into the administrator's."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from scoremill.spec import JobSpec, SecretRef

_KEYS = {"volumeMounts": "mountPath"}
"""The key that identifies the items of a list; `name` for all other lists."""


def strategic_merge(base: Any, over: Any, field: str = "", *, keeps_null: bool = False) -> Any:
    """Return `over` merged into `base`; neither is changed.

    Mappings are merged by key, and null removes a key. Lists whose items have a name (containers, env, volumes …) are
    merged by name; other lists and all scalars are replaced. With `keeps_null` the result is a template again, with
    its nulls.
    """
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        merged = {key: strategic_merge(base.get(key), value, key, keeps_null=keeps_null) for key, value in over.items()}
        return {key: value for key, value in {**base, **merged}.items() if keeps_null or value is not None}
    key = _KEYS.get(field, "name")
    if _keyed(base, key) and _keyed(over, key):
        items = {item[key]: item for item in base}
        for item in over:
            items[item[key]] = strategic_merge(items.get(item[key]), item, keeps_null=keeps_null)
        return list(items.values())
    return over


def _keyed(value: Any, key: str) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) and key in item for item in value)


def said_of(template: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Return the container of `scheduler` or `worker` in a template; empty if the template has none."""
    containers = template.get("spec", {}).get(part, {}).get("spec", {}).get("containers", ())
    return next((each for each in containers if each["name"] == part), {})


def with_site(spec: JobSpec, site: Mapping[str, Any]) -> JobSpec:
    """Return `spec` with its template merged into the administrator's, and the Secret of that as the default."""
    under = deepcopy(dict(site))
    for part in ("scheduler", "worker"):
        # Driver, scheduler and workers must use the same image, so a template cannot set it.
        said_of(under, part).pop("image", None)
    worker, secret = said_of(under, "worker"), spec.credentials.secret_ref
    if worker:
        # A service account belongs to a namespace and gives the driver rights, so only a job can name it.
        under["spec"]["worker"]["spec"].pop("serviceAccountName", None)
    if env := [each for each in worker.pop("env", ()) if each["name"] not in spec.cluster.env]:
        worker["env"] = env
    if secret:
        worker.pop("envFrom", None)
    for each in worker.get("envFrom", ()):
        if secret is None and "secretRef" in each:
            secret = SecretRef(name=each["secretRef"]["name"])
    template = strategic_merge(under, spec.cluster.template, keeps_null=True)
    return spec.model_copy(
        update={
            "cluster": spec.cluster.model_copy(update={"template": template}),
            "credentials": spec.credentials.model_copy(update={"secret_ref": secret}),
        }
    )
