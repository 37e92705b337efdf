"""The reference matches the code, and the pages mention every command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import jsonschema
import pytest
import yaml

from scoremill.cli import app
from scoremill.errors import UsageError
from scoremill.spec import ScoringJob, parse_job
from tests.docs.pages import PROSE, ROOT

SCHEMA = json.loads((ROOT / "docs" / "reference" / "job.schema.json").read_text())


def commands(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    """Return the full names and commands below `command`."""
    if not isinstance(command, click.Group):
        return [(path, command)]
    context = click.Context(command)
    children = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    return [
        pair for name, child in children if child and not child.hidden for pair in commands(child, f"{path} {name}")
    ]


COMMANDS = commands(app, "scoremill")


def test_generated_pages_are_up_to_date() -> None:
    check = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "src")})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=lambda value: value if isinstance(value, str) else "")
def test_command_has_help_with_an_example_and_is_on_a_page(path: str, command: click.Command) -> None:
    page = command.get_help(click.Context(command, info_name=path))
    assert command.help
    assert f"{path} " in page.split("Usage:")[1].split("\n", 1)[1] or "Example" in page, "its help has no example"
    assert any(path in page.read_text() for page in PROSE), "no page mentions it"


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=lambda value: value if isinstance(value, str) else "")
def test_all_options_of_a_command_have_help(path: str, command: click.Command) -> None:
    silent = [option.name for option in command.params if isinstance(option, click.Option) and not option.help]
    assert silent == []


def sections(level: str) -> dict[str, str]:
    """Return the sections of the command-line reference by title."""
    page = (ROOT / "docs" / "reference" / "cli.md").read_text()
    return {part.split("\n")[0]: part for part in re.split(rf"^{level} ", page, flags=re.MULTILINE)[1:]}


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=lambda value: value if isinstance(value, str) else "")
def test_options_of_a_command_are_in_its_section_or_in_a_linked_one(path: str, command: click.Command) -> None:
    own = sections("##")[path]
    shared = "".join(text for title, text in sections("###").items() if f"[{title}](#" in own)
    options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
    assert [option.name for option in options if option.opts[-1] not in own + shared] == []


@pytest.mark.parametrize("option", ["--rename OLD=NEW", "--delimiter CHAR", "--keep COLUMNS", "--endpoint URL"])
def test_shared_option_is_described_once(option: str) -> None:
    assert (ROOT / "docs" / "reference" / "cli.md").read_text().count(f"  {option} ") == 1


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*/job.yaml")), ids=lambda path: path.parent.name)
def test_schema_and_parser_accept_the_example(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    jsonschema.validate(document, SCHEMA)
    assert parse_job(document) == ScoringJob.model_validate(document)


@pytest.mark.parametrize(
    "change", [{"modell": {}}, {"output": {}}, {"errors": {"maxFraction": 2}}, {"input": {"uris": []}}], ids=str
)
def test_schema_and_parser_refuse_the_same_jobs(change: dict[str, object]) -> None:
    document = yaml.safe_load((ROOT / "examples" / "01-taxi-tips" / "job.yaml").read_text())
    document["spec"] |= change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)
    with pytest.raises(UsageError):
        parse_job(document)
