"""The Python API, which returns as values what the command line prints."""

from __future__ import annotations

import doctest
import importlib
import inspect
import json
import operator
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from distributed import LocalCluster

import scoremill
from scoremill.cli import app
from scoremill.errors import ClusterError, UsageError
from tests.docs.pages import ROOT
from tests.support.jobs import run, trip_bundle, trips

BAD = ['7,far,cash,"a, b",2', "8,1.5,cash,x", "9,\xff,cash,x,2"]
"""Trips that cannot be scored. The last one is in Latin-1."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    text = trips(300).to_csv(index=False) + "\n".join(BAD) + "\n"
    (tmp_path / "trips.csv").write_bytes(text.encode("latin-1"))
    return tmp_path


def test_job_is_defined_scored_and_its_rejected_rows_read_in_python(bundle: str, data: Path) -> None:
    job = scoremill.job(
        model=bundle, input=f"{data}/*.csv", output=f"{data}/out", keep=["id"], errors={"maxFraction": 0.5}
    )
    totals = scoremill.score(job, cluster="in-process").totals
    assert (totals.rows, totals.scored, totals.rejected) == (303, 300, 3)
    rejected = scoremill.rejected(f"{data}/out")
    assert list(rejected["raw"]) == [*BAD[:2], BAD[2].encode("latin-1")]
    assert list(rejected["line"]) == [302, 303, 304]
    assert list(rejected["column"].fillna("")) == ["distance", "", ""]
    assert rejected["row"].isna().all() and rejected["raw_sha256"].isna().all()


def test_rejected_rows_of_many_partitions_are_returned_once_and_retries_have_their_own(
    bundle: str, tmp_path: Path
) -> None:
    lines = trips(600).to_csv(index=False).splitlines()
    bad = list(range(20, 600, 40))
    for at in bad:
        lines[at] = f"{at},far,cash,x,2"
    (tmp_path / "trips.csv").write_text("\n".join(lines) + "\n")
    output = tmp_path / "out"
    job = scoremill.job(
        model=Path(bundle),
        input={"uris": [str(tmp_path / "trips.csv")], "partitionBytes": 2048},
        output=output,
        errors={"maxFraction": 0.5},
        cluster={"workers": 2},
    )
    totals = scoremill.score(job).totals
    assert totals.partitions > 5
    assert list(scoremill.rejected(output)["line"]) == [at + 1 for at in bad]
    code, _, err = run("retry-rejected", output, "--model", bundle, "--cluster", "in-process")
    assert code == 0, err
    assert len(scoremill.rejected(output)) == len(scoremill.rejected(output / "_retries" / "1")) == len(bad)


def test_hashes_of_rejected_rows_are_not_returned_as_text(bundle: str, data: Path) -> None:
    job = scoremill.job(
        model=bundle, input=[f"{data}/trips.csv"], output=f"{data}/out", errors={"maxFraction": 0.5, "raw": "Hash"}
    )
    scoremill.score(job, cluster="in-process")
    rejected = scoremill.rejected(f"{data}/out")
    assert rejected["raw"].isna().all() and (rejected["raw_sha256"].str.len() == 64).all()


def test_rejected_rows_of_parquet_have_row_numbers(bundle: str, tmp_path: Path) -> None:
    frame = trips(50)
    frame["distance"] = frame["distance"].astype(str)
    frame.loc[3, "distance"] = "far"
    frame.to_parquet(tmp_path / "trips.parquet")
    job = scoremill.job(
        model=bundle, input=f"{tmp_path}/*.parquet", output={"uri": f"{tmp_path}/out"}, errors={"maxFraction": 0.5}
    )
    totals = scoremill.score(job, cluster="in-process").totals
    rejected = scoremill.rejected(f"{tmp_path}/out")
    assert totals.rejected == 1
    assert list(rejected["row"]) == [3] and list(rejected["column"]) == ["distance"]
    assert rejected["line"].isna().all()


def test_rejected_rows_of_an_output_without_any_are_an_empty_frame(bundle: str, tmp_path: Path) -> None:
    trips(20).to_csv(tmp_path / "in.csv", index=False)
    scoremill.score(
        scoremill.job(model=bundle, input=f"{tmp_path}/in.csv", output=f"{tmp_path}/out"), cluster="in-process"
    )
    empty = scoremill.rejected(f"{tmp_path}/out")
    assert empty.empty and "reason" in empty.columns
    with pytest.raises(UsageError):
        scoremill.rejected(f"{tmp_path}/nothing")


def test_invalid_field_is_named_as_in_a_job_file() -> None:
    with pytest.raises(UsageError, match=r"spec\.errors\.maxFractions"):
        scoremill.job(model="m", input="i", output="o", errors={"maxFractions": 0.1})


def test_output_is_reported_retried_compacted_and_cleaned_in_python(bundle: str, data: Path) -> None:
    job = scoremill.job(model=bundle, input=f"{data}/*.csv", output=f"{data}/out", errors={"maxFraction": 0.5})
    scoremill.score(job, cluster="in-process")
    report = scoremill.read_report(data / "out")
    assert (report.state, report.scored, report.rejected) == ("complete", 300, 3)
    retried = scoremill.retry_rejected(data / "out", model=bundle)
    assert (retried.totals.scored, retried.totals.rejected) == (0, 3)
    compacted = scoremill.compact(data / "out", 100, to=data / "compacted")
    assert (compacted.totals.scored, compacted.totals.objects) == (300, 3 + 1)
    part = next((data / "out").glob("part-*"))
    part.with_name(part.name.replace("part-00", "part-01")).write_bytes(b"x")
    found = scoremill.clean(data / "out")
    assert [each.kind for each in found] == ["superseded part"]
    assert scoremill.clean(data / "out", remove=True) == found
    assert scoremill.clean(data / "out") == ()


def test_doctor_returns_the_findings_of_the_command() -> None:
    code, out, _ = run("doctor", "--json")
    found = scoremill.doctor()
    assert code == 0 and not [each for each in found if each.state == "missing"]
    assert [each["what"] for each in json.loads(out)["findings"]] == [each.what for each in found]
    assert "s3fs" in next(each.detail for each in found if each.what == "s3")


@pytest.mark.parametrize(
    "module", ["scoremill.spec.build", "scoremill.schedules", "scoremill.jobs", "scoremill.environment"]
)
def test_examples_in_docstrings_run(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted and not result.failed


def test_cluster_name_refers_to_a_kubernetes_cluster(bundle: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(data / "none"))
    job = scoremill.job(model=bundle, input=f"{data}/*.csv", output=f"{data}/out", errors={"maxFraction": 0.5})
    with pytest.raises(ClusterError, match="could not load a Kubernetes configuration"):
        scoremill.score(job, cluster="trips")


def test_score_and_plan_take_a_job_file(bundle: str, data: Path) -> None:
    fields = {"model": {"uri": bundle}, "input": {"uris": [f"{data}/*.csv"]}, "output": {"uri": f"{data}/out"}}
    (data / "job.json").write_text(json.dumps({"spec": {**fields, "errors": {"maxFraction": 0.5}}}))
    assert len(scoremill.plan(data / "job.json")) == 1
    assert scoremill.score(str(data / "job.json"), cluster="in-process").totals.scored == 300
    with pytest.raises(TypeError, match="path of a job file, not dict"):
        scoremill.score(fields)  # type: ignore[arg-type]


def test_dataset_is_loaded_listed_scored_and_dropped(bundle: str, data: Path) -> None:
    with LocalCluster(n_workers=1, memory_limit="1GiB", dashboard_address=None) as local:
        cluster = local.scheduler_address
        trips = scoremill.datasets.load("trips", f"{data}/*.csv", cluster=cluster, models=[bundle], columns=["id"])
        assert (trips.rows + trips.rejected, sum(trips.by_worker.values())) == (303, trips.bytes)
        assert [each.name for each in scoremill.datasets.list(cluster=cluster)] == ["trips"]
        job = scoremill.job(
            model=bundle, input=trips.input, output=f"{data}/out", keep=["id"], errors={"maxFraction": 0.5}
        )
        assert scoremill.score(job, cluster=cluster, dataset=trips).totals.scored == 300
        scoremill.datasets.drop("trips", cluster=cluster)
        with pytest.raises(UsageError, match='no dataset "trips"'):
            scoremill.datasets.find("trips", cluster=cluster)


def test_plans_and_results_are_tables_in_a_notebook(bundle: str, data: Path) -> None:
    job = scoremill.job(model=bundle, input=f"{data}/*.csv", output=f"{data}/<b>", errors={"maxFraction": 0.5})
    planned = scoremill.plan(job)._repr_html_()
    assert "<th>partitions</th><td>1</td>" in planned and "<th>objects</th><td>1</td>" in planned
    scored = scoremill.score(job, cluster="in-process")._repr_html_()
    assert "<th>scored</th><td>300</td>" in scored and "<th>rejected</th><td>3</td>" in scored
    assert "&lt;b&gt;" in scored and "<b>" not in scored


def test_cluster_status_is_a_table_in_a_notebook() -> None:
    status = scoremill.clusters.ClusterStatus("trips", "science", "waiting", "a <pod>", None, 4, None, {}, ())
    shown = status._repr_html_()
    assert "<caption>trips in science</caption>" in shown and "<td>0 of 4</td>" in shown
    assert "a &lt;pod&gt;" in shown and "image" not in shown and "tasks" not in shown


def test_dataset_needs_a_permanent_cluster() -> None:
    with pytest.raises(UsageError, match="local cluster ends"):
        scoremill.datasets.list(cluster="local")


def test_cluster_objects_equal_those_of_the_dry_run() -> None:
    made = scoremill.clusters.manifests("trips", namespace="science", workers="0:4", memory="2GiB", secret="buckets")
    command = ["cluster", "up", "trips", "--namespace", "science", "--workers", "0:4", "--memory", "2GiB"]
    code, out, err = run(*command, "--secret", "buckets", "--dry-run", "-o", "json")
    assert code == 0, err
    assert json.loads(out)["items"] == list(made)


@pytest.mark.parametrize("workers", ["many", "4:2", -1])
def test_invalid_worker_counts_of_a_cluster_are_refused(workers: str | int) -> None:
    with pytest.raises(UsageError, match="neither a number of workers such as 4 nor a range"):
        scoremill.clusters.manifests("trips", namespace="science", workers=workers)


def test_job_with_local_paths_is_not_submitted() -> None:
    with pytest.raises(UsageError, match="path on this machine"):
        scoremill.submit(scoremill.job(model="bundle", input="in.csv", output="out"))


def leaves(command: click.Command, name: str) -> Iterator[str]:
    """Return the full names of the commands below `command`."""
    if not isinstance(command, click.Group):
        yield name
        return
    context = click.Context(command)
    for each in command.list_commands(context):
        child = command.get_command(context, each)
        assert child is not None
        yield from leaves(child, f"{name} {each}")


def table() -> list[tuple[str, str]]:
    """Return the rows of the table in the guide."""
    lines = (ROOT / "docs" / "how-to" / "python.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ", 1) for line in lines if line.startswith("| ")]
    return [(command, python) for command, python in rows]


def test_guide_lists_the_python_function_of_each_command() -> None:
    named = {command for cell, _ in table() for command in re.findall(r"`(scoremill [^`]+)`", cell)}
    assert set(leaves(app, "scoremill")) == named - {"scoremill score --dataset"}


@pytest.mark.parametrize(
    "path", sorted({path for _, cell in table() for path in re.findall(r"scoremill(?:\.\w+)+", cell)})
)
def test_python_function_in_the_guide_exists(path: str) -> None:
    found = operator.attrgetter(path.removeprefix("scoremill."))(scoremill)
    assert callable(found) and inspect.getdoc(found)


def test_schedule_is_created_from_a_job() -> None:
    job = scoremill.job(name="nightly", model="s3://m/tips", input="s3://b/*.csv", output="s3://b/scores")
    made = scoremill.schedules.made_of(job, "0 3 * * *", timeZone="Europe/Vienna")
    flags = ["--model", "s3://m/tips", "--input", "s3://b/*.csv", "--output", "s3://b/scores", "--name", "nightly"]
    code, out, err = run(
        "schedule",
        "submit",
        *flags,
        "--schedule",
        "0 3 * * *",
        "--time-zone",
        "Europe/Vienna",
        "--dry-run",
        "-o",
        "json",
    )
    assert code == 0, err
    assert json.loads(out)["items"] == [made]


def test_package_exports_its_api_only() -> None:
    listed = subprocess.run(
        [sys.executable, "-c", "import scoremill; print(*dir(scoremill)); import sys; print('pandas' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert listed[:-1] == sorted(scoremill.__all__) and listed[-1] == "False"


@pytest.mark.parametrize("name", [name for name in scoremill.__all__ if name != "__version__"])
def test_each_public_object_has_a_docstring(name: str) -> None:
    found = getattr(scoremill, name)
    assert len(inspect.getdoc(found) or "") > 40
    if inspect.isfunction(found) and found.__module__ in {"scoremill.jobs", "scoremill.spec.build"}:
        assert "Parameters\n----------" in (inspect.getdoc(found) or "") or name == "find_job"
