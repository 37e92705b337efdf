"""Promise 2: every way to run a job gives the same rows in objects of the same names, bit for bit."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from scoremill import score, verify
from scoremill.errors import LeaseError, UsageError
from scoremill.events import Event, Note
from scoremill.ledger import Lease, Ledger
from scoremill.spec import Storage
from scoremill.storage.filesystem import Store
from tests.support.jobs import command, make_job, objects, pipeline, run, table, trip_bundle, trips

FILES, ROWS = 3, 8_000


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trips")
    for number in range(FILES):
        trips(ROWS, seed=number).to_csv(folder / f"{number}.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def expected(bundle: str, files: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Objects of an undisturbed run in this process."""
    output = str(tmp_path_factory.mktemp("expected"))
    score(cut_job(bundle, files, output), cluster="in-process")
    return objects(output)


def cut_job(bundle: str, files: Path | str, output: str):
    return make_job(bundle, f"{files}/*.csv", output, input={"partitionBytes": "4KiB"}, output={"keep": ["id"]})


def test_predictions_equal_pandas_and_scikit_learn(bundle, files, tmp_path):
    score(cut_job(bundle, files, str(tmp_path)), cluster="in-process")
    rows = pd.concat([pd.read_csv(files / f"{number}.csv") for number in range(FILES)], ignore_index=True)
    probabilities = pipeline(trips(500)).predict_proba(rows)
    made = table(str(tmp_path))
    assert made["id"].tolist() == rows["id"].tolist()
    assert made[["proba_0", "proba_1"]].to_numpy() == pytest.approx(probabilities, abs=1e-15)


def test_local_cluster_gives_the_same_bytes(bundle, files, expected, tmp_path):
    job = make_job(
        bundle,
        f"{files}/*.csv",
        str(tmp_path),
        input={"partitionBytes": "4KiB"},
        output={"keep": ["id"]},
        cluster={"workers": 2, "memory": "1GiB"},
    )
    score(job, cluster="local")
    assert objects(str(tmp_path)) == expected
    assert verify(str(tmp_path)).totals.rows == FILES * ROWS


def test_every_store_gives_the_same_bytes(bundle, files, expected, store_uri):
    inputs = Store(f"{store_uri}/in")
    for path in sorted(files.iterdir()):
        inputs.write(path.name, path.read_bytes())
    output = f"{store_uri}/out"
    score(cut_job(bundle, f"{store_uri}/in", output), cluster="in-process")
    # Partition ids depend on the version of the object (ETag, time), so names differ between stores. Bytes do not.
    assert [data for _, data in sorted(objects(output).items())] == [data for _, data in sorted(expected.items())]
    assert verify(output).totals.scored == FILES * ROWS


def arguments(bundle: str, files: Path, output: Path, *more: object) -> list[object]:
    return [
        "score",
        "--model",
        bundle,
        "--input",
        f"{files}/*.csv",
        "--output",
        output,
        "--set",
        "spec.input.partitionBytes=4KiB",
        "--keep",
        "id",
        *more,
    ]


def parts(output: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in output.glob("part-*")}


def wait_for(condition, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        threading.Event().wait(0.002)


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [1, 10])
def test_killed_driver_is_resumed_without_touching_completed_partitions(
    bundle, files, expected, tmp_path, ending, after
):
    driver = command(*arguments(bundle, files, tmp_path, "--cluster", "in-process"))
    wait_for(lambda: len(parts(tmp_path)) >= after)
    driver.send_signal(ending)
    driver.communicate(timeout=60)
    assert driver.returncode == (-9 if ending == signal.SIGKILL else 130)
    done = parts(tmp_path)
    assert 0 < len(done) < len(expected)
    assert not (tmp_path / "_SUCCESS").exists()
    code, _, err = run(*arguments(bundle, files, tmp_path, "--cluster", "in-process"))
    assert code == 0, err
    assert objects(str(tmp_path)) == expected
    assert {name: when for name, when in parts(tmp_path).items() if name in done} == done
    verify(str(tmp_path))


def test_killed_workers_do_not_change_the_output(bundle, files, expected, tmp_path):
    driver = command(*arguments(bundle, files, tmp_path, "--workers", 2))
    wait_for(lambda: len(parts(tmp_path)) >= 3)
    workers = [child for child in psutil.Process(driver.pid).children(recursive=True) if is_worker(child)]
    assert workers
    workers[0].send_signal(signal.SIGKILL)
    _, err = driver.communicate(timeout=170)
    assert driver.returncode == 0, err
    assert objects(str(tmp_path)) == expected
    verify(str(tmp_path))


def is_worker(process: psutil.Process) -> bool:
    try:
        return any("spawn_main" in word for word in process.cmdline())
    except psutil.Error:
        return False


