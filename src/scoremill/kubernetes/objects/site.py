"""The template of whoever runs the operator, laid under all that a job says itself."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from scoremill.spec import JobSpec, SecretRef

from .cluster import said_of
from .merge import merge


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
