"""On the command line, messages name flags in place of the fields and arguments that the library mentions."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scoremill
from scoremill.cli.app import app
from scoremill.cli.flags.mentions import Mentions
from scoremill.spec.mention import mention, mention_argument
from tests.support.cli import here
from tests.support.jobs import trip_bundle


def mentions(*names: str, has_file: bool = False) -> Mentions:
    command: click.Command | None = app
    for name in names:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name)
    assert command is not None
    return Mentions(command.params, has_file)


@pytest.mark.parametrize(
    ("path", "value", "flag"),
    [
        ("spec.model.trustedPrefixes", None, "--trust"),
        ("spec.model.digest", "sha256:12ab", "--digest sha256:12ab"),
        ("spec.model.trustedPrefixes", ["s3://a", "b,c"], """--trust 's3://a,"b,c"'"""),
        ("spec.input.uris", ["a*.csv", "b.csv"], "--input 'a*.csv' --input b.csv"),
        ("spec.input.rename", {"a": "b c", "d=": "e"}, r"--rename 'a=b c,d\==e'"),
        ("spec.input.csv.delimiter", "\t", r"--delimiter '\t'"),
        ("spec.input.csv.header", False, "--no-header"),
        ("spec.input.csv", {"delimiter": ";", "header": False}, "--delimiter ';' --no-header"),
        ("spec.input.where", "note == '`'", """--where 'note == '"'"'`'"'"''"""),
        ("spec.output.rowId", True, "--row-id"),
        ("spec.output.rowId", False, "--set spec.output.rowId=false"),
        ("spec.cluster.workers", 4, "--workers 4"),
        ("spec.errors.maxRows", 30, "--max-errors 30"),
        ("spec.input.hive", None, "--set spec.input.hive"),
        ("spec.input.hive", True, "--set spec.input.hive=true"),
        ("spec.input.csv.trueValues", ["yes", "ja"], """--set 'spec.input.csv.trueValues=["yes", "ja"]'"""),
        ("spec.input.csv.falseValues", [], "--set 'spec.input.csv.falseValues=[]'"),
        ("spec.cluster.env", {"A": "1"}, "--set spec.cluster.env.A=1"),
    ],
)
def test_a_field_is_named_by_its_flag_or_else_by_set(path: str, value: Any, flag: str) -> None:
    assert mentions("score").as_flags(f"Give {mention(path, value)}.") == f"Give {flag}."


def test_a_command_names_only_arguments_that_it_has_and_fields_as_the_flags_of_score() -> None:
    text = "Give `spec.storage.endpoint`, `spec.output.mode: Overwrite`, `wait=True` or `tolerance=0.1`."
    assert mentions("verify").as_flags(text) == ("Give --endpoint, --mode Overwrite, `wait=True` or --tolerance 0.1.")
    assert mentions("job", "status").as_flags(text) == text
    assert mentions("job", "submit").as_flags("See `spec.cluster.image`.") == "See --image."
    assert mentions("score").as_flags("See `spec.cluster.image`.") == "See --set spec.cluster.image."
    # This option of `init` has the name of a flag, and is another one.
    assert mentions("init").as_flags("Give `spec.output.uri`.") == "Give --set spec.output.uri."


def test_fields_of_a_job_file_remain_fields_and_arguments_become_options() -> None:
    text = "Set `spec.output.mode: Overwrite` or give `wait=True`."
    assert mentions("score", has_file=True).as_flags(text) == "Set `spec.output.mode: Overwrite` or give --wait."


def test_an_argument_is_named_by_its_option() -> None:
    pack = mentions("model", "pack")
    assert pack.as_flags("Give `sample=`.") == "Give --sample."
    assert pack.as_flags(mention_argument("missing", {"a b": "None"})) == "--missing 'a b=None'"
    assert mentions("score").as_flags(mention_argument("cluster", "trips")) == "--cluster trips"


def test_other_text_in_backquotes_is_left_as_it_is() -> None:
    text = "Run `scoremill score --wait`; `predict` or `a=b` of `spec`."
    assert mentions("score").as_flags(text) == text


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\t"), min_size=1)


@given(TEXTS)
def test_any_text_survives(text: str) -> None:
    assert shlex.split(mentions("score").as_flags(mention("spec.output.uri", text))) == ["--output", text]
    set_ = shlex.split(mentions("score").as_flags(mention("spec.storage.region", text)))
    assert set_ == ["--set", f"spec.storage.region={text}"]


def test_an_error_names_flags_or_the_fields_of_a_job_file(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    spec = {"model": trip_bundle(tmp_path / "bundle"), "input": str(tmp_path / "empty.csv"), "output": "out"}
    (tmp_path / "job.json").write_text(scoremill.job(**spec).model_dump_json(by_alias=True, exclude_none=True))
    by_flags = [word for name, value in spec.items() for word in (f"--{name}", value)]
    for words, hint in (
        (by_flags, "give --set spec.input.allowEmpty=true."),
        ([tmp_path / "job.json"], "give `spec.input.allowEmpty: true`."),
    ):
        code, out, err = here("plan", *words)
        assert code == 3 and hint in err, err
        code, out, err = here("plan", *words, "--json")
        assert code == 3 and hint in json.loads(out)["problems"][0]["hint"], out
        code, out, err = here("score", "--cluster", "in-process", *words, "--json")
        assert code == 3 and hint in json.loads(out)["error"]["hint"], out
