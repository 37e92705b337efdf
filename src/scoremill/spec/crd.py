"""The CustomResourceDefinitions, made from the models: what `kubectl apply` takes, shows and explains.

What is chosen and why: docs/design/0008-operator.md, Definitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from scoremill.units import format_bytes

from .job import API_VERSION, JobSpec, ScoringJob
from .schedule import ScheduleSpec, ScheduleStatus, ScoringSchedule
from .status import JobStatus

Schema = dict[str, Any]

GROUP, VERSION = API_VERSION.split("/")
LONGEST, MOST = 4096, 1024
"""Characters of a text and entries of a list or map where the model sets no limit: the cost of rules must be bounded."""
_KEPT = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "pattern", "format")
_SIZE = r"^\s*[0-9]*\.?[0-9]+\s*([KMGTkmgt][Ii]?)?[Bb]?\s*$"
"""What `units.parse_bytes` understands."""
_OPAQUE: Schema = {"x-kubernetes-preserve-unknown-fields": True}

Rules = tuple[tuple[str, str], ...]
"""Each a CEL expression, and what is said where it does not hold."""

RULES: Mapping[str, Rules] = {
    "Workers": (("self.min <= self.max", "min is above max"),),
    "Csv": (
        (
            "self.header != (has(self.columns) && size(self.columns) > 0)",
            "columns names the columns of files without a header: give it where header is false, and only there",
        ),
        ("self.delimiter != self.quote", "delimiter and quote are the same character"),
    ),
    "Input": (
        (
            "!has(self.since) || self.since != 'LastSuccess'",
            "LastSuccess is for the jobTemplate of a ScoringSchedule; give a time here",
        ),
        (
            "!has(self.since) || !has(self.until) || self.since == 'LastSuccess'"
            " || timestamp(self.since) <= self.until",
            "since is after until",
        ),
    ),
    "Storage": (
        (
            "!has(self.endpoint) || !self.endpoint.matches('://([^/?#]*@|.*[?].)')",
            "endpoint is a URL with a user, a password or a query; a job never holds a credential",
        ),
    ),
    "ScheduleSpec": (
        ("!self.schedule.contains('TZ=')", "a schedule holds no time zone; timeZone does"),
        (
            r"self.schedule.matches('^(@[a-z]+|\\s*[^@\\s]\\S*(\\s+\\S+){4}\\s*)$')",
            "a schedule has five fields: minute, hour, day of the month, month, day of the week",
        ),
    ),
}
"""By the name of the model."""


def definitions() -> dict[str, Schema]:
    """The CustomResourceDefinitions by their full names."""
    both = [_definition(ScoringJob, JobSpec, JobStatus), _definition(ScoringSchedule, ScheduleSpec, ScheduleStatus)]
    return {each["metadata"]["name"]: each for each in both}


def _definition(resource: type[BaseModel], spec: type[BaseModel], status: type[BaseModel]) -> Schema:
    kind = resource.__name__
    names = {"kind": kind, "listKind": f"{kind}List", "plural": f"{kind.lower()}s", "singular": kind.lower()}
    root: Schema = {
        "type": "object",
        "description": resource.__doc__,
        "required": ["spec"],
        "properties": {"spec": structural(spec), "status": structural(status)},
    }
    if rules := list(_fixed_once_begun()) if kind == "ScoringJob" else []:
        root["x-kubernetes-validations"] = rules
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": list(_columns(kind)),
        "schema": {"openAPIV3Schema": root},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {**names, "shortNames": [_SHORT_NAMES[kind]], "categories": ["scoremill"]},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


_SHORT_NAMES = {"ScoringJob": "smj", "ScoringSchedule": "sms"}
"""`sj` is KEDA's."""

_COLUMNS = {
    "ScoringJob": (
        ("Phase", "string", ".status.phase", 0),
        ("Progress", "string", ".status.progress.summary", 0),
        ("Rows", "integer", ".status.progress.rows.done", 0),
        ("Rejected", "integer", ".status.progress.rows.rejected", 0),
        ("Workers", "integer", ".status.cluster.workers.ready", 0),
        ("Age", "date", ".metadata.creationTimestamp", 0),
        ("Model", "string", ".spec.model.uri", 1),
        ("Output", "string", ".spec.output.uri", 1),
        ("Reason", "string", ".status.failure.reason", 1),
    ),
    "ScoringSchedule": (
        ("Schedule", "string", ".spec.schedule", 0),
        ("Time Zone", "string", ".spec.timeZone", 0),
        ("Suspend", "boolean", ".spec.suspend", 0),
        ("Last Schedule", "date", ".status.lastScheduleTime", 0),
        ("Last Success", "date", ".status.lastSuccessfulTime", 0),
        ("Age", "date", ".metadata.creationTimestamp", 0),
        ("Concurrency", "string", ".spec.concurrencyPolicy", 1),
        ("Next", "string", ".status.nextScheduleTime", 1),
        ("Active", "string", ".status.active", 1),
    ),
}


def _columns(kind: str) -> Iterator[Schema]:
    for name, type_, path, priority in _COLUMNS[kind]:
        yield {"name": name, "type": type_, "jsonPath": path} | ({"priority": priority} if priority else {})


