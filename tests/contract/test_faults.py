"""Promises 1 to 3 under faults: a run completes or reports a reason, and a rerun completes it.

FAULT_SEEDS=2000 tries more than CI does.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from scoremill import score, verify
from scoremill.engines.protocol import InProcess
from scoremill.errors import StorageError
from scoremill.execute import execute
from scoremill.storage import retry
from scoremill.storage.filesystem import Store
from tests.support import faulty
from tests.support.engines import LastFirst
from tests.support.jobs import command, make_job, objects, run, trip_bundle, trips
from tests.support.proxy import LOST, RESET, SLOW_DOWN, TRUNCATED, Request, every, proxy
from tests.support.touchy import touchy_bundle

SEEDS = int(os.environ.get("FAULT_SEEDS", "200"))
HEADER = b"id,x,y\n"
BAD = [b"1,2\n", b"2,abc,3\n", b"3,2e6,3\n", b"\xff,1,1\n", b'4,"1\n,2",1\n']


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return touchy_bundle(tmp_path_factory.mktemp("touchy"))


@pytest.fixture
def short_pauses(monkeypatch):
    """Short pauses between attempts of a store."""
    monkeypatch.setattr(retry, "PATIENCE", retry.Patience(tries=3, first_pause=0.0))


def put_inputs(folder: Path) -> None:
    """Write three files of good rows; one also has bad rows in several partitions and a quoted field over a boundary.

    Rows are long, so that few fill a partition. Planning tries other dialects for files with bad rows.
    """
    folder.mkdir()
    for number in range(3):
        good = [b"%d,%d.5%s,1\n" % (i, i, b"0" * 50) for i in range(number * 100, number * 100 + 12)]
        text = b'9,1.5,"' + (b"a" * 150 + b"\nb,") * 8 + b'"\n'
        middle, end = ([*BAD, text], BAD) if number == 1 else ([], [])
        (folder / f"{number}.csv").write_bytes(HEADER + b"".join([*good, *middle, *good, *end]))


def faulty_job(model: str, folder: Path, output: str):
    # Without retries, a failed partition ends the run, and the rerun is tested without pauses.
    return make_job(
        model,
        f"faulty://{folder}/in",
        f"faulty://{folder}/{output}",
        input={"partitionBytes": "1KiB"},
        output={"keep": ["id"], "format": "csv"},
        errors={"maxFraction": None},
        retry={"partitionRetries": 0},
    )


@pytest.fixture(scope="module")
def folder(model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Inputs, and in `undisturbed` the output of an undisturbed run."""
    folder = tmp_path_factory.mktemp("faulty")
    put_inputs(folder / "in")
    with pytest.MonkeyPatch.context() as patch:
        set_schedule(patch, faulty.install(folder / "protocol"))
        score(faulty_job(model, folder, "undisturbed"), cluster="in-process")
        yield folder


def set_schedule(patch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("SCOREMILL_FAULTY_")]:
        patch.delenv(name)
    for name, value in variables.items():
        if name != "PYTHONPATH":
            patch.setenv(name, value)


def disturb(patch: pytest.MonkeyPatch, folder: Path, seed: int, attempt: int) -> None:
    """Set the faults of an attempt, fewer each time, so that the last attempts succeed."""
    chance = random.Random(f"{seed}/{attempt}")
    kinds = chance.choice(["error", "truncate", "error,truncate", "error,truncate,delay"])
    schedule = {"rate": chance.uniform(0.1, 0.6) / 2**attempt, "kinds": kinds, "seed": chance.random(), "delay": 0.001}
    if attempt < 3 and chance.random() < 0.7:
        schedule["die_at"] = chance.randrange(1, 130)
    set_schedule(patch, faulty.install(folder / "protocol", **schedule))


# The garbage collector closes files that Died left open. Those calls are refused too.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("block", range(20))
def test_rows_add_up_and_bytes_are_the_same_under_any_faults(model, folder, monkeypatch, short_pauses, block):
    undisturbed = objects(str(folder / "undisturbed"))
    rows = verify(str(folder / "undisturbed")).totals
    ended: Counter[str] = Counter()
    for seed in range(block, SEEDS, 20):
        job = faulty_job(model, folder, f"out-{seed}")
        for attempt in range(12):
            disturb(monkeypatch, folder, seed, attempt)
            try:
                manifest = execute(job, LastFirst() if seed % 2 else InProcess())
            except StorageError:
                ended["storage"] += 1
            except faulty.Died:
                ended["died"] += 1
            else:
                ended["complete"] += 1
                break
            finally:
                set_schedule(monkeypatch, {})
        else:
            pytest.fail(f"seed {seed}: not complete after {attempt + 1} attempts")
        totals = manifest.totals
        assert (totals.rows, totals.scored, totals.rejected) == (rows.rows, rows.scored, rows.rejected), seed
        assert totals.rows == totals.scored + totals.rejected, seed
        assert objects(str(folder / f"out-{seed}")) == undisturbed, seed
        assert verify(str(folder / f"out-{seed}")).totals == totals, seed
    assert ended["died"] and ended.total() > 2 * ended["complete"], "the schedule has too few faults"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("engine", [InProcess, LastFirst])
