"""Schemas that an API server takes: of a model, without references and unions, bounded and explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from scoremill.units import exact_size

Schema = dict[str, Any]
Rules = tuple[tuple[str, str], ...]
"""Each a CEL expression, and what is said where it does not hold."""

LONGEST, MOST = 4096, 1024
"""Characters of a text and entries of a list or map where the model sets no limit: the cost of rules must be bounded."""
_KEPT = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "pattern", "format")
_SIZE = r"^\s*[0-9]*\.?[0-9]+\s*([KMGTkmgt][Ii]?)?[Bb]?\s*$"
"""What `units.parse_bytes` understands."""
_OPAQUE: Schema = {"x-kubernetes-preserve-unknown-fields": True}


def structural(model: type[BaseModel], rules: Mapping[str, Rules]) -> Schema:
    """The structural schema of `model`, with the `rules` of it and of the models in it by their names."""
    made = model.model_json_schema(by_alias=True, mode="serialization")
    inlined = _Inlined(made.get("$defs", {}), rules).schema(made, model.__name__)
    for name, field in inlined["properties"].items():
        # The limits of a job are always shown with their defaults; dialects and stores only if they are given.
        is_optional = name not in inlined.get("required", [])
        if is_optional and any("default" in inner for inner in field.get("properties", {}).values()):
            field["default"] = {}
    return inlined


@dataclass(frozen=True)
class _Inlined:
    """Schemas of pydantic's made structural: what they refer to is put in its place."""

    definitions: Mapping[str, Schema]
    rules: Mapping[str, Rules]

    def schema(self, schema: Schema, name: str = "") -> Schema:
        """The structural schema; `name` is the model's."""
        schema, name = self._resolved(schema, name)
        made: Schema = {"description": " ".join(schema["description"].split())} if "description" in schema else {}
        if "x-kubernetes-int-or-string" in schema:
            made["description"] += " Such as 64MiB, 4Gi or a plain number of bytes."
            made |= {"x-kubernetes-int-or-string": True, "maxLength": 32, "pattern": _SIZE}
        elif "x-kubernetes-preserve-unknown-fields" in schema:
            made |= {"type": "object"} | _OPAQUE
        elif "anyOf" in schema:
            made |= _choice(schema["anyOf"])
        else:
            made |= self._typed(schema)
        made |= {key: schema[key] for key in _KEPT if key in schema}
        if "exclusiveMinimum" in schema:
            made |= {"minimum": schema["exclusiveMinimum"], "exclusiveMinimum": True}
        made |= _default(schema)
        if name in self.rules:
            made["x-kubernetes-validations"] = [
                {"rule": rule, "message": message} for rule, message in self.rules[name]
            ]
        return made

    def _resolved(self, schema: Schema, name: str) -> tuple[Schema, str]:
        """Resolve a reference or an optional type; the description of the field comes first."""
        choices = [choice for choice in schema.get("anyOf", []) if choice.get("type") != "null"]
        if len(choices) == 1:
            nullable = {"nullable": True} if len(schema["anyOf"]) > 1 else {}
            return self._resolved(choices[0] | nullable | {k: v for k, v in schema.items() if k != "anyOf"}, name)
        if choices and "x-kubernetes-int-or-string" not in schema:
            schema = schema | {"anyOf": choices}
        if "$ref" not in schema:
            return schema, name
        name = schema["$ref"].rsplit("/", 1)[1]
        target = self.definitions[name]
        own = {key: value for key, value in schema.items() if key not in {"$ref", "description"}}
        words = schema.get("description", "")
        # A short description such as "The model." adds nothing to the description of the type.
        text = f"{words} {target['description']}" if len(words.split()) > 3 else target["description"]
        return {**target, **own, "description": text}, name

    def _typed(self, schema: Schema) -> Schema:
        match schema.get("type"):
            case "object" if "properties" in schema:
                fields = {key: self.schema(value) for key, value in schema["properties"].items()}
                # What is computed is written like the rest.
                computed = {key for key, value in schema["properties"].items() if value.get("readOnly")}
                required = [key for key in schema.get("required", []) if key not in computed]
                return {"type": "object"} | ({"required": required} if required else {}) | {"properties": fields}
            case "object" if isinstance(schema.get("additionalProperties"), dict):
                values = self.schema(schema["additionalProperties"])
                return {"type": "object", "maxProperties": MOST, "additionalProperties": values}
            case "object":
                return {"type": "object"} | _OPAQUE
            case "array":
                made: Schema = {"type": "array", "maxItems": MOST, "items": self.schema(schema["items"])}
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
        return {"default": exact_size(default)}
    # Null means something else than the default, such as a budget without limit.
    return {"default": default} | ({"nullable": True} if schema.get("nullable") else {})
