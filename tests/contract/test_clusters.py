"""Existing Dask clusters, and clusters that are not available."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import dask
import pytest
from distributed import Client, LocalCluster, Reschedule, Security, Worker
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.core import Status
from distributed.scheduler import KilledWorker, NoValidWorkerError, NoWorkerError, WorkerState

from scoremill import score, verify
from scoremill.engines.dask import reports
from scoremill.engines.dask.cluster_faults import explained
from scoremill.engines.dask.engine import OnDask
from scoremill.engines.dask.security import security_from
from scoremill.engines.dask.session import GREW, News
from scoremill.engines.protocol import Result
from scoremill.errors import ClusterError, KilledWorkerError, SkewError, WorkerMemoryError
from scoremill.events import Note
from scoremill.execute.coordinator.prepare import prepare
from scoremill.execute.coordinator.run import execute
from scoremill.kubernetes.objects import issue
from scoremill.spec import Cluster, Deadlines
from scoremill.worker.work import Task
from tests.support.jobs import ROOT, command, make_job, objects, run, trip_bundle, trips
from tests.support.touchy import touchy_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1") as cluster:
        yield cluster


def test_scheduler_given_by_address_gives_the_same_bytes_and_keeps_running(bundle, cluster, tmp_path):
    for number in range(3):
        trips(2000, seed=number).to_csv(tmp_path / f"{number}.csv", index=False)
    outputs = [str(tmp_path / name) for name in ("here", "there", "again")]
    for output, where in zip(
        outputs, ("in-process", cluster.scheduler_address, cluster.scheduler_address), strict=True
    ):
        job = make_job(bundle, f"{tmp_path}/*.csv", output, input={"partitionBytes": "8KiB"})
        score(job, cluster=where)
    assert objects(outputs[0]) == objects(outputs[1]) == objects(outputs[2])
    with Client(cluster.scheduler_address) as client:
        assert len(client.scheduler_info(n_workers=-1)["workers"]) == 2


def test_task_is_small_and_has_neither_model_nor_secret(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")
    trips(100).to_csv(tmp_path / "in.csv", index=False)
    prepared = prepare(make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / "out")))
    task = pickle.dumps(Task(prepared.work(prepared.plan), next(prepared.plan.partitions())))
    assert len(task) < 16_384
    assert b"sklearn.linear_model" not in task
    assert b"very-secret-key" not in task


def test_cluster_that_does_not_answer_is_an_error_that_names_it(bundle, tmp_path):
    trips(10).to_csv(tmp_path / "in.csv", index=False)
    code, _, err = run(
        "score",
        "--model",
        bundle,
        "--input",
        tmp_path / "in.csv",
        "--output",
        tmp_path / "out",
        "--cluster",
        "tcp://127.0.0.1:9",
    )
    assert code == 6
    assert "waiting for the Dask scheduler at tcp://127.0.0.1:9, for up to 15 s" in err
    assert "answers at tcp://127.0.0.1:9: no connection within 15 s ([Errno 111] Connection refused)" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["score", "dataset list"])
def test_address_with_a_password_is_refused_without_being_printed(bundle, tmp_path, command):
    words = command.split()
    if command == "score":
        trips(10).to_csv(tmp_path / "in.csv", index=False)
        words += ["--model", bundle, "--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out")]
    code, out, err = run(*words, "--cluster", "tls://me:hush@127.0.0.1:9")
    assert code == 2
    assert "hush" not in out + err


def test_local_cluster_larger_than_the_memory_of_the_machine_is_refused():
    wanted = Cluster.model_validate({"workers": 64, "memory": "1TiB"})
    with pytest.raises(ClusterError, match="do not fit"), OnDask("local", wanted, Deadlines()):
        pass


def test_two_drivers_on_one_scheduler_receive_only_their_own_receipts(bundle, cluster, tmp_path):
    trips(2000).to_csv(tmp_path / "in.csv", index=False)
    outputs = [str(tmp_path / name) for name in ("one", "two")]
    jobs = [make_job(bundle, str(tmp_path / "in.csv"), output, input={"partitionBytes": "4KiB"}) for output in outputs]
    with ThreadPoolExecutor() as threads:
        done = list(threads.map(lambda job: score(job, cluster=cluster.scheduler_address), jobs))
    assert [manifest.totals.scored for manifest in done] == [2000, 2000]
    assert [verify(output).totals.rows for output in outputs] == [2000, 2000]


def test_scheduler_with_tls_gets_the_certificates_of_the_driver(bundle, tmp_path):
    trips(300).to_csv(tmp_path / "in.csv", index=False)
    job = make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / "out"))
    security = Security.temporary()
    with LocalCluster(
        n_workers=1,
        processes=False,
        threads_per_worker=1,
        security=security,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        assert cluster.scheduler_address.startswith("tls://")
        with pytest.raises(ClusterError, match="tls://"):
            score(job, cluster=cluster.scheduler_address)
        with pytest.raises(ClusterError, match="tls://"):
            score(job, cluster=cluster.scheduler_address, security=Security.temporary())
        assert score(job, cluster=cluster.scheduler_address, security=security).totals.scored == 300


def test_cluster_that_scales_from_zero_gets_tasks_before_it_has_a_worker(bundle, tmp_path):
    trips(300).to_csv(tmp_path / "in.csv", index=False)
    workers = {"cluster": {"workers": 0, "maxWorkers": 3}, "deadlines": {"preRunningSeconds": 20}}
    job = make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / "out"), input={"partitionBytes": "1KiB"}, **workers)
    with LocalCluster(n_workers=0, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        with OnDask(cluster.scheduler_address, job.spec.cluster, job.spec.deadlines) as engine:
            assert engine.window >= 12 * 3
        cluster.adapt(minimum=0, maximum=1, interval="100ms")
        assert score(job, cluster=cluster.scheduler_address).totals.scored == 300


def test_local_run_restores_dask_settings(bundle, tmp_path):
    before = copy.deepcopy(dask.config.config)
    with pytest.raises(ClusterError, match="do not fit in this machine"):
        with OnDask("local", Cluster.model_validate({"workers": 2, "memory": "1TiB"}), Deadlines()):
            pass
    with OnDask("local", Cluster.model_validate({"workers": 1, "memory": "1GiB"}), Deadlines()):
        assert dask.config.config != before
    assert dask.config.config == before


def test_cluster_given_by_address_does_not_change_dask_settings(cluster):
    before = copy.deepcopy(dask.config.get("distributed"))
    with OnDask(cluster.scheduler_address, Cluster(), Deadlines()) as engine:
        engine.take(0.0)
        assert dask.config.get("distributed") == before


def test_local_workers_keep_the_environment_that_dask_gives_them():
    with dask.config.set({"distributed.nanny.pre-spawn-environ": {"OF_THE_SITE": "1", "OMP_NUM_THREADS": 8}}):
        with OnDask("local", Cluster.model_validate({"workers": 1, "memory": "1GiB"}), Deadlines()) as engine:
            (found,) = engine._client.run(lambda: dict(os.environ)).values()
    assert found["OF_THE_SITE"] == "1"
    assert found["OMP_NUM_THREADS"] == "1"


class Forgetful(OnDask):
    """An engine that never receives the end of a task."""

    submitted = 0

    def _call(self, task):
        self.submitted += 1
        return super()._call(task)

    def _handle_report(self, message):
        if "starts" in message:
            super()._handle_report(message)


def test_repeatedly_lost_result_ends_the_run_and_keeps_completed_partitions(bundle, cluster, tmp_path):
    trips(100).to_csv(tmp_path / "in.csv", index=False)
    job = make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / "out"))
    engine = Forgetful(cluster.scheduler_address, job.spec.cluster, job.spec.deadlines)
    with pytest.raises(ClusterError, match=r"the result of partition 0 \(.*in\.csv.* was lost 3 times"):
        execute(job, engine)
    assert engine.submitted == 3
    assert score(job, cluster="in-process").totals.rows == 100


class Deadly(OnDask):
    """An engine whose tasks end the workers that run them."""

    def _call(self, task):
        return os._exit, 1


def test_workers_that_die_on_one_partition_raise_an_error_of_their_own(bundle, tmp_path):
    trips(100).to_csv(tmp_path / "in.csv", index=False)
    job = make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / "out"))
    with LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        engine = Deadly(cluster.scheduler_address, job.spec.cluster, job.spec.deadlines)
        with pytest.raises(KilledWorkerError, match=r"3 workers died while scoring partition 0 \(.*in\.csv"):
            execute(job, engine)


def task_of(bundle: str, folder: Path) -> Task:
    trips(100).to_csv(folder / "in.csv", index=False)
    prepared = prepare(make_job(bundle, str(folder / "in.csv"), str(folder / "out")))
    return Task(prepared.work(prepared.plan), next(prepared.plan.partitions()))


def result_of(engine: OnDask) -> Result:
    """Return the next result."""
    for _ in range(60):
        result = engine.take(1.0)
        if result is not None:
            return result
    raise AssertionError("no result")


def test_lost_connection_is_restored_and_tasks_are_submitted_again(bundle, cluster, tmp_path):
    with OnDask(cluster.scheduler_address, Cluster(), Deadlines()) as engine:
        assert engine.take(0.0) is None
        engine._client.close()
        engine.submit(task_of(bundle, tmp_path))
        receipt = result_of(engine).receipt
    assert receipt is not None and receipt.rows == 100
    assert any("lost the Dask scheduler" in note for note in engine.notes())


def test_scheduler_that_does_not_come_back_ends_the_run_after_the_deadline(bundle, tmp_path):
    task = task_of(bundle, tmp_path)
    deadlines = Deadlines(pre_running_seconds=1)
    with LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as local:
        with OnDask(local.scheduler_address, Cluster(), deadlines) as engine:
            assert engine.take(0.0) is None
            engine.submit(task)
            local.close()
            with pytest.raises(ClusterError, match=r"no Dask scheduler answers at tcp://"):
                result_of(engine)


def test_task_error_of_an_unimportable_class_is_reported_as_text():
    message = reports._portable(type("Odd", (Exception,), {})("cannot be pickled"))
    assert str(reports.error_of(message)) == "Odd: cannot be pickled"


def test_task_error_keeps_the_traceback_of_the_worker():
    try:
        raise ZeroDivisionError("injected fault")
    except ZeroDivisionError as error:
        found = reports.error_of(reports._portable(error))
    assert type(found) is ZeroDivisionError
    assert "in test_task_error_keeps" in found.__notes__[0]


DASK_ERRORS = [
    KilledWorker(
        "a key",
        WorkerState(
            address="tcp://127.0.0.1:9",
            status=Status.closed,
            pid=0,
            name="",
            nthreads=1,
            memory_limit=0,
            local_directory="",
            nanny="",
            server_id="x",
        ),
        2,
    ),
    NoWorkerError("a key", 20.0),
    NoValidWorkerError("a key", set(), set(), {}, 20.0),
    FutureCancelledError("a key", "scheduler-connection-lost"),
    CancelledError(),
    Reschedule(),
    CommClosedError("closed"),
]


@pytest.mark.parametrize("error", DASK_ERRORS, ids=lambda error: type(error).__name__)
def test_each_dask_error_is_a_cluster_error_with_a_hint(bundle, tmp_path, error):
    made = explained(error, task_of(bundle, tmp_path))
    assert isinstance(made, ClusterError)
    assert "partition 0 (" in made.message
    assert made.hint


def test_worker_killed_for_memory_before_its_task_starts_is_reported_as_out_of_memory(bundle, tmp_path):
    engine = OnDask("tcp://127.0.0.1:9", Cluster(), Deadlines())
    task = task_of(bundle, tmp_path)
    assert isinstance(engine._explained(DASK_ERRORS[0], task), KilledWorkerError)
    engine._handle(News(GREW, {"worker": "tcp://127.0.0.1:9", "rss": 1}))
    assert isinstance(engine._explained(DASK_ERRORS[0], task), WorkerMemoryError)


@contextmanager
def odd_worker(scheduler: str, folder: Path, versions: dict[str, str], scoremill: str | None = None) -> Iterator[None]:
    """Run a worker that reports these `versions` of packages and another `scoremill`."""
    for name, version in versions.items():
        made = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        made.mkdir(parents=True)
        (made / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if scoremill is not None:
        folder.mkdir()
        (folder / "scoremill.py").write_text(scoremill)
    words = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        scheduler,
        "--no-nanny",
        "--nthreads",
        "1",
        "--no-dashboard",
    ]
    path = os.pathsep.join([str(folder), str(ROOT / "src"), str(ROOT)])
    worker = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(30)


@pytest.fixture
def scheduler() -> Iterator[str]:
    with LocalCluster(n_workers=0, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as empty:
        yield empty.scheduler_address


@pytest.mark.parametrize(
    ("versions", "scoremill", "error", "match"),
    [
        ({"scikit-learn": "0.24.2"}, None, SkewError, r"tcp://\S+ has scikit-learn 0\.24\.2, the driver has \d"),
        ({}, "raise ModuleNotFoundError('No module named scoremill')", ClusterError, r"tcp://\S+ cannot run scoremill"),
    ],
)
def test_workers_with_other_versions_are_refused_by_name(
    bundle, scheduler, tmp_path, versions, scoremill, error, match
):
    trips(100).to_csv(tmp_path / "in.csv", index=False)
    job = make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / "out"))
    with odd_worker(scheduler, tmp_path / "odd", versions, scoremill):
        with pytest.raises(error, match=match) as raised:
            score(job, cluster=scheduler)
    assert "same image" in raised.value.hint
    assert not objects(str(tmp_path / "out"))


def test_other_library_versions_are_reported_and_scikit_learn_versions_can_be_allowed(bundle, scheduler, tmp_path):
    trips(100).to_csv(tmp_path / "in.csv", index=False)
    job = make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / "out"), model={"allowVersionSkew": True})
    events: list[object] = []
    with odd_worker(scheduler, tmp_path / "odd", {"scikit-learn": "0.24.2", "numpy": "1.2.3"}):
        assert score(job, cluster=scheduler, watchers=[events.append]).totals.scored == 100
    notes = [event.text.split(",")[0] for event in events if isinstance(event, Note)]
    assert [note for note in notes if note.startswith("workers have")] == [
        "workers have scikit-learn 0.24.2",
        "workers have numpy 1.2.3",
    ]


def test_missing_worker_ends_the_run_after_the_deadline(bundle, scheduler, tmp_path):
    trips(100).to_csv(tmp_path / "in.csv", index=False)
    scales = {"cluster": {"workers": 0, "maxWorkers": 2}, "deadlines": {"preRunningSeconds": 2}}
    job = make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / "out"), **scales)
    with pytest.raises(ClusterError, match="no worker for 2 s"):
        score(job, cluster=scheduler)


def test_versions_of_a_worker_that_joins_later_are_checked(bundle, scheduler, tmp_path):
    trips(100).to_csv(tmp_path / "in.csv", index=False)
    workers = {"cluster": {"workers": 0, "maxWorkers": 2}, "deadlines": {"noProgressSeconds": 100}}
    job = make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / "out"), **workers)
    joined = Event()

    def watch(event):
        joined.set()

    with ThreadPoolExecutor() as threads:
        run = threads.submit(score, job, cluster=scheduler, watchers=[watch])
        assert joined.wait(60)
        with odd_worker(scheduler, tmp_path / "odd", {"scikit-learn": "0.24.2"}):
            with pytest.raises(SkewError, match=r"scikit-learn"):
                run.result(100)
    assert not objects(str(tmp_path / "out"))


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)


def states(dask_worker: Worker) -> set[str]:
    return {task.state for task in dask_worker.state.tasks.values()}


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_task_that_outlives_its_driver_publishes_nothing(cluster, tmp_path, end):
    """The next driver might already have removed objects that no receipt names."""
    os.mkfifo(tmp_path / "go")
    model = touchy_bundle(tmp_path / "model")
    (tmp_path / "in.csv").write_bytes(b"x,y\n1.5,1\n")
    with Client(cluster.scheduler_address) as client:
        client.run(lambda: os.environ.update(TOUCHY_WAIT=str(tmp_path)))
        driver = command(
            "score",
            "--model",
            model,
            "--input",
            tmp_path / "in.csv",
            "--output",
            tmp_path / "out",
            "--cluster",
            cluster.scheduler_address,
        )
        go = os.open(tmp_path / "go", os.O_RDWR)
        try:
            wait_for((tmp_path / "started").exists)
            driver.send_signal(end)
            driver.communicate(timeout=60)
            wait_for(lambda: {"cancelled"} in client.run(states).values())
        finally:
            client.run(lambda: os.environ.pop("TOUCHY_WAIT"))
            os.write(go, b"go\n")
        wait_for(lambda: not any(client.run(states).values()))
        os.close(go)
    assert not objects(str(tmp_path / "out"))
    assert (
        run(
            "score",
            "--model",
            model,
            "--input",
            tmp_path / "in.csv",
            "--output",
            tmp_path / "out",
            "--cluster",
            "in-process",
        )[0]
        == 0
    )
    assert len(objects(str(tmp_path / "out"))) == 1


@pytest.mark.parametrize("answer", [b"", b"not TLS at all\n"])
def test_interrupted_tls_handshake_is_retried_and_a_failed_one_is_not(answer):
    """A forwarded port without a pod accepts a connection and closes it, and the pod might come back."""
    made = issue("trips", "default")
    taken: list[int] = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                taken.append(1)
                connection.sendall(answer)
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        address = f"tls://127.0.0.1:{listener.getsockname()[1]}"
        engine = OnDask(
            address, Cluster(), Deadlines(), security_from(made.ca, made.certificate, made.key), connect_seconds=1.0
        )
        with pytest.raises(ClusterError) as raised, engine:
            engine.wait(lambda _: None)
        listener.shutdown(socket.SHUT_RDWR)
    assert ("no connection within 1 s" in str(raised.value)) == (not answer)
    assert "Check the address" in str(raised.value.hint)
    if not answer:
        assert len(taken) > 1