def test_run_that_dies_between_any_two_calls_is_completed_by_the_next(model, folder, monkeypatch, short_pauses, engine):
    undisturbed = objects(str(folder / "undisturbed"))
    for call in range(1, 10_000):
        name = f"died-{engine.__name__}-{call}"
        job = faulty_job(model, folder, name)
        set_schedule(monkeypatch, faulty.install(folder / "protocol", die_at=call))
        try:
            execute(job, engine())
        except faulty.Died:
            pass
        else:
            break
        finally:
            set_schedule(monkeypatch, {})
        is_complete = (folder / name / "_SUCCESS").exists()
        assert not is_complete or objects(str(folder / name)) == undisturbed, call
        execute(job, engine())
        assert objects(str(folder / name)) == undisturbed, call
        verify(str(folder / name))
    assert call > 80, "too few calls"


def test_run_killed_at_any_call_is_completed_by_a_rerun(model, folder, monkeypatch):
    chance = random.Random(7)
    output = folder / "killed"
    arguments = [
        "score",
        "--model",
        model,
        "--input",
        f"faulty://{folder}/in",
        "--output",
        f"faulty://{output}",
        "--set",
        "spec.input.partitionBytes=1KiB",
        "--keep",
        "id",
        "--format",
        "csv",
        "--max-error-fraction",
        1,
        "--cluster",
        "in-process",
    ]
    for _ in range(4):
        environment = faulty.install(folder / "protocol", kill_at=chance.randrange(20, 120))
        code, _, err = run(*arguments, environment=environment)
        assert code in {-signal.SIGKILL, 0}, err
        if code == 0:
            break
    code, _, err = run(*arguments, environment=faulty.install(folder / "protocol"))
    assert code == 0, err
    assert objects(str(output)) == objects(str(folder / "undisturbed"))
    verify(str(output))


# -- engines × stores ------------------------------------------------------------------------------------------------
# A memory store has no faults and loses its content when killed. test_engine.py covers it without faults.


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


def put_trips(store: Store) -> None:
    for number in range(2):
        store.write(f"{number}.csv", trips(300, seed=number).to_csv(index=False).encode())


def trip_job(bundle: str, root: str, output: str):
    return make_job(
        bundle,
        f"{root}/in",
        f"{root}/{output}",
        input={"partitionBytes": "1KiB"},
        output={"keep": ["id"]},
        cluster={"workers": 2, "memory": "1GiB"},
    )


