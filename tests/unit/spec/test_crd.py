"""The CustomResourceDefinitions say of a job what the models say, in the words that an API server takes."""

import copy
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scoremill.naming import spec_hash
from scoremill.spec import JobSpec
from scoremill.spec.resources import crd
from scoremill.spec.resources.schedule import ScheduleSpec
from scoremill.spec.resources.structural import structural
from scoremill.units import format_bytes, parse_bytes

FILES = Path(__file__).parents[3] / "helm" / "scoremill" / "files" / "crds"
JOB = {"model": {"uri": "s3://m/tip"}, "input": {"uris": ["s3://in/*.csv"]}, "output": {"uri": "s3://out/tips"}}
SCHEDULE = {"schedule": "0 3 * * *", "jobTemplate": {"spec": JOB}}

_BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties"}
_VALIDATIONS = _BOUNDS | {"pattern", "format", "enum", "required"}
_STRUCTURE = {"type", "description", "default", "nullable", "properties", "additionalProperties", "items", "anyOf"}
_EXTENSIONS = {
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
}


def schema_of(definition):
    return definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def below(schema, path=""):
    """Every schema in `schema`, itself first, with its place."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from below(field, f"{path}.{name}".lstrip("."))
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from below(schema[key], path + mark)


DEFINITIONS = crd.definitions()
PLACES = {
    f"{name.split('.')[0]}: {path}": schema
    for name, definition in DEFINITIONS.items()
    for path, schema in below(schema_of(definition))
}
each_definition = pytest.mark.parametrize("name", DEFINITIONS)


@each_definition
def test_the_chart_holds_them_within_a_page_or_two(name):
    text = (FILES / f"{name}.yaml").read_text()
    assert yaml.safe_load(text) == DEFINITIONS[name], "make generate"
    assert len(text.splitlines()) < 400


def test_the_chart_holds_no_others():
    assert {path.stem for path in FILES.iterdir()} == set(DEFINITIONS)


def test_schemas_are_structural():
    untyped = {"x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"}
    for place, schema in PLACES.items():
        assert schema.keys() <= _STRUCTURE | _VALIDATIONS | _EXTENSIONS, place
        assert isinstance(schema.get("type"), str) or any(schema.get(key) is True for key in untyped), place
        assert not {"properties", "additionalProperties"} <= schema.keys(), place
        assert isinstance(schema.get("additionalProperties", {}), dict), place
        assert isinstance(schema.get("exclusiveMinimum", True), bool), place
        for choice in schema.get("anyOf", []):
            assert choice.keys() <= _VALIDATIONS, f"{place}: in a choice there are validations only"


def test_everything_is_bounded_so_that_the_cost_of_rules_is():
    for place, schema in PLACES.items():
        match schema.get("type"):
            case "string":
                assert schema.keys() & {"maxLength", "enum", "format"}, place
            case "array":
                assert "maxItems" in schema, place
            case "object" if "additionalProperties" in schema:
                assert "maxProperties" in schema, place


def test_every_field_is_explained():
    for place, schema in PLACES.items():
        for name, field in schema.get("properties", {}).items():
            assert re.match(r"\S.*[.]$", field["description"]), f"{place}.{name}"


def defaulted(value, schema):
    """`value` as an API server completes it."""
    value = copy.deepcopy(value)
    for name, field in schema.get("properties", {}).items():
        if name not in value and "default" in field:
            value[name] = copy.deepcopy(field["default"])
        if isinstance(value.get(name), dict):
            value[name] = defaulted(value[name], field)
    return value


def optional_objects(schema, path=()):
    for name, field in schema.get("properties", {}).items():
        if field.get("type") == "object" and not field.get("required"):
            yield (*path, name)
        yield from optional_objects(field, (*path, name))


def with_empty(value, path):
    value = copy.deepcopy(value)
    inner = value
    for step in path:
        inner = inner.setdefault(step, {})
    return value


JOB_SCHEMA = structural(JobSpec, crd.RULES)


@pytest.mark.parametrize("path", [(), *optional_objects(JOB_SCHEMA)], ids=".".join)
def test_a_job_means_the_same_with_the_defaults_written_out(path):
    given_ = with_empty(JOB, path)
    assert JobSpec.model_validate(defaulted(given_, JOB_SCHEMA)) == JobSpec.model_validate(given_)


def test_a_schedule_means_the_same_with_the_defaults_written_out():
    schema = structural(ScheduleSpec, crd.RULES)
    assert defaulted(SCHEDULE, schema)["concurrencyPolicy"] == "Forbid"
    assert ScheduleSpec.model_validate(defaulted(SCHEDULE, schema)) == ScheduleSpec.model_validate(SCHEDULE)


def test_the_limits_of_a_run_are_shown_and_nothing_else():
    spec = defaulted(JOB, JOB_SCHEMA)
    assert spec["deadlines"] == {"preRunningSeconds": 900, "noProgressSeconds": 1800}
    assert spec["cleanup"] == {
        "onSuccess": "Delete",
        "onFailure": "Keep",
        "logHistoryLimit": 100,
        "logRetentionDays": 90,
    }
    assert spec["input"]["partitionBytes"] == "64MiB"
    assert not {"storage", "credentials", "suspend", "managedBy"} & spec.keys()
    assert "csv" not in spec["input"]


def test_no_limit_can_be_asked_for_although_one_is_the_default():
    fraction = JOB_SCHEMA["properties"]["errors"]["properties"]["maxFraction"]
    days = JOB_SCHEMA["properties"]["cleanup"]["properties"]["logRetentionDays"]
    assert (fraction["default"], days["default"]) == (0.01, 90)
    assert [schema for _, schema in below(JOB_SCHEMA) if schema.get("nullable")] == [fraction, days]


def test_templates_are_kept_as_they_are():
    template = JOB_SCHEMA["properties"]["cluster"]["properties"]["template"]
    spec = structural(ScheduleSpec, crd.RULES)["properties"]["jobTemplate"]["properties"]["spec"]
    for schema in (template, spec):
        assert schema["type"] == "object"
        assert schema["x-kubernetes-preserve-unknown-fields"] is True
        assert "properties" not in schema


SIZE = re.compile(JOB_SCHEMA["properties"]["input"]["properties"]["partitionBytes"]["pattern"], re.ASCII)


@given(st.from_regex(SIZE, fullmatch=True))
def test_a_size_that_the_api_server_takes_is_one(text):
    assert parse_bytes(text) >= 0


@given(st.integers(0, 2**50))
def test_a_size_that_is_shown_is_taken(count):
    assert SIZE.match(format_bytes(count))
    assert SIZE.match(f"{count}")


@pytest.mark.parametrize("text", ["", "MiB", "64 XiB", "-1", "1e9", "64i", "1.5.2GB"])
def test_what_is_no_size_is_taken_by_neither(text):
    assert not SIZE.match(text)
    with pytest.raises(ValueError, match="not a size"):
        parse_bytes(text)


def test_every_rule_is_somewhere():
    said = {
        rule["message"]
        for definition in DEFINITIONS.values()
        for _, schema in below(schema_of(definition))
        for rule in schema.get("x-kubernetes-validations", [])
    }
    assert {message for rules in crd.RULES.values() for _, message in rules} <= said


def test_no_rule_reads_a_field_that_can_be_absent():
    """An API server fails a rule that does."""
    for definition in DEFINITIONS.values():
        for path, schema in below(schema_of(definition)):
            for rule in schema.get("x-kubernetes-validations", []) if "properties" in schema else []:
                read = set(re.findall(r"self\.(\w+)", rule["rule"])) & schema["properties"].keys()
                asked = set(re.findall(r"has\(self\.(\w+)\)", rule["rule"]))
                there = {name for name, field in schema["properties"].items() if "default" in field}
                assert read <= asked | there | {*schema.get("required", [])}, (path, rule)


def test_all_but_suspend_and_the_number_of_workers_is_fixed_once_a_job_has_started():
    rules = schema_of(DEFINITIONS["scoringjobs.scoremill.dev"])["x-kubernetes-validations"]
    fixed = {rule["message"].split()[0].removeprefix("spec.") for rule in rules}
    cluster = {f"cluster.{name}" for name in JOB_SCHEMA["properties"]["cluster"]["properties"]}
    scalable = {"cluster.workers", "cluster.maxWorkers"}
    assert fixed == (JOB_SCHEMA["properties"].keys() | cluster) - {"suspend", "cluster"} - scalable


def test_the_hash_of_a_spec_knows_nothing_of_what_can_change_while_a_job_runs():
    specs = [
        {**JOB, **more}
        for more in (
            {"cluster": {"memory": "1GiB"}},
            {"cluster": {"memory": "1GiB", "workers": 4}},
            {"cluster": {"memory": "2GiB"}},
            {"cluster": {"memory": "1GiB", "maxWorkers": 9}, "suspend": True},
        )
    ]
    assert [spec_hash(spec) == spec_hash(specs[0]) for spec in specs] == [True, True, False, True]
