"""Local clusters with too little memory or killed workers: a run completes or fails with a reason, and never hangs.

WORKER_KILL_SEEDS=8 kills workers in more runs than CI does.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import threading
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psutil
import pytest
from distributed import LocalCluster

from scoremill import score, verify
from scoremill.engines.dask.deaths import Deaths
from scoremill.engines.dask.local_cluster import _kill_workers, local_cluster
from scoremill.spec import Cluster
from tests.support.jobs import command, make_job, objects, run, trip_bundle, trips

PARTITIONS = 4


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture(scope="module")
def folder(bundle: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of wide rows, so that a batch needs more memory than the libraries, and in `expected` their scores."""
    folder = tmp_path_factory.mktemp("wide")
    for number in range(PARTITIONS):
        trips(60_000, seed=number).assign(note="n" * 400).to_csv(folder / f"{number}.csv", index=False)
    score(wide_job(bundle, folder, folder / "expected"), cluster="in-process")
    return folder


def wide_job(bundle: str, folder: Path, output: Path):
    return make_job(bundle, f"{folder}/*.csv", str(output), output={"keep": ["note"]})


def words(bundle: str, folder: Path, output: Path, memory: str, workers: int = 1) -> list[object]:
    return [
        "score",
        "--model",
        bundle,
        "--input",
        f"{folder}/*.csv",
        "--output",
        output,
        "--keep",
        "note",
        "--memory",
        memory,
        "--workers",
        workers,
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
# Less than a worker needs to start, less than a batch needs, just enough, and enough.
@pytest.mark.parametrize("memory", ["64MiB", "180MiB", "260MiB", "350MiB", "500MiB"])
def test_memory_limit_is_enough_or_the_error_names_one_that_is(bundle, folder, tmp_path, memory):
    process = command(*words(bundle, folder, tmp_path / "out", memory))
    _, err = process.communicate(timeout=400)
    assert process.returncode in {0, 6}, err
    assert "Traceback" not in err and "distributed" not in err
    if process.returncode == 6:
        limit = memory.replace("MiB", " MiB")
        assert re.search(r"error\[(WorkersKilled|WorkerOutOfMemory|NotEnoughMemory)\]", err), err
        assert f"memory limit of {limit}" in err, err
        (enough,) = re.findall(r"Give workers more memory, such as --memory (\w+)", err)
        for _ in range(4):
            if process.returncode == 0:
                break
            process = command(*words(bundle, folder, tmp_path / "out", enough))
            _, err = process.communicate(timeout=400)
            enough = (re.findall(r"such as --memory (\w+)", err) or [enough])[0]
        assert process.returncode == 0, err
    assert objects(str(tmp_path / "out")) == objects(str(folder / "expected"))


def kill_now_and_then(driver: int, chance: random.Random, over: threading.Event) -> None:
    """Kill workers of the driver at random moments until `over` is set."""
    while not over.wait(chance.uniform(0.0, 4.0)):
        workers = [child for child in psutil.Process(driver).children(recursive=True) if "spawn_main" in _words(child)]
        if workers:
            chance.choice(workers).send_signal(signal.SIGKILL)


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(int(os.environ.get("WORKER_KILL_SEEDS", "2"))))
def test_local_workers_killed_at_random_moments_do_not_change_the_output(bundle, folder, tmp_path, seed):
    over = threading.Event()
    driver = command(
        *words(bundle, folder, tmp_path / "out", "1GiB", workers=2), "--set", "spec.input.partitionBytes=4MiB"
    )
    killer = threading.Thread(target=kill_now_and_then, args=(driver.pid, random.Random(seed), over))
    timer = threading.Timer(40, over.set)
    killer.start()
    timer.start()
    _, err = driver.communicate(timeout=600)
    over.set()
    timer.cancel()
    killer.join()
    # Three kills in a row on a partition end the run and name it. A kill during the start ends the run too.
    assert driver.returncode in {0, 6}, err
    assert "Traceback" not in err and "distributed" not in err
    if driver.returncode:
        assert re.search("3 workers died while scoring partition|the local Dask cluster did not start", err), err
    assert (
        run(*words(bundle, folder, tmp_path / "out", "1GiB", workers=2), "--set", "spec.input.partitionBytes=4MiB")[0]
        == 0
    )
    assert verify(str(tmp_path / "out")).totals.rows == PARTITIONS * 60_000


def test_partition_fails_after_two_workers_run_out_of_memory_on_it():
    deaths = Deaths(is_exclusive=True)
    deaths.started("tcp://a", "task 7")
    assert deaths.grew("tcp://a", 300) == "task 7"
    assert not deaths.is_too_many("partition 7")
    deaths.started("tcp://b", "task 7")
    assert deaths.grew("tcp://b", 400) == "task 7"
    assert deaths.is_too_many("partition 7")
    assert deaths.largest == 400


def test_run_fails_if_workers_run_out_of_memory_before_finishing_anything():
    deaths = Deaths(is_exclusive=True)
    for _ in range(5):
        assert deaths.grew(None, 100) is None
    assert not deaths.never_end
    deaths.grew("tcp://a", 100)
    assert deaths.never_end
    deaths.forget()
    assert not deaths.never_end


def test_deaths_of_workers_of_another_driver_do_not_count():
    deaths = Deaths(is_exclusive=False)
    for _ in range(9):
        assert deaths.grew("tcp://a", 100) is None
    assert not deaths.never_end


def listening(processes: list[psutil.Process]) -> set[int]:
    """Return the TCP ports on which these processes listen."""
    found = (connection for process in processes for connection in process.net_connections("tcp"))
    return {connection.laddr.port for connection in found if connection.status == psutil.CONN_LISTEN}


PATHS = ["/", "/info/main/workers.html", "/json/counts.json", "/metrics", "/health", "/api/v1/retire_workers"]


def answer(port: int, path: str) -> int | None:
    """Return the status of an HTTP response from this port, or None if it is not an HTTP server."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as server:
        try:
            server.request("GET", path)
            return server.getresponse().status
        except (HTTPException, OSError):
            return None


def test_other_users_of_the_machine_cannot_read_from_a_local_cluster():
    me = psutil.Process()
    # Ports of servers that other tests have started in this process.
    others = listening([me, *me.children(recursive=True)])
    with local_cluster(Cluster(workers=1, memory="256MiB")):
        ports = listening([me, *me.children(recursive=True)]) - others
        answers = {path: {answer(port, path) for port in ports} - {None} for path in PATHS}
    # The HTTP servers have no such page, and other ports require certificates.
    assert answers == {path: {404} for path in PATHS}


def test_workers_that_exited_early_do_not_fail_the_shutdown_of_a_run() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    nanny = SimpleNamespace(pid=ended.pid, close_gracefully=lambda: None)
    asyncio.run(_kill_workers(cast(LocalCluster, SimpleNamespace(workers={0: nanny}))))
