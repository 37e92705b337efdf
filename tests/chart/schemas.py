"""JSON schemas of Kubernetes' objects for kubeconform, from the OpenAPI document in Kubernetes' own source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.chart.tools import KUBERNETES, source

Schema = dict[str, Any]

FILE = "{{.ResourceKind}}{{.KindSuffix}}.json"
"""Name of an object's schema, as kubeconform looks for it."""
_PREFIX = "#/definitions/"
_SCALARS = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
}
"""Text in the OpenAPI document, that can also be a number."""


def write_schemas(folder: Path, kinds: set[tuple[str, str]]) -> None:
    """Writes one file for each (apiVersion, kind); fields that Kubernetes does not know are refused."""
    document = source("k8s.io/kubernetes", KUBERNETES) / "api" / "openapi-spec" / "swagger.json"
    definitions: dict[str, Schema] = json.loads(document.read_text())["definitions"] | _SCALARS
    for definition in definitions.values():
        if "properties" in definition:
            definition.setdefault("additionalProperties", False)
    names = {
        ("/".join(filter(None, [known["group"], known["version"]])), known["kind"]): name
        for name, definition in definitions.items()
        for known in definition.get("x-kubernetes-group-version-kind", [])
    }
    for version, kind in kinds:
        name = names[version, kind]
        schema = {"$ref": _PREFIX + name, "definitions": _reached(definitions, name)}
        group = version.split("/")[0].split(".")[0]
        suffix = f"-{group}-{version.rsplit('/')[-1]}" if "/" in version else f"-{version}"
        (folder / f"{kind.lower()}{suffix}.json").write_text(json.dumps(schema))


def _reached(definitions: dict[str, Schema], name: str) -> dict[str, Schema]:
    reached, pending = {}, [name]
    while pending:
        name = pending.pop()
        if name not in reached:
            reached[name] = definitions[name]
            pending += [part.split('"')[0] for part in json.dumps(definitions[name]).split(f'"{_PREFIX}')[1:]]
    return reached
