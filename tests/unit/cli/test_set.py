"""`--set` gives any field of a job, as its file would."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scoremill.cli import app
from scoremill.cli.app import run
from scoremill.cli.flags.fields import given_fields, paths
from scoremill.cli.flags.removed import REMOVED, SWITCHES
from scoremill.errors import UsageError
from tests.unit.cli.test_options import BASE, parsed, written

CASES: list[tuple[list[str], dict[str, Any]]] = [
    (["spec.model.batchRows=7"], {"model": {"batchRows": 7}}),
    (["spec.input.hive=true"], {"input": {"hive": True}}),
    (["spec.input.uris=[a, b/*.csv]"], {"input": {"uris": ["a", "b/*.csv"]}}),
    (["spec.input.partitionBytes=16KiB"], {"input": {"partitionBytes": "16KiB"}}),
    (["spec.input.since=2026-11-21T03:00:00Z"], {"input": {"since": "2026-11-21T03:00:00Z"}}),
    (["spec.input.where=fare > 0 and note == 'a: b'"], {"input": {"where": "fare > 0 and note == 'a: b'"}}),
    (["spec.input.csv.comment=#"], {"input": {"csv": {"comment": "#"}}}),
    (["spec.input.csv.delimiter=|", "spec.input.csv.quote="], {"input": {"csv": {"delimiter": "|", "quote": ""}}}),
    (['spec.input.csv.delimiter="\\t"'], {"input": {"csv": {"delimiter": "\t"}}}),
    (['spec.input.csv.quote="'], {"input": {"csv": {"quote": '"'}}}),
    (["spec.input.csv={skipRows: 2, comment: '#'}"], {"input": {"csv": {"skipRows": 2, "comment": "#"}}}),
    (["spec.input.csv.dtypes.trip.zip=string"], {"input": {"csv": {"dtypes": {"trip.zip": "string"}}}}),
    (["spec.cluster.env.THREADS=4"], {"cluster": {"env": {"THREADS": "4"}}}),
    (["spec.cluster.template.spec.worker.x=1"], {"cluster": {"template": {"spec": {"worker": {"x": 1}}}}}),
    (["spec.errors.maxFraction=null"], {"errors": {"maxFraction": None}}),
]


def settings(*given: str) -> list[str]:
    return [word for each in given for word in ("--set", each)]


@pytest.mark.parametrize(("given", "spec"), CASES)
def test_set_gives_what_the_job_file_gives(tmp_path: Path, given: list[str], spec: dict[str, Any]) -> None:
    flags = [word for word in BASE if "uris" not in given[0] or word not in {"--input", "i"}]
    if "uris" in given[0]:
        assert parsed(*flags, *settings(*given)) == parsed(written(tmp_path, spec))
    assert parsed(written(tmp_path, {}), *settings(*given)) == parsed(written(tmp_path, spec))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["spec.input.partitionByte=1MiB"], "nearest is spec.input.partitionBytes"),
        (["input.hive=true"], "nearest is spec.input.hive"),
        (["spec.input.hive.deeper=true"], 'has no field "spec.input.hive.deeper"'),
        (["spec.input.hive"], "Give it as --set PATH=VALUE"),
        (["spec.input.hive="], "spec.input.hive has no value"),
        (["spec.input.csv.skipRows=#2"], "spec.input.csv.skipRows has no value"),
        (["spec.input.hive=[true"], "spec.input.hive: the value is not YAML"),
        (["spec.model.batchRows=many"], "--set spec.model.batchRows: input should be a valid integer"),
        (["spec.input.hive=true", "spec.input.hive=false"], "given twice"),
        (["spec.input.csv={}", "spec.input.csv.comment=#"], "given twice: --set gives spec.input.csv too"),
        (["spec.model.uri=n"], "given twice: --model gives spec.model.uri too"),
        (["spec.input={uris: [j]}"], "given twice: --input gives spec.input.uris too"),
    ],
)
def test_set_refuses_what_is_no_field_or_no_value_of_it(given: list[str], words: str, capsys) -> None:
    assert run(lambda: app.main(["plan", *BASE, *settings(*given)], standalone_mode=False)) == 2
    printed = capsys.readouterr()
    assert words in printed.err and not printed.out


def test_a_value_that_is_not_yaml_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        given_fields(["spec.storage.options.password=[hidden"])
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(("option", "instead"), REMOVED.items())
def test_a_removed_option_names_the_field_to_set(option: str, instead: str, capsys) -> None:
    value = [] if option in SWITCHES else ["x"]
    for command in ("score", "plan"):
        assert run(lambda: app.main([command, *BASE, option, *value], standalone_mode=False)) == 2  # noqa: B023
        assert (
            f"{option} was removed" in (printed := capsys.readouterr().err)
            and f"--set {shlex.quote(instead)}" in printed
        )
    given_fields([instead])


def test_bash_completes_the_paths_of_set() -> None:
    words = "scoremill score --set spec.input.csv.d"
    environment = {"_SCOREMILL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "3"}
    done = subprocess.run(
        [Path(sys.executable).with_name("scoremill")], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = [line.removeprefix("plain,") for line in done.stdout.split()]
    assert found == [f"{path}=" for path in paths() if path.startswith("spec.input.csv.d")] and len(found) == 4, done


def test_a_retry_takes_fields_of_the_model_only(tmp_path: Path, capsys) -> None:
    command = ["retry-rejected", str(tmp_path), "--set", "spec.output.uri=elsewhere"]
    assert run(lambda: app.main(command, standalone_mode=False)) == 2
    assert "only fields of spec.model" in capsys.readouterr().err


def test_a_whole_schedule_takes_no_set(tmp_path: Path, capsys) -> None:
    (tmp_path / "nightly.yaml").write_text("kind: ScoringSchedule\n")
    command = ["schedule", "submit", str(tmp_path / "nightly.yaml"), "--set", "spec.input.hive=true"]
    assert run(lambda: app.main(command, standalone_mode=False)) == 2
    assert "is a whole schedule" in capsys.readouterr().err
