"""A job file and flags give the same job, and what is wrong with either is named with its place."""

import json
from typing import Any

import pytest

from scoremill.errors import UsageError
from scoremill.spec import load_job, merge, parse_job

JOB = """\
apiVersion: scoremill.dev/v1alpha1
kind: ScoringJob
metadata: {name: tips-2009}
spec:
  model: {uri: models/tip, method: predict_proba}
  input:
    uris: ["trips/*.csv"]
    partitionBytes: 64MiB
  output: {uri: scores}
"""


@pytest.fixture
def write(tmp_path):
    def _write(text, name="job.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return _write


def test_yaml_json_and_fields_give_the_same_job(write):
    import yaml

    fields = yaml.safe_load(JOB)
    job = load_job(write(JOB))
    assert job == load_job(write(json.dumps(fields), "job.json")) == parse_job(fields)
    assert job.spec.input.partition_bytes == 64 * 2**20


def test_defaults_are_those_that_the_docs_promise(write):
    spec = load_job(write(JOB)).spec
    assert (spec.output.mode, spec.output.format, spec.model.batch_rows) == ("Resume", "parquet", None)
    assert (spec.errors.on_row_error, spec.errors.max_fraction) == ("Reject", 0.01)


def test_wrong_value_of_a_flag_is_reported_by_the_flag(write):
    path = write("spec: {model: {uri: m}, input: {uris: [i]}, output: {uri: o}, cluster: {workers: 2}}")
    given = {"spec": {"cluster": {"workers": -1}, "model": {"batchRows": 0}}}
    with pytest.raises(UsageError) as raised:
        load_job(path, given, flags={"spec.cluster.workers": "--workers"})
    first, second = raised.value.message.splitlines()
    assert min(first, second).startswith("--workers: input should be greater")
    assert "spec.model.batchRows: " in raised.value.message
    with pytest.raises(UsageError) as raised:
        load_job(path, {"spec": {"cluster": {"workers": -1}}}, flags={"spec.cluster.workers": "--workers"})
    assert raised.value.hint == "`--help` explains the flags."


def test_flags_lie_over_the_file(write):
    job = load_job(write(JOB), {"spec": {"output": {"uri": "elsewhere"}}})
    assert job.spec.output.uri == "elsewhere"
    assert job.spec.model.uri == "models/tip"


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "expected"),
    [
        ("name: tips-2009", "name: Tips_2009", 3, "metadata.name", "lower-case"),
        ("method: predict_proba", "method: predict_prob", 5, "spec.model.method", "predict_proba"),
        ("partitionBytes: 64MiB", "partitionBytes: 64XB", 8, "spec.input.partitionBytes", "not a size"),
        (
            "partitionBytes: 64MiB",
            "partitionBytes: 1000",
            8,
            "spec.input.partitionBytes",
            "greater than or equal to 1024",
        ),
        ("partitionBytes: 64MiB", "partitonBytes: 64MiB", 8, "spec.input.partitonBytes", "no such field"),
        ("{uri: scores}", "{}", 9, "spec.output.uri", "required"),
        ('["trips/*.csv"]', "[]", 7, "spec.input.uris", "at least 1 item"),
        ("kind: ScoringJob", "kind: Job", 2, "kind", "ScoringJob"),
    ],
)
def test_an_error_names_file_line_field_and_what_was_expected(write, old, new, line, field, expected):
    path = write(JOB.replace(old, new))
    with pytest.raises(UsageError) as raised:
        load_job(path)
    first = raised.value.message.splitlines()[0]
    assert first.startswith(f"{path}:{line}: {field}: ")
    assert expected in first


def test_all_errors_are_listed_together(write):
    with pytest.raises(UsageError) as raised:
        load_job(write(JOB.replace("scores", "''").replace("64MiB", "1XB")))
    assert len(raised.value.message.splitlines()) == 2


@pytest.mark.parametrize("text", ["- a\n- b\n", "", "a: [", "a: 1\n---\nb: 2\n"])
def test_what_is_no_job_is_a_usage_error(write, text):
    with pytest.raises(UsageError):
        load_job(write(text))


def test_a_missing_file_is_named():
    with pytest.raises(UsageError, match="no-such-file"):
        load_job("no-such-file.yaml")


