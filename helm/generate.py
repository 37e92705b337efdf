"""Write what is made: the values' schema and table from values.yaml, the CustomResourceDefinitions from `spec`, the
operator's rights from its own table, Chart.lock from Chart.yaml.

python helm/generate.py            write them
python helm/generate.py --check    say which of those in the tree are old (exit 1), write nothing

Each key of values.yaml has its description in the comment above it, or is a group of such keys, which takes no others.
Types are those of the defaults.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scoremill.spec.resources import crd
from scoremill_operator import rules

CHART = Path(__file__).resolve().parent / "scoremill"
SUBCHART = "dask-kubernetes-operator"
CRDS = CHART / "files" / "crds"
RULES = CHART / "files" / "operator-rules.yaml"
BEGIN, END = "<!-- values -->\n", "<!-- end of values -->\n"

Schema = dict[str, Any]

_DIGEST = {"pattern": "^(sha256:[0-9a-f]{64})?$"}
_TAG = {"pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?$"}
_NO_CPU_OR_MEMORY = {"propertyNames": {"not": {"enum": ["cpu", "memory"]}}}


def _items(*required: str) -> Schema:
    return {"items": {"type": "object", "required": [*required]}}


def _resources(each: Schema) -> Schema:
    return {
        "additionalProperties": False,
        "properties": {"limits": each, "requests": each, "claims": {"type": "array"}},
    }


NARROWER: dict[str, Schema] = {
    "image.digest": _DIGEST,
    "image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "imagePullSecrets": _items("name"),
    "rbac.jobSubjects": _items("kind", "name"),
    "rbac.clusterSubjects": _items("kind", "name"),
    "namespaces": {"items": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}},
    "operator.templates": {"enum": ["Restricted", "Any"]},
    "operator.serviceAccounts": {"items": {"type": "string", "pattern": "^([-a-z0-9]+/)?[-a-z0-9.]+$"}},
    "operator.replicas": {"minimum": 1},
    "operator.args": {"items": {"type": "string"}},
    "operator.tolerations": _items(),
    "operator.driverResources": _resources({"type": "object"}),
    "operator.resources": _resources({"type": "object"}),
    "operator.image.digest": _DIGEST,
    "operator.image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "networkPolicies.apiServerPorts": {"items": {"type": "integer", "minimum": 1, "maximum": 65535}, "minItems": 1},
    "networkPolicies.apiServer": {"items": {"type": "string", "pattern": "^[0-9a-fA-F.:]+/[0-9]+$"}},
    "networkPolicies.egress": _items(),
    "clusters.env": _items("name"),
    "clusters.scheduler.resources": _resources({"type": "object"}),
    "clusters.scheduler.tolerations": _items(),
    "clusters.worker.resources": _resources({"type": "object"} | _NO_CPU_OR_MEMORY),
    "clusters.worker.tolerations": _items(),
    "dask-kubernetes-operator.image.tag": _TAG,
}
"""What a default cannot tell."""
_TYPES = {str: "string", bool: "boolean", int: "integer", list: "array", dict: "object"}


@dataclass(frozen=True)
class Value:
    """A key of values.yaml that has a description."""

    path: str
    default: Any
    description: str


def values() -> list[Value]:
    """Every described key, in the order of the file."""
    text = (CHART / "values.yaml").read_text()
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    return list(_described(root, yaml.safe_load(text), text.splitlines(), ""))


def _described(node: yaml.MappingNode, loaded: dict[str, Any], lines: list[str], prefix: str) -> Iterator[Value]:
    for key, value in node.value:
        path, default = f"{prefix}{key.value}", loaded[key.value]
        description = _comment_above(lines, key)
        is_group = isinstance(value, yaml.MappingNode) and bool(value.value)
        if is_group and (not description or _comment_above(lines, value.value[0][0])):
            yield from _described(value, default, lines, f"{path}.")
        elif description:
            yield Value(path, default, description)
        else:
            raise SystemExit(f"{path} in values.yaml has no description above it")


def _comment_above(lines: list[str], key: yaml.Node) -> str:
    comment: list[str] = []
    at = key.start_mark.line
    while at and lines[at - 1].lstrip().startswith("#"):
        at -= 1
        comment.insert(0, lines[at].lstrip().removeprefix("#").strip())
    return " ".join(comment)


def schema() -> Schema:
    """The JSON schema with which helm refuses values that nothing reads."""
    made = _object(is_open=False)
    made["$schema"] = "http://json-schema.org/draft-07/schema#"
    made["properties"]["global"] = {"type": "object"}  # helm's own
    for value in values():
        *parents, name = value.path.split(".")
        place = made
        for parent in parents:
            # The subchart has more values than are listed here.
            place = place["properties"].setdefault(parent, _object(is_open=parents[0] == SUBCHART))
        kind = {"type": _TYPES[type(value.default)], "description": value.description}
        place["properties"][name] = kind | NARROWER.get(value.path, {})
    return made


def _object(*, is_open: bool) -> Schema:
    return {"type": "object", "additionalProperties": is_open, "properties": {}}


def table() -> str:
    """The values as a table in Markdown."""
    rows = [f"| `{each.path}` | {_cell(each.default)} | {each.description} |" for each in values()]
    return "\n".join(["| value | default | |", "|---|---|---|", *rows, ""])


def _cell(default: Any) -> str:
    return f"`{json.dumps(default)}`" if not isinstance(default, dict) or not default else "see values.yaml"


def definition_page(definition: Schema) -> str:
    """A CustomResourceDefinition as YAML, each field on a line."""
    text = yaml.safe_dump(definition, sort_keys=False, allow_unicode=True)
    root = yaml.compose(text)
    assert root is not None
    _set_flow(root)
    return (
        f"# Made by helm/generate.py from src/scoremill/spec.\n{yaml.serialize(root, width=10_000, allow_unicode=True)}"
    )


def rules_page() -> str:
    """Return the operator's permissions: in each watched namespace, in its own, and cluster-wide."""
    parts = {"namespaces": rules.RULES, "own": rules.LEASE_RULES, "cluster": rules.CLUSTER_RULES}
    text = yaml.safe_dump({name: rules.as_role(each) for name, each in parts.items()}, sort_keys=False, width=120)
    return f"# Made by helm/generate.py from operator/scoremill_operator/rules.py.\n{text}"


