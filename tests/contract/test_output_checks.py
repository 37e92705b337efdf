"""`plan`, and `score` before it starts a worker, report all problems of an output together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scoremill.ledger import Lease
from scoremill.storage.filesystem import Store
from tests.support.cli import here
from tests.support.jobs import trip_bundle, trips
from tests.support.proxy import Answer, proxy
from tests.support.s3 import Bucket

NOBODY = "tcp://127.0.0.1:1"
"""A cluster that does not answer, so that a run that needs one exits with 6."""
Words = list[object]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trips") / "a.csv"
    trips(50).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def scored(bundle: str, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("scored") / "out"
    code, _, err = here(*words("score", bundle, file, output), "--cluster", "in-process", "--quiet")
    assert code == 0, err
    return output


def words(command: str, bundle: str, file: object, output: object) -> Words:
    return [command, "--model", bundle, "--input", file, "--output", output]


def refused(bundle: str, file: object, output: object, *flags: object) -> tuple[int, str]:
    """Return exit code and stderr of `plan`, which are those of `score` without a cluster."""
    code, _, err = here(*words("plan", bundle, file, output), *flags)
    again, out, message = here(*words("score", bundle, file, output), *flags, "--cluster", NOBODY)
    assert (again, message, out) == (code, err, "")
    assert "Traceback" not in err
    return code, err


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


# --- folders ----------------------------------------------------------------------------------------------------------


def a_file(folder: Path) -> Path:
    (folder / "out").write_text("1")
    return folder / "out"


def below_a_file(folder: Path) -> Path:
    return a_file(folder) / "more" / "out"


def with_others(folder: Path) -> Path:
    (folder / "out").mkdir()
    (folder / "out" / "notes.txt").write_text("1")
    return folder / "out"


def in_proc(folder: Path) -> Path:
    return Path("/proc/x")


@pytest.mark.parametrize(
    ("state", "code", "message"),
    [
        (a_file, 5, "out as a folder: it is a file"),
        (below_a_file, 5, "out as a folder: it is a file"),
        (in_proc, 5, "cannot create /proc/x"),
        (with_others, 2, "holds objects that do not belong to this output, such as notes.txt"),
    ],
)
def test_folder_that_cannot_be_an_output_is_refused_before_a_worker(
    bundle: str, file: Path, tmp_path: Path, state: Callable[[Path], Path], code: int, message: str
) -> None:
    output = state(tmp_path)
    before = tree(tmp_path)
    found, err = refused(bundle, file, output)
    assert found == code and message in err
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--mode", "ErrorIfExists"], "exists already"),
        (
            ["--method", "predict", "--keep", "id"],
            "other settings: --method: predict_proba → predict; --keep: none → id\n",
        ),
        (
            ["--set", "spec.input.csv.thousands='", "--dtypes", "id=int64"],
            """--set spec.input.csv.thousands: none → "'"; --dtypes id: none → int64\n""",
        ),
    ],
)
def test_output_of_an_earlier_run_is_compared_before_a_worker(
    bundle: str, file: Path, scored: Path, flags: Words, message: str
) -> None:
    before = tree(scored)
    code, err = refused(bundle, file, scored, *flags)
    assert message in err and code == 2
    assert tree(scored) == before


def test_plan_of_an_output_that_can_be_written_leaves_nothing_behind(
    bundle: str, file: Path, tmp_path: Path, scored: Path, s3: Bucket
) -> None:
    before = tree(scored)
    for output in (tmp_path / "new" / "out", scored, s3.uri("new/out")):
        code, _, err = here(*words("plan", bundle, file, output))
        assert (code, err) == (0, "")
    assert list(tmp_path.iterdir()) == [] and Store(s3.uri()).list() == []
    assert tree(scored) == before


def test_plan_without_an_output_checks_no_output(bundle: str, file: Path) -> None:
    assert here("plan", "--model", bundle, "--input", file)[0] == 0


# --- buckets ----------------------------------------------------------------------------------------------------------


def test_missing_output_bucket_is_refused_before_a_worker(bundle: str, file: Path, s3: Bucket) -> None:
    code, err = refused(bundle, file, "s3://bucket-that-nobody-made/out")
    assert code == 5 and 'no bucket named "bucket-that-nobody-made"' in err


@pytest.mark.parametrize(("method", "action"), [("PUT", "s3:PutObject"), ("POST", "s3:DeleteObject")])
def test_output_without_permission_to_write_or_delete_is_refused_before_a_worker(
    bundle: str, file: Path, s3: Bucket, monkeypatch: pytest.MonkeyPatch, method: str, action: str
) -> None:
    denied = Answer(403, "AccessDenied", f"User: ana is not authorized to perform: {action} on resource: b")
    with proxy(s3.endpoint, lambda request: denied if request.method == method else None) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        code, err = refused(bundle, file, s3.uri("out"))
    assert code == 5 and "permission denied" in err and action in err


# --- locks ------------------------------------------------------------------------------------------------------------


def test_lock_is_reported_with_its_holder_and_time_before_a_worker(bundle: str, file: Path, tmp_path: Path) -> None:
    lease = Lease.acquire(Store(str(tmp_path / "out")))
    try:
        code, err = refused(bundle, file, tmp_path / "out")
    finally:
        lease.release()
    assert code == 6 and "is being written by process" in err and " UTC\n" in err
    assert here(*words("plan", bundle, file, tmp_path / "out"))[0] == 0


# --- all of it together -----------------------------------------------------------------------------------------------


def test_problems_of_input_and_output_are_reported_together(bundle: str, tmp_path: Path) -> None:
    trips(50).drop(columns="distance").to_csv(tmp_path / "a.csv", index=False)
    output = with_others(tmp_path)
    code, err = refused(bundle, tmp_path / "a.csv", output)
    assert code == 2
    first, second = err.split("notes.txt")[0], err.split("notes.txt")[1]
    assert '"distance"' in first and "Choose an empty folder or prefix" in second


def test_problems_of_model_input_and_output_are_reported_together(tmp_path: Path) -> None:
    code, out, err = here(*words("plan", str(tmp_path / "none"), tmp_path / "none.csv", "/proc/x"))
    assert (code, out) == (2, "")
    assert "none" in err and "none.csv" in err and "cannot create /proc/x" in err


def test_plan_as_json_has_the_exit_code_of_each_problem(bundle: str, tmp_path: Path) -> None:
    trips(50).drop(columns="distance").to_csv(tmp_path / "a.csv", index=False)
    code, out, _ = here(*words("plan", bundle, tmp_path / "a.csv", "/proc/x"), "--json")
    problems = json.loads(out)["problems"]
    assert [problem["exitCode"] for problem in problems] == [3, 5] and code == 3
    assert problems[1]["where"] == "/proc/x" and "error" not in problems[1]
