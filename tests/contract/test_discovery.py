"""Discovery of input on every kind of store: data, but no directory markers and no outputs of other runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from scoremill import score, verify
from scoremill.errors import InputError, UsageError
from scoremill.events import Event, Note
from scoremill.report import warnings_of
from scoremill.storage.filesystem import Store, find
from scoremill.storage.uri import is_local
from tests.support.jobs import make_job, run, table, trip_bundle, trips


def names(uri: str) -> list[str]:
    return sorted(one.name.rpartition("/")[2] for one in find(uri).objects)


def put(store: Store, *written: str, data: bytes = b"a\n1\n") -> None:
    for name in written:
        store.write(name, data)


def mark(store: Store, name: str) -> None:
    """Create an empty object of a folder's name, if the store supports one together with objects below it."""
    if not is_local(store.uri):
        store.write(name, b"")


# --- directory markers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("marker", ["in", "in/"])
@pytest.mark.parametrize("named", ["in", "in/"])
def test_directory_marker_does_not_hide_objects_below_it(store, store_uri, marker, named):
    put(store, "in/1.csv", "in/deep/2.csv")
    mark(store, marker)
    assert names(f"{store_uri}/{named}") == ["1.csv", "2.csv"]


@pytest.mark.parametrize("glob", ["*", "**", "*/*", "in", "in/**", "i*/*"])
def test_directory_markers_are_not_input_of_folders_and_globs(store, store_uri, glob):
    put(store, "in/deep/1.csv", "in/2.csv")
    put(store, "in_$folder$", "in/deep_$folder$", data=b"")
    for marker in ("in/deep/", "in/deep", "in/", "in"):
        mark(store, marker)
    found = names(store_uri) if glob == "in" else find(f"{store_uri}/{glob}", allow_empty=True).objects
    assert {"*": 0, "**": 2, "*/*": 1, "in": 2, "in/**": 2, "i*/*": 1}[glob] == len(found)


def test_directory_marker_with_only_hidden_objects_is_not_input(store, store_uri):
    put(store, "in/_SUCCESS", data=b"")
    mark(store, "in")
    with pytest.raises(InputError, match="nothing is found"):
        find(f"{store_uri}/in")


def test_object_with_content_is_input_if_others_are_below_its_name(store, store_uri):
    if not store_uri.startswith(("s3://", "gs://")):
        pytest.skip("a file system has no such objects")
    put(store, "in", "in/1.csv")
    assert names(f"{store_uri}/**") == ["1.csv", "in"]
    assert names(f"{store_uri}/in/") == ["1.csv"]


def test_empty_object_without_others_below_it_is_input(store, store_uri):
    put(store, "in/1.csv", data=b"")
    assert names(f"{store_uri}/in/1.csv") == names(f"{store_uri}/in") == ["1.csv"]


# --- outputs below the input ------------------------------------------------------------------------------------------


def put_output(store: Store, name: str, *, is_complete: bool = True) -> None:
    put(store, f"{name}/part-0.parquet", f"{name}/part-1.parquet", f"{name}/vendor=a/part-2.parquet")
    put(store, f"{name}/_errors/part-0.jsonl", f"{name}/_scoremill/job.json", f"{name}/_scoremill/planning/0.parquet")
    put(store, f"{name}/_retries/1/part-0.parquet", f"{name}/_retries/1/_scoremill/job.json")
    if is_complete:
        put(store, f"{name}/_scoremill/manifest.json", f"{name}/_SUCCESS")


@pytest.mark.parametrize("named", ["", "in", "in/", "**", "in/**", "in/**/*.parquet", "in/*/*.parquet", "in/s*/part-*"])
def test_outputs_below_the_input_folder_are_excluded(store, store_uri, named):
    put(store, "in/1.csv", "in/x/2.parquet")
    put_output(store, "in/scores")
    put_output(store, "in/started", is_complete=False)
    found = find(f"{store_uri}/{named}", allow_empty=True)
    assert {one.name.rpartition("/")[2] for one in found.objects} <= {"1.csv", "2.parquet"}
    assert f"{store_uri}/in/scores" in found.in_outputs
    if named in {"", "in", "in/", "**", "in/**"}:
        assert len(found.objects) == 2
        assert found.in_outputs == {f"{store_uri}/in/scores": 3, f"{store_uri}/in/started": 3}


@pytest.mark.parametrize(
    ("named", "count"),
    [
        ("scores", 3),
        ("scores/", 3),
        ("scores/**", 3),
        ("scores/*.parquet", 2),
        ("scores/vendor=*/*", 1),
        ("scores/vendor=a", 1),
        ("scores/part-0.parquet", 1),
        ("scores/_errors/*", 1),
    ],
)
def test_output_that_is_named_is_input(store, store_uri, named, count):
    put_output(store, "scores")
    put_output(store, "scores/below")
    found = find(f"{store_uri}/{named}")
    assert len(found.objects) == count
    assert all("below" not in one.name and "_scoremill" not in one.name for one in found.objects)


def test_incomplete_output_is_refused_as_input(store, store_uri):
    put_output(store, "scores", is_complete=False)
    with pytest.raises(InputError, match="output of scoremill that is not complete"):
        find(f"{store_uri}/scores/")
    assert len(find(f"{store_uri}/scores/part-*").objects) == 2