def lock_page() -> str:
    """Chart.lock as `helm dependency update` writes it. Chart.yaml names exact versions, so no repository is asked."""
    wanted: list[dict[str, str]] = yaml.safe_load((CHART / "Chart.yaml").read_text())["dependencies"]
    asked = [{key: each[key] for key in ("name", "version", "repository", "condition")} for each in wanted]
    locked = [{key: each[key] for key in ("name", "version", "repository")} for each in wanted]
    # Helm compares this digest, of both lists as Go writes them, to see whether the lock is that of Chart.yaml.
    digest = hashlib.sha256(json.dumps([asked, locked], separators=(",", ":")).encode()).hexdigest()
    text = yaml.safe_dump({"dependencies": locked, "digest": f"sha256:{digest}"}, sort_keys=False)
    return f"# Made by helm/generate.py from Chart.yaml.\n{text}"


def _set_flow(node: yaml.Node) -> bool:
    """Return whether `node` fits on a line, as what holds no further fields and no list of objects does."""
    if isinstance(node, yaml.MappingNode):
        fits = [_set_flow(value) for _, value in node.value]
        fields = [value for key, value in node.value if key.value == "properties"]
        node.flow_style = all(fits) and not fields
        for each in fields:
            each.flow_style = False
    elif isinstance(node, yaml.SequenceNode):
        fits = [_set_flow(value) for value in node.value]
        node.flow_style = all(isinstance(value, yaml.ScalarNode) for value in node.value)
    else:
        return True
    return bool(node.flow_style)


def pages() -> dict[Path, str]:
    """Every generated file and what it should hold."""
    readme = CHART / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return {
        CHART / "values.schema.json": json.dumps(schema(), indent=2) + "\n",
        **{CRDS / f"{name}.yaml": definition_page(each) for name, each in crd.definitions().items()},
        RULES: rules_page(),
        CHART / "Chart.lock": lock_page(),
        readme: f"{before}{BEGIN}\n{table()}\n{END}{after}",
    }


def main() -> int:
    old = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in old:
            print(f"{path.relative_to(CHART.parent.parent)} is old: make generate")
        return 1 if old else 0
    for path in old:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages()[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