@pytest.mark.parametrize("name", ["key", "secret", "aws_secret_access_key", "token", "password", "account_key"])
def test_a_credential_in_a_job_is_refused_and_its_value_not_shown(write, name):
    with pytest.raises(UsageError) as raised:
        load_job(write(JOB), {"spec": {"storage": {"options": {name: "hunter2"}}}})
    assert name in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("csv", "expected"),
    [
        ({"header": False}, "columns"),
        ({"columns": ["a"]}, "header: false"),
        ({"header": False, "columns": ["a", "a"]}, "twice"),
        ({"encoding": "utf-16"}, "UTF-8"),
        ({"encoding": "klingon"}, "klingon"),
        ({"delimiter": "\n"}, "newline"),
        ({"delimiter": '"'}, "same character"),
        ({"escape": '"'}, "`quote` and `escape` are the same character"),
        ({"comment": ","}, "`delimiter` and `comment` are the same character"),
        ({"comment": "##"}, "at most 1 character"),
        ({"escapeUnquoted": True}, "needs `escape`"),
        ({"quote": "", "escape": "\\"}, "add `escapeUnquoted: true`"),
        ({"delimiter": " ", "skipInitialSpace": True}, "`delimiter` is a blank"),
        ({"escape": "\\", "encoding": "shift_jis"}, "can be half a character"),
        ({"skipRows": -1}, "greater than or equal to 0"),
    ],
)
def test_impossible_dialects_are_refused(csv, expected):
    with pytest.raises(UsageError, match=expected):
        parse_job({"spec": {"model": {"uri": "m"}, "input": {"uris": ["i"], "csv": csv}, "output": {"uri": "o"}}})


@pytest.mark.parametrize(
    "spec",
    [
        {"storage": {"profile": ["hunter2"]}},
        {"storage": {"options": {"region": ["hunter2"]}}},
        {"cluster": {"env": {"REGION": ["hunter2"]}}},
        {"cluster": {"template": "hunter2"}},
        {"credentials": ["hunter2"]},
        {"model": {"uri": "m", "digest": "https://me:hunter2@host"}},
    ],
)
def test_a_wrong_value_of_a_field_that_can_hold_a_secret_is_not_shown(write, spec):
    with pytest.raises(UsageError) as raised:
        load_job(write(JOB), {"spec": spec})
    assert "hunter2" not in str(raised.value)


def nested(levels: int) -> dict[str, Any]:
    template: dict[str, Any] = {}
    for _ in range(levels):
        template = {"a": template}
    return template


@pytest.mark.parametrize("levels", [60, 1500, 100_000])
def test_a_template_that_is_nested_too_deep_is_refused(levels):
    fields = {"model": {"uri": "m"}, "input": {"uris": ["i"]}, "output": {"uri": "o"}}
    with pytest.raises(UsageError, match=r"nested (more than 50 levels|too) deep"):
        parse_job({"spec": {**fields, "cluster": {"template": nested(levels)}}})


def test_a_file_that_is_nested_too_deep_is_refused(write):
    with pytest.raises(UsageError, match="nested too deep"):
        load_job(write("{a: " * 5000 + "1" + "}" * 5000))


@pytest.mark.parametrize(
    "where",
    [
        "-" * 9000 + "1 > 0",
        "(" * 4000 + "a > 0" + ")" * 4000,
        " + ".join(["a"] * 2000) + " > 0",
        "not " * 2000 + "a > 0",
    ],
)
def test_a_condition_that_is_nested_too_deep_is_refused(where):
    fields = {"model": {"uri": "m"}, "input": {"uris": ["i"], "where": where}, "output": {"uri": "o"}}
    with pytest.raises(UsageError, match=r"nests more than 100 operations|is not a condition"):
        parse_job({"spec": fields})


def test_a_condition_of_many_terms_is_read():
    where = " or ".join(f"a == {at}" for at in range(700))
    fields = {"model": {"uri": "m"}, "input": {"uris": ["i"], "where": where}, "output": {"uri": "o"}}
    assert parse_job({"spec": fields}).spec.input.where == where


def test_merge_keeps_what_is_not_overridden():
    assert merge({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}, "d": 4}) == {"a": {"b": 1, "c": 3}, "d": 4}


def test_workers_are_a_number_and_a_range_has_two_fields(write):
    fixed = load_job(write(JOB + "  cluster: {workers: 2}\n")).spec.cluster
    ranged = load_job(write(JOB + "  cluster: {workers: 0, maxWorkers: 20}\n")).spec.cluster
    most = load_job(write(JOB + "  cluster: {maxWorkers: 20}\n")).spec.cluster
    assert [(each.bounds.min, each.bounds.max) for each in (fixed, ranged, most)] == [(2, 2), (0, 20), (1, 20)]
    assert load_job(write(JOB)).spec.cluster.bounds is None


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ("workers: 1:20", "give a range as `workers: 1` and `maxWorkers: 20`"),
        ("workers: {min: 1, max: 20}", "give a range as `workers: 1` and `maxWorkers: 20`"),
        ("workers: 0", "workers is 0, so maxWorkers is needed"),
        ("workers: 3, maxWorkers: 2", "workers (3) is above maxWorkers (2)"),
        ("maxWorkers: 0", "greater than or equal to 1"),
    ],
)
def test_a_wrong_number_of_workers_is_refused_with_the_form_to_use(write, cluster, said):
    with pytest.raises(UsageError) as raised:
        load_job(write(JOB + f"  cluster: {{{cluster}}}\n"))
    assert said in raised.value.message