def test_hint_names_an_output_to_score_if_only_outputs_are_found(store, store_uri):
    put_output(store, "in/scores")
    with pytest.raises(InputError, match="nothing is found") as caught:
        find(f"{store_uri}/in/")
    named = (caught.value.hint or "").rpartition('["')[2].removesuffix('"]`')
    assert len(find(named).objects) == 3


def test_outputs_behind_symbolic_links_are_excluded(tmp_path: Path):
    put_output(Store(str(tmp_path / "elsewhere")), "scores")
    put(Store(str(tmp_path / "in")), "1.csv")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere" / "scores")
    assert names(str(tmp_path / "in")) == ["1.csv"]


# --- runs -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle"))


def put_trips(store: Store, name: str, rows: int, seed: int = 0) -> None:
    store.write(name, trips(rows, seed).to_csv(index=False).encode())


def test_run_with_output_below_its_input_resumes_with_new_objects(bundle, store, store_uri):
    put_trips(store, "data/1.csv", 30)
    job = make_job(bundle, f"{store_uri}/data", f"{store_uri}/data/scores", output={"rowId": True})
    assert score(job, cluster="in-process").totals.rows == 30
    assert score(job, cluster="in-process").totals.rows == 30
    put_trips(store, "data/2.csv", 20)
    assert score(job, cluster="in-process").totals.rows == 50
    assert set(table(f"{store_uri}/data/scores")["source"].str.rpartition("/")[2]) == {"1.csv", "2.csv"}
    other = make_job(bundle, f"{store_uri}/data/**", f"{store_uri}/data/others")
    notes: list[Event] = []
    assert score(other, cluster="in-process", watchers=[notes.append]).totals.rows == 50
    assert Note(f"excluded: 2 objects of scoremill outputs below the input: {store_uri}/data/scores") in notes


def test_predictions_are_scored_if_their_output_is_named(bundle, store, store_uri):
    put_trips(store, "in.csv", 30)
    keep = {"keep": ["distance", "payment", "passengers"]}
    score(make_job(bundle, f"{store_uri}/in.csv", f"{store_uri}/first", output=keep), cluster="in-process")
    job = make_job(bundle, f"{store_uri}/first/", f"{store_uri}/second", output={"columns": {"1": "again"}})
    assert score(job, cluster="in-process").totals.rows == 30
    with pytest.raises(UsageError, match="the input holds an object of the output"):
        score(make_job(bundle, f"{store_uri}/first", f"{store_uri}/first"), cluster="in-process")


def test_run_over_files_with_only_headers_warns_that_no_row_was_scored(bundle, tmp_path):
    for name in ("a.csv", "b.csv"):
        put_trips(Store(str(tmp_path / "in")), name, 0)
    arguments = ["--model", bundle, "--input", tmp_path / "in", "--cluster", "in-process"]
    code, out, err = run("score", *arguments, "--output", tmp_path / "out")
    warning = "0 rows were scored: the input has no rows"
    assert (code, f"warning: {warning}" in err) == (0, True), err
    assert out.startswith("0 rows scored, 0 rejected")
    assert warning in run("report", tmp_path / "out")[1]
    code, out, _ = run("score", *arguments, "--output", tmp_path / "out", "--json")
    assert (code, json.loads(out)["warnings"]) == (0, [warning])
    assert list(warnings_of(verify(str(tmp_path / "out")).totals)) == [warning]


def test_run_over_empty_files_is_refused_and_the_hint_works(bundle, tmp_path):
    put(Store(str(tmp_path / "in")), "a.csv", "b.csv", data=b"")
    arguments = [
        "score",
        "--model",
        bundle,
        "--input",
        tmp_path / "in",
        "--output",
        tmp_path / "out",
        "--cluster",
        "in-process",
    ]
    code, _, err = run(*arguments)
    assert code == 3 and "all 2 input objects are empty" in err and "--set spec.input.allowEmpty=true" in err
    assert not (tmp_path / "out").exists()
    code, _, err = run(*arguments, "--set", "spec.input.allowEmpty=true")
    assert code == 0 and "warning: 0 rows were scored" in err
    assert verify(str(tmp_path / "out")).totals.rows == 0


def test_plan_lists_excluded_objects(bundle, tmp_path):
    store = Store(str(tmp_path / "in"))
    put_output(store, "scores")
    for number in (1, 2):
        put_trips(store, f"{number}.csv", 10)
        os.utime(tmp_path / "in" / f"{number}.csv", (0, number))
    arguments = [
        "plan",
        "--model",
        bundle,
        "--input",
        tmp_path / "in",
        "--set",
        "spec.input.since=1970-01-01T00:00:02Z",
    ]
    code, out, err = run(*arguments)
    assert code == 0, err
    assert "excluded    3 objects of scoremill outputs below the input: " in out
    assert "excluded    1 object not modified between spec.input.since and spec.input.until" in out
    code, out, _ = run(*arguments, "--json")
    assert json.loads(out)["excluded"] == {
        "inOutputs": {str(tmp_path / "in" / "scores"): 3},
        "outsideSpan": 1,
        "scoredBefore": 0,
    }
