"""Flags and files give the same job."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from scoremill.cli.app import app
from scoremill.cli.flags.flag import Pairs, names
from scoremill.cli.flags.options import job_from, job_options
from scoremill.cli.flags.table import FLAGS
from scoremill.errors import UsageError
from scoremill.spec import ScoringJob
from scoremill.spec.mention import mention
from scoremill.units import quoted
from tests.support.cli import as_flags

BASE = ["--model", "m", "--input", "i", "--output", "o"]
CASES: list[tuple[list[str], dict[str, Any]]] = [
    (["--input", "j"], {"input": {"uris": ["i", "j"]}}),
    (["--digest", "sha256:" + "0" * 64], {"model": {"digest": "sha256:" + "0" * 64}}),
    (["--trust", "s3://a,s3://b"], {"model": {"trustedPrefixes": ["s3://a", "s3://b"]}}),
    (["--method", "predict_proba"], {"model": {"method": "predict_proba"}}),
    (["--rename", "Mean_Radius=mean radius,a=b"], {"input": {"rename": {"Mean_Radius": "mean radius", "a": "b"}}}),
    (
        ["--set", "spec.input.hive=true", "--set", "spec.input.idBy=content"],
        {"input": {"hive": True, "idBy": "content"}},
    ),
    (["--delimiter", "\\t"], {"input": {"csv": {"delimiter": "\t"}}}),
    (["--encoding", "latin-1"], {"input": {"csv": {"encoding": "latin-1"}}}),
    (["--no-header", "--names", 'a,"b,c"'], {"input": {"csv": {"header": False, "columns": ["a", "b,c"]}}}),
    (["--dtypes", "a=float64,b=string"], {"input": {"csv": {"dtypes": {"a": "float64", "b": "string"}}}}),
    (["--format", "csv", "--mode", "Overwrite"], {"output": {"format": "csv", "mode": "Overwrite"}}),
    (["--keep", "a,b", "--keep", "c"], {"output": {"keep": ["a", "b", "c"]}}),
    (["--row-id"], {"output": {"rowId": True}}),
    (["--columns", "1=yhat"], {"output": {"columns": {"1": "yhat"}}}),
    (
        ["--on-row-error", "Fail", "--max-errors", "3", "--max-error-fraction", "0.5"],
        {"errors": {"onRowError": "Fail", "maxRows": 3, "maxFraction": 0.5}},
    ),
    (["--workers", "1:20"], {"cluster": {"workers": 1, "maxWorkers": 20}}),
    (["--workers", "4", "--memory", "2GiB"], {"cluster": {"workers": 4, "memory": 2 * 2**30}}),
    (["--memory", "2GiB", "--workers", "0:4"], {"cluster": {"workers": 0, "maxWorkers": 4, "memory": 2 * 2**30}}),
    (["--endpoint", "http://x", "--anonymous"], {"storage": {"endpoint": "http://x", "anonymous": True}}),
    (
        ["--set", "spec.input.storage.endpoint=http://y", "--set", "spec.input.storage.options.region=eu"],
        {"input": {"storage": {"endpoint": "http://y", "options": {"region": "eu"}}}},
    ),
]


def parsed(*arguments: str) -> ScoringJob:
    found: list[ScoringJob] = []

    @click.command()
    @job_options
    def command(job: str | None, **flags: Any) -> None:
        found.append(job_from(job, flags))

    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return found[0]


def written(folder: Path, spec: dict[str, Any]) -> str:
    base = {"model": {"uri": "m"}, "input": {"uris": ["i"]}, "output": {"uri": "o"}}
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump({"spec": {key: base.get(key, {}) | spec.get(key, {}) for key in {**base, **spec}}}))
    return str(path)


@pytest.mark.parametrize(("flags", "spec"), CASES)
def test_flags_and_a_file_give_the_same_job(tmp_path, flags, spec):
    from_file = parsed(written(tmp_path, spec))
    assert parsed(*BASE, *flags) == from_file


@pytest.mark.parametrize(("flags", "spec"), CASES[1:])
def test_flags_override_the_job_file(tmp_path, flags, spec):
    assert parsed(written(tmp_path, {}), *flags) == parsed(written(tmp_path, spec))


def test_every_flag_is_a_field_of_the_job():
    def has(path: list[str], model: Any) -> bool:
        field = next((f for f in model.model_fields.values() if f.alias == path[0]), None)
        if field is None or len(path) == 1:
            return field is not None
        inner = [
            t for t in (field.annotation, *getattr(field.annotation, "__args__", ())) if hasattr(t, "model_fields")
        ]
        return has(path[1:], inner[0])

    assert [flag.name for flag in FLAGS if not has(flag.path.split("."), ScoringJob)] == []
    assert len({flag.path for flag in FLAGS}) == len(FLAGS)


def test_names_and_pairs_are_read_with_quotes():
    assert names(['a, b,"c,d"', "e"]) == ["a", "b", "c,d", "e"]
    assert Pairs("--x", "A=B")(['a=1,"b,c=2"', "d=3"]) == {"a": "1", "b,c": "2", "d": "3"}


@pytest.mark.parametrize(
    ("flags", "spec"),
    [
        (["--columns", "<=50K=low,>50K=high"], {"output": {"columns": {"<=50K": "low", ">50K": "high"}}}),
        (["--columns", r"<=50K=p\=low"], {"output": {"columns": {"<=50K": "p=low"}}}),
        (["--dtypes", "job=Sales=float64"], {"input": {"csv": {"dtypes": {"job=Sales": "float64"}}}}),
        (
            ["--set", 'spec.input.csv.dateFormats={"due=by": "%d.%m.%Y"}'],
            {"input": {"csv": {"dateFormats": {"due=by": "%d.%m.%Y"}}}},
        ),
        (["--set", "spec.input.storage.options.query=a=b=="], {"input": {"storage": {"options": {"query": "a=b=="}}}}),
    ],
)
def test_equals_sign_can_be_part_of_a_name(tmp_path, flags, spec):
    assert parsed(*BASE, *flags) == parsed(written(tmp_path, spec))


def test_values_hold_equals_signs_and_backslashes_as_they_are():
    for flag in ("--meta", "--env"):
        assert Pairs(flag, "KEY=VALUE", "first")([r"run=a=b\=c", "empty="]) == {"run": r"a=b\=c", "empty": ""}


@pytest.mark.parametrize(
    ("at", "item", "message"),
    [
        ("last", "a", "has no equals sign between"),
        ("last", "=a", "has nothing on one side"),
        ("last", "a=", "has nothing on one side"),
        ("first", "=a", "has nothing on one side"),
        ("only", "a=b=c", "has several equals signs"),
        ("last", r"a\=b", "has no equals sign between"),
    ],
)
def test_what_is_no_pair_is_refused_with_the_form_and_how_to_write_equals_signs(at, item, message):
    with pytest.raises(UsageError, match=message) as caught:
        Pairs("--x", "OLD=NEW", at)([item])
    assert caught.value.message.startswith(f"--x: {quoted(item)} ")
    assert str(caught.value.hint).startswith("Give --x OLD=NEW")
    assert (r"written \=." in str(caught.value.hint)) == (at != "first")


def test_a_name_given_twice_is_refused_unless_it_is_the_same():
    pairs = Pairs("--dtypes", "COLUMN=TYPE")
    assert pairs(["a=int64", "a=int64"]) == {"a": "int64"}
    with pytest.raises(UsageError, match='--dtypes gives "a" twice: "int64" and "string"'):
        pairs(["a=int64", "a=string"])


NAMES = st.text(min_size=1).filter(lambda name: not name.endswith("\\") and r"\=" not in name and "\0" not in name)


@given(st.dictionaries(NAMES, NAMES, min_size=1, max_size=3))
@example({" zone": "zone"})
@example({"a=b": "c=d"})
@example({'say "a,b"': "x\ny"})
def test_any_names_can_be_given_by_a_flag_as_hints_write_it(wanted):
    _, argument = shlex.split(as_flags(mention("spec.input.rename", wanted)))
    for at in ("only", "last"):
        assert Pairs("--rename", "OLD=NEW", at)([argument]) == wanted


@pytest.mark.parametrize(
    ("arguments", "message", "glob"),
    [
        (["--input", "a.csv", "b.csv"], "not a job file: b.csv", "*.csv"),
        (["--input", "a.csv", "b.csv", "c.csv"], "not a job file: b.csv, c.csv", "*.csv"),
        (["--input", "in/a.parquet", "in/b.parquet", "in/c.parquet"], "not a job file: in/b.parquet", "in/*.parquet"),
        (["x/a.csv", "y/a.csv"], "not a job file: x/a.csv, y/a.csv", "*.csv"),
        ([*(f"{n}.csv.gz" for n in range(9))], "0.csv.gz, 1.csv.gz, 2.csv.gz and 6 more", "*.gz"),
    ],
)
def test_a_pattern_that_the_shell_expanded_gets_the_hint_to_quote_it(arguments, message, glob):
    with pytest.raises(UsageError) as caught:
        parsed(*BASE, *arguments)
    assert message in caught.value.message
    assert caught.value.hint is not None and f"--input '{glob}'" in caught.value.hint
    assert parsed("--model", "m", "--output", "o", "--input", glob).spec.input.uris == (glob,)


def test_error_of_a_data_file_as_job_says_how_to_name_data(tmp_path):
    for content in ("a,b\n1,2\n", "a: [\n"):
        (tmp_path / "part-0000").write_text(content)
        with pytest.raises(UsageError) as caught:
            parsed(*BASE, str(tmp_path / "part-0000"))
        assert "name it with --input" in as_flags(str(caught.value.hint))


def test_only_one_job_file_is_taken():
    with pytest.raises(UsageError, match=r"more than one job file is given: a\.yaml, b\.yaml"):
        parsed("a.yaml", "b.yaml")


@pytest.mark.parametrize(
    ("flags", "cluster", "message"),
    [
        (["--workers", "0"], {}, "--workers: workers is 0, so maxWorkers is needed"),
        (["--workers", "9:2"], {}, "--workers: workers (9) is above maxWorkers (2)"),
        (["--workers", "2", "--memory", "1KiB"], {}, "--memory: input should be greater"),
        (["--workers", "2"], {"cpu": 0}, "job.yaml:3: spec.cluster.cpu: input should be greater"),
    ],
)
def test_a_wrong_field_of_the_cluster_is_reported_by_what_gave_it(tmp_path, flags, cluster, message):
    with pytest.raises(UsageError) as caught:
        parsed(written(tmp_path, {"cluster": cluster}), *flags)
    assert message in caught.value.message and len(caught.value.message.splitlines()) == 1


@pytest.mark.parametrize(
    "command", [["score"], ["plan"], ["job", "submit"], ["schedule", "submit"], ["dataset", "load"]]
)
def test_help_has_options_in_sections_and_says_what_their_values_are(command):
    page = CliRunner().invoke(app, [*command, "--help"], catch_exceptions=False).output
    sections = [line.rstrip(":") for line in page.splitlines() if re.fullmatch(r"[A-Z][a-zA-Z ]+:", line)]
    assert sections[-3:] == ["Storage", "Cluster", "Options"] or command == ["plan"]
    assert {"Input", "CSV", "Storage", "Options"} <= set(sections)
    assert not re.search(r"^  .* (TEXT|INTEGER|FLOAT)\b", page, re.MULTILINE)


def test_a_section_of_help_has_the_options_of_its_part_of_the_job():
    page = CliRunner().invoke(app, ["score", "--help"], catch_exceptions=False).output
    csv = page.split("\nCSV:\n")[1].split("\nOutput:\n")[0]
    assert "--delimiter CHAR" in csv and "--names COLUMNS" in csv and "--keep" not in csv and "--input " not in csv
