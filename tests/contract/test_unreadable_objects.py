"""An unreadable input object fails the run, or is rejected with its reason while the others are scored."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest

from scoremill import score, verify
from scoremill.engines.protocol import InProcess
from scoremill.errors import FitError, InputError, RejectLimitError
from scoremill.execute import execute, plan, preview
from scoremill.outputs.compact import compact
from scoremill.outputs.retry import retry_rejected
from scoremill.report import as_text, build_report
from scoremill.storage.filesystem import Store
from tests.support.cli import here
from tests.support.engines import LastFirst
from tests.support.jobs import make_job, objects, table, trip_bundle, trips

REJECT = {"onFileError": "Reject"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("model"))


def csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()


def parquet(frame: pd.DataFrame) -> bytes:
    return bytes(frame.to_parquet(index=False))


def damaged_page(frame: pd.DataFrame) -> bytes:
    data = bytearray(parquet(frame))
    data[4:400] = b"\xff" * 396
    return bytes(data)


BROKEN: dict[str, Callable[[pd.DataFrame], bytes]] = {
    "cut.csv.gz": lambda frame: gzip.compress(csv(frame))[:-20],
    "damaged.csv.gz": lambda frame: gzip.compress(csv(frame))[:200] + b"\xff" * 400,
    "other-columns.csv": lambda frame: csv(frame.rename(columns={"distance": "far"})),
    "archive.csv": lambda frame: b"PK\x03\x04" + bytes(400),
    "cut.parquet": lambda frame: parquet(frame)[:-20],
    "no-rows-of.parquet": lambda frame: b"PAR1 is not enough",
    "damaged-page.parquet": damaged_page,
}


def folder(path: Path, broken: str, good: int = 4) -> Path:
    """Good files of 200 rows each with a broken one between them, of the same format."""
    path.mkdir()
    write, ending = (parquet, "parquet") if broken.endswith("parquet") else (csv, "csv")
    for number in range(good):
        (path / f"{number}-good.{ending}").write_bytes(write(trips(200, seed=number)))
    (path / f"1-{broken}").write_bytes(BROKEN[broken](trips(200, seed=99)))
    return path


def job(model: str, source: Path, output: Path, errors: dict[str, Any] = REJECT, **spec: Any) -> Any:
    spec = {"output": {"keep": ["id"], "rowId": True}, **spec}
    return make_job(model, str(source), str(output), errors=errors, **spec)


def rejected_files(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in output.glob("_errors/files/*.jsonl") for line in path.open()]


@pytest.mark.parametrize("broken", BROKEN)
def test_unreadable_object_fails_the_run_by_default(model, tmp_path, broken):
    with pytest.raises(FitError, match=broken.replace(".", r"\.")):
        score(job(model, folder(tmp_path / "in", broken), tmp_path / "out", errors={}), cluster="in-process")
    assert not (tmp_path / "out" / "_SUCCESS").exists()


@pytest.mark.parametrize("partition_bytes", ["1KiB", "64MiB"])
@pytest.mark.parametrize("broken", BROKEN)
def test_rejected_object_is_listed_and_the_others_are_scored(model, tmp_path, broken, partition_bytes):
    source, cut = folder(tmp_path / "in", broken), {"partitionBytes": partition_bytes}
    manifest = score(job(model, source, tmp_path / "out", input=cut), cluster="in-process")
    assert (manifest.totals.rejected_files, manifest.totals.rows, manifest.totals.rejected) == (1, 800, 0)
    (listed,) = rejected_files(tmp_path / "out")
    assert listed["file"] == str(source / f"1-{broken}")
    assert listed["reason"]
    verify(str(tmp_path / "out"))
    (source / f"1-{broken}").unlink()
    score(job(model, source, tmp_path / "without", input=cut), cluster="in-process")
    pd.testing.assert_frame_equal(table(str(tmp_path / "out")), table(str(tmp_path / "without")))


def test_any_order_of_tasks_gives_the_same_objects(model, tmp_path):
    source = folder(tmp_path / "in", "cut.csv.gz")
    (source / "2-other-columns.csv").write_bytes(BROKEN["other-columns.csv"](trips(200)))
    made = []
    for name, engine in (("first", InProcess()), ("last", LastFirst())):
        execute(job(model, source, tmp_path / name, input={"partitionBytes": "1KiB"}), engine)
        made.append(objects(str(tmp_path / name)))
        assert len(rejected_files(tmp_path / name)) == 2
    assert made[0] == made[1]


def test_run_that_failed_at_an_object_resumes_with_it_rejected(model, tmp_path):
    source = folder(tmp_path / "in", "cut.csv.gz")
    cut = {"partitionBytes": "1KiB"}
    (source / "1-cut.csv.gz").write_bytes(gzip.compress(csv(trips(40_000)), 1)[:-20])
    with pytest.raises(InputError, match="truncated"):
        score(job(model, source, tmp_path / "out", errors={}, input=cut), cluster="in-process")
    assert score(job(model, source, tmp_path / "out", input=cut), cluster="in-process").totals.rejected_files == 1
    again = score(job(model, source, tmp_path / "out", input=cut), cluster="in-process")
    assert (again.totals.rejected_files, again.totals.rows) == (1, 800)


def test_interrupted_run_remembers_rejected_objects(model, tmp_path):
    source = folder(tmp_path / "in", "cut.csv.gz")
    score(job(model, source, tmp_path / "whole", input={"partitionBytes": "1KiB"}), cluster="in-process")
    output = tmp_path / "out"
    score(job(model, source, output, input={"partitionBytes": "1KiB"}), cluster="in-process")
    for name in ("_SUCCESS", "_scoremill/manifest.json"):
        (output / name).unlink()
    parts = sorted(output.glob("part-*"))
    parts[0].unlink()
    manifest = score(job(model, source, output, input={"partitionBytes": "1KiB"}), cluster="in-process")
    assert (manifest.totals.rejected_files, manifest.totals.rows) == (1, 800)
    assert objects(str(output)) == objects(str(tmp_path / "whole"))


def test_exceeded_limit_of_rejected_objects_fails_the_run_and_the_hint_works(model, tmp_path):
    source = folder(tmp_path / "in", "cut.csv.gz")
    (source / "3-cut.csv.gz").write_bytes(BROKEN["cut.csv.gz"](trips(200)))
    flags = ("--model", model, "--input", source, "--output", tmp_path / "out", "--cluster", "in-process")
    code, _, err = here("score", *flags, "--set", "spec.errors.onFileError=Reject", "--set", "spec.errors.maxFiles=1")
    assert code == RejectLimitError.exit_code
    assert "2 of 6 input objects cannot be read; at most 1" in err
    assert "--set spec.errors.maxFiles" in err
    code, out, err = here("score", *flags, "--set", "spec.errors.onFileError=Reject", "--set", "spec.errors.maxFiles=2")
    assert (code, "2 input objects could not be read" in err) == (0, True)
    for path in source.glob("*-cut.csv.gz"):
        path.write_bytes(gzip.compress(csv(trips(200))))
    (hint,) = re.findall(r"scoremill (retry-rejected .*)", out)
    code, out, err = here(*hint.split())
    assert (code, err) == (0, "")
    assert out.startswith("400 rows scored, 0 rejected again")


def test_input_without_readable_objects_is_an_error_of_the_plan(model, tmp_path):
    source = folder(tmp_path / "in", "cut.csv.gz", good=0)
    with pytest.raises(FitError, match="truncated"):
        score(job(model, source, tmp_path / "out"), cluster="in-process")


def test_plan_warns_of_objects_that_will_be_rejected(model, tmp_path):
    source = folder(tmp_path / "in", "cut.parquet")
    planned = plan(job(model, source, tmp_path / "out"))
    assert [(problem.severity, "1-cut.parquet" in problem.text) for problem in planned.problems] == [("warning", True)]
    code, out, err = here("plan", "--model", model, "--input", source, "--set", "spec.errors.onFileError=Reject")
    assert (code, "1-cut.parquet" in out + err) == (0, True)


@pytest.mark.parametrize("broken", BROKEN)
def test_preview_skips_unreadable_objects(model, tmp_path, broken):
    source = folder(tmp_path / "in", broken)
    (source / f"1-{broken}").rename(source / f"0-a-{broken}")
    assert sum(each.table.num_rows for each in preview(job(model, source, tmp_path / "out"), 500)) == 500


def test_report_lists_rejected_objects_and_compact_keeps_them(model, tmp_path):
    source = folder(tmp_path / "in", "damaged-page.parquet")
    score(job(model, source, tmp_path / "out"), cluster="in-process")
    compact(Store(str(tmp_path / "out")), Store(str(tmp_path / "compact")), 300)
    for output in ("out", "compact"):
        report = build_report(Store(str(tmp_path / output)))
        assert [file.file for file in report.rejected_files] == [str(source / "1-damaged-page.parquet")]
        assert "1-damaged-page.parquet" in as_text(report)
    verify(str(tmp_path / "compact"))


def test_retry_scores_repaired_objects(model, tmp_path):
    source = folder(tmp_path / "in", "cut.csv.gz")
    score(job(model, source, tmp_path / "out"), cluster="in-process")
    (source / "1-cut.csv.gz").write_bytes(gzip.compress(csv(trips(200, seed=99))))
    code, out, err = here("retry-rejected", tmp_path / "out", "--files", "--model", model)
    assert (code, err) == (0, "")
    assert out.startswith("200 rows scored, 0 rejected again")
    retried = table(str(tmp_path / "out" / "_retries" / "1"))
    assert retried["id"].tolist() == trips(200, seed=99)["id"].tolist()


def test_only_the_damaged_one_of_two_objects_with_one_name_is_rejected(model, tmp_path):
    for name, write in (("a", csv), ("b", lambda frame: csv(frame)[:500].replace(b"distance", b"far"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "trips.csv").write_bytes(write(trips(200)))
    both = [str(tmp_path / name) for name in "ab"]
    for _ in range(2):
        manifest = score(make_job(model, both, str(tmp_path / "out"), errors=REJECT), cluster="in-process")
        assert (manifest.totals.rows, manifest.totals.rejected_files) == (200, 1)
        (tmp_path / "out" / "_SUCCESS").unlink(missing_ok=True)
        (tmp_path / "out" / "_scoremill" / "manifest.json").unlink(missing_ok=True)


def test_rows_and_objects_are_retried_to_separate_outputs(model, tmp_path):
    source = folder(tmp_path / "in", "cut.csv.gz")
    with (source / "0-good.csv").open("a") as file:
        file.write("not,a,row\n")
    score(job(model, source, tmp_path / "out"), cluster="in-process")
    output = Store(str(tmp_path / "out"))
    changes = {"spec": {"model": {"uri": model}, "errors": {"maxFraction": 1.0}}}
    with pytest.raises(FitError, match="truncated"):
        retry_rejected(output, lambda _: InProcess(), changes, kind="files")
    rows = retry_rejected(output, lambda _: InProcess(), changes)
    (source / "1-cut.csv.gz").write_bytes(gzip.compress(csv(trips(200, seed=99))))
    files = retry_rejected(output, lambda _: InProcess(), changes, kind="files")
    assert (rows.totals.rows, files.totals.rows) == (1, 200)
    assert rows.store.uri != files.store.uri


def test_archived_object_is_rejected_as_archived(model, s3, tmp_path):
    for number in range(3):
        Store(s3.uri("in")).write(f"{number}.csv", csv(trips(200, seed=number)))
    client = boto3.client("s3", endpoint_url=s3.endpoint)
    client.put_object(Bucket=s3.bucket, Key="in/1.csv", Body=csv(trips(200)), StorageClass="GLACIER")
    manifest = score(make_job(model, s3.uri("in"), str(tmp_path / "out"), errors=REJECT), cluster="in-process")
    assert (manifest.totals.rows, manifest.totals.rejected_files) == (400, 1)
    assert "is archived (GLACIER)" in rejected_files(tmp_path / "out")[0]["reason"]