def _fixed_once_begun() -> Iterator[Schema]:
    # On the root: a rule on an optional field itself does not see it come or go.
    begun = "has(oldSelf.status) && has(oldSelf.status.startTime)"
    for name in (field.alias or key for key, field in JobSpec.model_fields.items()):
        here, before = f"self.spec.{name}", f"oldSelf.spec.{name}"
        same = f"has({here}) == has({before}) && (!has({here}) || {here} == {before})"
        if name == "managedBy":
            yield {"rule": same, "message": "spec.managedBy cannot be changed"}
        elif name != "suspend":
            message = f"spec.{name} cannot be changed once the job has begun; only spec.suspend can"
            yield {"rule": f"!({begun}) || ({same})", "message": message}


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of `model`: nothing is referred to, each field has one type, a limit and a description."""
    made = model.model_json_schema(by_alias=True, mode="serialization")
    inlined = _structural(made, made.get("$defs", {}), model.__name__)
    for name, field in inlined["properties"].items():
        # The limits that a job runs under are told in full; dialects and stores only where they are spoken of.
        is_optional = name not in inlined.get("required", [])
        if is_optional and any("default" in inner for inner in field.get("properties", {}).values()):
            field["default"] = {}
    return inlined


def _structural(schema: Schema, definitions: Schema, name: str = "") -> Schema:
    schema, name = _resolved(schema, definitions, name)
    made: Schema = {"description": " ".join(schema["description"].split())} if "description" in schema else {}
    if "x-kubernetes-int-or-string" in schema:
        made["description"] += " Such as 64MiB, 4Gi or a plain number of bytes."
        made |= {"x-kubernetes-int-or-string": True, "maxLength": 32, "pattern": _SIZE}
    elif "x-kubernetes-preserve-unknown-fields" in schema:
        made |= {"type": "object"} | _OPAQUE
    elif "anyOf" in schema:
        made |= _choice(schema["anyOf"])
    else:
        made |= _typed(schema, definitions)
    made |= {key: schema[key] for key in _KEPT if key in schema}
    if "exclusiveMinimum" in schema:
        made |= {"minimum": schema["exclusiveMinimum"], "exclusiveMinimum": True}
    made |= _default(schema)
    if name in RULES:
        made["x-kubernetes-validations"] = [{"rule": rule, "message": message} for rule, message in RULES[name]]
    return made


def _resolved(schema: Schema, definitions: Schema, name: str) -> tuple[Schema, str]:
    """What is referred to, or is there beside null, with the field's own words before it."""
    choices = [choice for choice in schema.get("anyOf", []) if choice.get("type") != "null"]
    if any("$ref" in choice for choice in choices):
        # A plain number of workers is for files and flags: a structural schema has one type.
        choices = [choice for choice in choices if "$ref" in choice]
    if len(choices) == 1:
        nullable = {"nullable": True} if len(schema["anyOf"]) > 1 else {}
        return _resolved(choices[0] | nullable | {k: v for k, v in schema.items() if k != "anyOf"}, definitions, name)
    if choices and "x-kubernetes-int-or-string" not in schema:
        schema = schema | {"anyOf": choices}
    if "$ref" not in schema:
        return schema, name
    name = schema["$ref"].rsplit("/", 1)[1]
    target = definitions[name]
    own = {key: value for key, value in schema.items() if key not in {"$ref", "description"}}
    words = schema.get("description", "")
    # "The model." says nothing beside what a model is.
    text = f"{words} {target['description']}" if len(words.split()) > 3 else target["description"]
    return {**target, **own, "description": text}, name


def _typed(schema: Schema, definitions: Schema) -> Schema:
    match schema.get("type"):
        case "object" if "properties" in schema:
            fields = {key: _structural(value, definitions) for key, value in schema["properties"].items()}
            # What is computed is written like the rest.
            computed = {key for key, value in schema["properties"].items() if value.get("readOnly")}
            required = [key for key in schema.get("required", []) if key not in computed]
            return {"type": "object"} | ({"required": required} if required else {}) | {"properties": fields}
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            values = _structural(schema["additionalProperties"], definitions)
            return {"type": "object", "maxProperties": MOST, "additionalProperties": values}
        case "object":
            return {"type": "object"} | _OPAQUE
        case "array":
            made: Schema = {"type": "array", "maxItems": MOST, "items": _structural(schema["items"], definitions)}
            if "type" in made["items"].get("properties", {}):
                made |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
            return made
        case "string" if "enum" in schema or "const" in schema:
            return {"type": "string", "enum": schema.get("enum", [schema.get("const")])}
        case "string":
            return {"type": "string"} | ({} if "format" in schema else {"maxLength": LONGEST})
        case kind:
            return {"type": kind}


def _choice(choices: list[Schema]) -> Schema:
    """One of several spellings of a text; anything where the types differ."""
    if {choice["type"] for choice in choices} != {"string"}:
        return dict(_OPAQUE)
    spelt = [{"enum": [choice["const"]]} if "const" in choice else {"format": choice["format"]} for choice in choices]
    return {"type": "string", "maxLength": 64, "anyOf": spelt}


def _default(schema: Schema) -> Schema:
    """What the API server writes where nothing is given; what is off, empty or absent by default stays out."""
    default = schema.get("default")
    if not default or isinstance(default, list | dict):
        return {}
    if "x-kubernetes-int-or-string" in schema:
        return {"default": format_bytes(default).replace(" ", "")}
    # Null means something else than the default, such as a budget without limit.
    return {"default": default} | ({"nullable": True} if schema.get("nullable") else {})