def test_complete_run_is_not_repeated(bundle, files, tmp_path):
    score(cut_job(bundle, files, str(tmp_path)), cluster="in-process")
    before = {
        path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file() and "lease" not in str(path)
    }
    score(cut_job(bundle, files, str(tmp_path)), cluster="in-process")
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_new_files_are_added_without_touching_old_parts(bundle, files, tmp_path):
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "1.csv").write_bytes((files / "1.csv").read_bytes())
    score(cut_job(bundle, folder, str(output)), cluster="in-process")
    before = objects(str(output))
    (folder / "0.csv").write_bytes((files / "0.csv").read_bytes())
    manifest = score(cut_job(bundle, folder, str(output)), cluster="in-process")
    after = objects(str(output))
    assert before.items() <= after.items()
    assert manifest.totals.rows == 2 * ROWS
    assert max(before) < min(after.keys() - before.keys())
    verify(str(output))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"method": "predict"}}, "`spec.model.method`: predict_proba → predict"),
        ({"model": {"batchRows": 1000}}, "`spec.model.batchRows`: 131072 → 1000"),
        ({"output": {"keep": []}}, "`spec.output.keep`: id → none"),
        ({"output": {"format": "csv"}}, "`spec.output.format`: parquet → csv"),
        ({"input": {"partitionBytes": "32KiB"}}, "`spec.input.partitionBytes`: 4096 → 32768"),
        ({"input": {"csv": {"trueValues": ["T"]}}}, "`spec.input.csv.trueValues`: True,TRUE,true → T"),
    ],
)
def test_other_settings_are_refused_by_name_and_nothing_is_touched(bundle, files, tmp_path, change, message):
    job = cut_job(bundle, files, str(tmp_path))
    score(job, cluster="in-process")
    before = objects(str(tmp_path))
    fields = job.model_dump(mode="json", by_alias=True, exclude_none=True)
    from scoremill.spec import merge, parse_job

    with pytest.raises(UsageError, match=message):
        score(parse_job(merge(fields, {"spec": change})), cluster="in-process")
    assert objects(str(tmp_path)) == before
    verify(str(tmp_path))


@pytest.mark.parametrize(("change", "message"), [("replace", "replaced"), ("remove", "not in the input now")])
def test_changed_input_is_refused_unless_the_mode_is_overwrite(bundle, files, tmp_path, change, message):
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("0.csv", "1.csv"):
        (folder / name).write_bytes((files / name).read_bytes())
    score(cut_job(bundle, folder, str(output)), cluster="in-process")
    if change == "replace":
        trips(10, seed=9).to_csv(folder / "1.csv", index=False)
    else:
        (folder / "1.csv").unlink()
    with pytest.raises(UsageError, match=message):
        score(cut_job(bundle, folder, str(output)), cluster="in-process")
    job = make_job(bundle, f"{folder}/*.csv", str(output), output={"mode": "Overwrite"})
    rows = ROWS + 10 if change == "replace" else ROWS
    assert score(job, cluster="in-process").totals.rows == rows
    assert verify(str(output)).totals.rows == rows


def test_second_driver_is_refused_while_the_first_is_running(bundle, files, expected, tmp_path):
    first = command(*arguments(bundle, files, tmp_path, "--cluster", "in-process"))
    wait_for(lambda: len(parts(tmp_path)) >= 1)
    first.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(LeaseError, match=f"process {first.pid}"):
            score(cut_job(bundle, files, str(tmp_path)), cluster="in-process")
    finally:
        first.send_signal(signal.SIGCONT)
    _, err = first.communicate(timeout=120)
    assert first.returncode == 0, err
    assert objects(str(tmp_path)) == expected


def test_driver_that_lost_its_lease_exits_without_changing_the_output(bundle, files, expected, tmp_path):
    first = command(*arguments(bundle, files, tmp_path, "--cluster", "in-process"))
    wait_for(lambda: len(parts(tmp_path)) >= 3)
    first.send_signal(signal.SIGSTOP)
    try:
        beat = tmp_path / "_scoremill" / "lease" / "000001.beat"
        os.utime(beat, (time.time() - 60,) * 2)
        score(cut_job(bundle, files, str(tmp_path)), cluster="in-process")
    finally:
        first.send_signal(signal.SIGCONT)
    _, err = first.communicate(timeout=120)
    assert (first.returncode, "another driver took over" in err) == (6, True), err
    assert objects(str(tmp_path)) == expected
    verify(str(tmp_path))


def test_output_with_foreign_objects_is_refused(bundle, files, tmp_path):
    (tmp_path / "old.parquet").write_bytes(b"")
    with pytest.raises(UsageError, match=r"old\.parquet"):
        score(cut_job(bundle, files, str(tmp_path)), cluster="in-process")
    assert os.listdir(tmp_path) == ["old.parquet"]


def test_error_if_exists_does_not_change_the_output(bundle, files, tmp_path):
    score(cut_job(bundle, files, str(tmp_path)), cluster="in-process")
    job = make_job(bundle, f"{files}/*.csv", str(tmp_path), output={"mode": "ErrorIfExists"})
    with pytest.raises(UsageError, match="exists already"):
        score(job, cluster="in-process")
    verify(str(tmp_path))


def test_error_if_exists_refuses_a_run_started_while_waiting_for_the_lease(bundle, files, tmp_path):
    store = Store(str(tmp_path), Storage())
    other = Lease.acquire(store)

    def starts_and_ends(event: Event) -> None:
        if isinstance(event, Note) and event.text.startswith("waiting:"):
            ledger = Ledger(store)
            ledger.hold(other)
            ledger.begin({"settings": {}})
            other.release()

    job = make_job(bundle, f"{files}/*.csv", str(tmp_path), output={"mode": "ErrorIfExists"})
    with pytest.raises(UsageError, match="exists already"):
        score(job, cluster="in-process", watchers=[starts_and_ends], wait=True)
