"""Repeated work is counted, also if Dask repeats it."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

from distributed import Client, LocalCluster

from scoremill import score
from scoremill.report import build_report
from scoremill.storage.filesystem import Store
from tests.cluster.steps import until
from tests.support.jobs import make_job
from tests.support.touchy import touchy_bundle


def test_tasks_of_a_killed_worker_are_counted_as_repeated(tmp_path):
    model = touchy_bundle(tmp_path / "model")
    (tmp_path / "in.csv").write_bytes(b"x,y\n1.5,1\n")
    job = make_job(model, str(tmp_path / "in.csv"), str(tmp_path / "out"))
    started, go = tmp_path / "started", tmp_path / "go"
    os.mkfifo(go)
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs="CRITICAL",
            env={"TOUCHY_WAIT": str(tmp_path)},
        ) as cluster,
        Client(cluster) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        (process,) = client.run(os.getpid).values()
        run = thread.submit(score, job, cluster=cluster.scheduler_address)
        assert until(started.exists, 60)
        started.unlink()
        os.kill(process, signal.SIGKILL)
        assert until(started.exists, 60)
        go.write_text("go\n")
        assert run.result(60).totals.scored == 1
    report = build_report(Store(job.spec.output.uri))
    assert (report.repeated, report.partitions_done, report.scored) == (1, 1, 1)
