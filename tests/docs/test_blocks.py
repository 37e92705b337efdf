"""YAML and commands on pages match the schemas and the command line."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml

from scoremill.cli import app
from scoremill.cli.flags.fields import paths
from scoremill.spec import parse_job
from tests.docs.pages import PROSE, ROOT, blocks

REFERENCE = ROOT / "docs" / "reference"
SCHEMAS = {
    "ScoringJob": json.loads((REFERENCE / "job.schema.json").read_text()),
    "ScoringSchedule": json.loads((REFERENCE / "schedule.schema.json").read_text()),
}
VALUES = json.loads((ROOT / "helm" / "scoremill" / "values.schema.json").read_text())
MINIMAL = {"model": {"uri": "m"}, "input": {"uris": ["i"]}, "output": {"uri": "o"}}
# Options of other programs on the pages.
FOREIGN = {"--reserved-account", "--all-namespaces", "--pod-network-cidr", "--from-env-file", "--take-ownership"}

YAML = [(page, text) for page in PROSE for text in blocks(page, "yaml")]
COMMANDS = [
    (page, line)
    for page in PROSE
    for text in (*blocks(page, "console"), *blocks(page, "sh"))
    for line in text.replace("\\\n", " ").splitlines()
    if re.match(r"(\$ )?scoremill ", line)
]


def name(value: object) -> str:
    """Return a short name of a page, a block or a command."""
    return value.stem if isinstance(value, Path) else str(value).strip().split("\n")[0][:60]


def check_yaml(document: Any) -> None:
    """Raise if a job, a schedule, a template, a fragment of a job, or chart values have an invalid field."""
    if schema := SCHEMAS.get(document.get("kind", "")):
        jsonschema.validate(document, schema)
    elif "apiVersion" in document or set(document) & {"on", "jobs", True}:
        assert document  # a file of another program
    elif "spec" in document and {"worker", "scheduler"} & set(document["spec"]):
        spec = MINIMAL | {"cluster": {"template": document}}
        parse_job({"apiVersion": "scoremill.dev/v1alpha1", "kind": "ScoringJob", "spec": spec})
    elif "spec" in document:
        spec = {part: MINIMAL.get(part, {}) | document["spec"].get(part, {}) for part in {*MINIMAL, *document["spec"]}}
        jsonschema.validate({"spec": spec}, SCHEMAS["ScoringJob"])
    else:
        jsonschema.validate(document, VALUES)


@pytest.mark.parametrize(("page", "text"), YAML, ids=name)
def test_yaml_of_a_page_is_valid(page: Path, text: str) -> None:
    for document in yaml.safe_load_all(text):
        check_yaml(document)


@pytest.mark.parametrize(
    "text",
    [
        "kind: ScoringJob\nspec: {model: {}}",
        "spec: {input: {uri: x}}",
        "spec: {worker: {}}\nkind: ScoringJob",
        "serviceAccounts: {workers: {}}",
    ],
)
def test_yaml_with_an_invalid_field_is_found(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check_yaml(yaml.safe_load(text))


def check_command(line: str) -> None:
    """Raise if the command or one of its options does not exist."""
    words = shlex.split(line.removeprefix("$ "), comments=True)[1:]
    end = next((place for place, word in enumerate(words) if word in {"|", "&&", ">", "||"}), len(words))
    command: click.Command = app
    context = click.Context(app)
    words = words[:end]
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words.pop(0))
        assert found is not None, f"command not found: {line}"
        command = found
    options = {opt for param in command.get_params(context) for opt in (*param.opts, *param.secondary_opts)}
    for word in words:
        if re.match(r"--?[a-z]", word):
            assert word.split("=")[0] in options, f"{word} is not an option of: {line}"


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=name)
def test_command_on_a_page_exists_with_its_options(page: Path, line: str) -> None:
    check_command(line)


@pytest.mark.parametrize("line", ["scoremill job explain x", "scoremill score --inputs x", "scoremill verify x -q"])
def test_command_that_does_not_exist_is_found(line: str) -> None:
    with pytest.raises(AssertionError):
        check_command(line)


def every_option(command: click.Command, context: click.Context) -> set[str]:
    """Return the options of a command and its subcommands."""
    found = {opt for param in command.get_params(context) for opt in (*param.opts, *param.secondary_opts)}
    if isinstance(command, click.Group):
        children = [command.get_command(context, child) for child in command.list_commands(context)]
        return found.union(*(every_option(child, context) for child in children if child is not None))
    return found


@pytest.mark.parametrize("page", PROSE, ids=name)
def test_options_in_the_text_of_a_page_exist(page: Path) -> None:
    named = set(re.findall(r"`(--[a-z][a-z-]+)", page.read_text()))
    assert named <= every_option(app, click.Context(app)) | FOREIGN


def test_options_that_errors_recommend_exist() -> None:
    named = set(re.findall(r"(?<=[\s`(])--[a-z][a-z-]+", (ROOT / "docs/reference/errors.md").read_text()))
    assert named <= every_option(app, click.Context(app)) | FOREIGN


@pytest.mark.parametrize("page", PROSE, ids=name)
def test_job_fields_in_the_text_of_a_page_exist(page: Path) -> None:
    schedule = {f"spec.{field}" for field in SCHEMAS["ScoringSchedule"]["$defs"]["ScheduleSpec"]["properties"]}
    parts = {place.rsplit(".", 1)[0] for place in paths()}
    named = set(re.findall(r"`(spec(?:\.\w+)+)", page.read_text()))
    assert named <= {*paths(), *parts, *schedule}
