"""Templates: laid over an object nearly as `kubectl patch` would, and a site's template laid under that of a job."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from scoremill.spec import JobSpec, SecretRef

_KEYS = {"volumeMounts": "mountPath"}
"""What tells the items of a list apart; `name` in all others."""


def merge(base: Any, over: Any, field: str = "", *, keeps_null: bool = False) -> Any:
    """`base` with `over` laid over it; neither is changed.

    Mappings are merged by key, and null removes one. Lists whose items have a name (containers, env, volumes …) are
    merged by it; other lists and all scalars are replaced. With `keeps_null` the result is a template again: its
    nulls remove once it is laid over something.
    """
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        merged = {key: merge(base.get(key), value, key, keeps_null=keeps_null) for key, value in over.items()}
        return {key: value for key, value in {**base, **merged}.items() if keeps_null or value is not None}
    key = _KEYS.get(field, "name")
    if _keyed(base, key) and _keyed(over, key):
        items = {item[key]: item for item in base}
        for item in over:
            items[item[key]] = merge(items.get(item[key]), item, keeps_null=keeps_null)
        return list(items.values())
    return over


def _keyed(value: Any, key: str) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) and key in item for item in value)


def said_of(template: Mapping[str, Any], part: str) -> dict[str, Any]:
    """What a template says of the container of `scheduler` or `worker`; empty where it says nothing."""
    containers = template.get("spec", {}).get(part, {}).get("spec", {}).get("containers", ())
    return next((each for each in containers if each["name"] == part), {})


def with_site(spec: JobSpec, site: Mapping[str, Any]) -> JobSpec:
    """`spec` with the site's template under its own, and the Secret that the site gives workers where it names none."""
    under = deepcopy(dict(site))
    for part in ("scheduler", "worker"):
        # What driver, scheduler and workers must have alike is no matter of a template.
        said_of(under, part).pop("image", None)
    worker, secret = said_of(under, "worker"), spec.credentials.secret_ref
    if worker:
        # An account is a namespace's own, and gives drivers rights: a job that wants one names it.
        under["spec"]["worker"]["spec"].pop("serviceAccountName", None)
    if env := [each for each in worker.pop("env", ()) if each["name"] not in spec.cluster.env]:
        worker["env"] = env
    if secret:
        worker.pop("envFrom", None)
    for each in worker.get("envFrom", ()):
        if secret is None and "secretRef" in each:
            secret = SecretRef(name=each["secretRef"]["name"])
    template = merge(under, spec.cluster.template, keeps_null=True)
    return spec.model_copy(
        update={
            "cluster": spec.cluster.model_copy(update={"template": template}),
            "credentials": spec.credentials.model_copy(update={"secret_ref": secret}),
        }
    )