@pytest.mark.parametrize("cluster", ["in-process", pytest.param("local", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["file", "s3", "gs"])
def test_run_completes_if_every_third_call_of_a_store_fails(bundle, tmp_path, request, monkeypatch, kind, cluster):
    if kind == "file":
        root = f"faulty://{tmp_path}"
        set_schedule(monkeypatch, faulty.install(tmp_path / "protocol"))
        monkeypatch.syspath_prepend(tmp_path / "protocol")
        put_trips(Store(f"{root}/in"))
        score(trip_job(bundle, root, "undisturbed"), cluster="in-process")
        set_schedule(monkeypatch, faulty.install(tmp_path / "protocol", every=3, kinds="error,truncate"))
        score(trip_job(bundle, root, "out"), cluster=cluster)
        assert faulty.calls(dict(os.environ)) > 60
        set_schedule(monkeypatch, {})
    else:
        bucket = request.getfixturevalue("s3" if kind == "s3" else "gcs")
        root = bucket.uri("a root")
        put_trips(Store(f"{root}/in"))
        score(trip_job(bundle, root, "undisturbed"), cluster="in-process")
        with proxy(bucket.endpoint, every(3, SLOW_DOWN, RESET, TRUNCATED, LOST)) as server:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("AWS_ENDPOINT_URL" if kind == "s3" else "STORAGE_EMULATOR_HOST", server.endpoint)
                score(trip_job(bundle, root, "out"), cluster=cluster)
        assert len(server.requests) > 60
    assert objects(f"{root}/out") == objects(f"{root}/undisturbed")
    assert verify(f"{root}/out").totals.rows == 600


class Killer:
    """A rule for the proxy that kills the scoring process in the middle of the `nth` write of an object."""

    def __init__(self, nth: int, fault: str) -> None:
        self._left, self._fault = nth, fault
        self.victim: psutil.Process | None = None
        self.killed = False

    def __call__(self, request: Request):
        is_write = request.method == "PUT" or (request.method == "POST" and "/upload/" in request.path)
        if self.killed or self.victim is None or not is_write or "lease" in request.path:
            return None
        self._left -= 1
        if self._left > 0:
            return None
        self.killed = True
        self.victim.kill()
        return self._fault


@pytest.mark.parametrize("fault", [RESET, LOST], ids=["before", "after"])
@pytest.mark.parametrize("kind", ["s3", "gs"])
def test_driver_that_dies_during_a_write_leaves_no_partial_object(bundle, request, kind, fault):
    bucket = request.getfixturevalue("s3" if kind == "s3" else "gcs")
    root = bucket.uri("root")
    put_trips(Store(f"{root}/in"))
    score(trip_job(bundle, root, "undisturbed"), cluster="in-process")
    undisturbed = objects(f"{root}/undisturbed")
    arguments = [
        "score",
        "--model",
        bundle,
        "--input",
        f"{root}/in",
        "--output",
        f"{root}/out",
        "--keep",
        "id",
        "--set",
        "spec.input.partitionBytes=1KiB",
        "--cluster",
        "in-process",
    ]
    killer = Killer(6, fault)
    with proxy(bucket.endpoint, killer) as server:
        name = "AWS_ENDPOINT_URL" if kind == "s3" else "STORAGE_EMULATOR_HOST"
        driver = command(*arguments, environment={name: server.endpoint})
        killer.victim = psutil.Process(driver.pid)
        _, err = driver.communicate(timeout=120)
    assert killer.killed
    assert driver.returncode == -signal.SIGKILL, err
    left = objects(f"{root}/out")
    assert left.items() < undisturbed.items(), "existing objects are complete"
    assert Store(f"{root}/out").info("_SUCCESS") is None
    assert score(trip_job(bundle, root, "out"), cluster="in-process").totals.rows == 600
    assert objects(f"{root}/out") == undisturbed
    verify(f"{root}/out")


@pytest.mark.slow
def test_workers_that_die_during_a_write_do_not_change_the_output(bundle, tmp_path):
    """The nannies of a LocalCluster replace workers that died."""
    root = f"faulty://{tmp_path}"
    put_trips(Store(f"{tmp_path}/in"))
    undisturbed = trip_job(bundle, str(tmp_path), "undisturbed")
    score(undisturbed, cluster="in-process")
    arguments = [
        "score",
        "--model",
        bundle,
        "--input",
        f"{root}/in",
        "--output",
        f"{root}/out",
        "--keep",
        "id",
        "--set",
        "spec.input.partitionBytes=1KiB",
        "--workers",
        2,
        "--memory",
        "1GiB",
        "--quiet",
    ]
    ended = []
    for kill_at in (70, 110):
        environment = faulty.install(tmp_path / "protocol", kill_at=kill_at)
        code, _, err = run(*arguments, environment=environment)
        # The call comes from a worker or from the driver.
        assert code in {0, -signal.SIGKILL}, err
        ended.append(code)
    if ended[-1]:
        code, _, err = run(*arguments, environment=faulty.install(tmp_path / "protocol"))
        assert code == 0, err
    made, wanted = objects(str(tmp_path / "out")), objects(str(tmp_path / "undisturbed"))
    # Another protocol has other versions, so names differ. Contents do not.
    assert [data for _, data in sorted(made.items())] == [data for _, data in sorted(wanted.items())]
    verify(str(tmp_path / "out"))


# -- many bad rows ---------------------------------------------------------------------------------------------------


def test_thousand_partitions_with_one_percent_of_bad_rows_add_up(model, tmp_path):
    lines = [b"%d,%s,%d\n" % (i, b"abc" if i % 100 == 50 else b"%d.5" % (i % 1000), i % 7) for i in range(100_000)]
    data = HEADER + b"".join(lines)
    (tmp_path / "in.csv").write_bytes(data)
    job = make_job(
        model,
        str(tmp_path / "in.csv"),
        str(tmp_path / "out"),
        input={"partitionBytes": len(data) // 1000},
        errors={"maxFraction": 0.02},
    )
    totals = score(job, cluster="in-process").totals
    assert (totals.scored, totals.rejected) == (99_000, 1000)
    assert totals.partitions >= 1000
