"""(c) scoremill: its time includes plan, lease, ledger, receipts, checksums and manifest."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Self

import pandas as pd
from distributed import Client, LocalCluster
from sklearn.linear_model import LogisticRegression

import scoremill
from generate import generate
from scoremill.bundle.threads import keep_memory
from scoremill.ledger import Ledger
from scoremill.spec import Csv, ScoringJob, Storage
from scoremill.storage.filesystem import Store
from scoremill.tabular.csv.grammar import Grammar

KEPT = ("Start_Lon", "Start_Lat", "End_Lon", "End_Lat")
"""Columns that the model does not read."""
EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "01-taxi-tips"


class Scoremill:
    """Scores files as `scoremill score --cluster tcp://…` does, on running workers."""

    name = "(c) scoremill"

    def __init__(self, bundle: Path, processes: int) -> None:
        self.bundle, self.processes = bundle, processes

    def __enter__(self) -> Self:
        self.cluster = LocalCluster(n_workers=self.processes, threads_per_worker=1, dashboard_address="127.0.0.1:0")
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.close()

    def score(self, data: Path, output: Path) -> None:
        """Write a complete output to `output`, with manifest and _SUCCESS."""
        scoremill.score(job(self.bundle, data, output), cluster=self.cluster.scheduler_address)


def job(
    bundle: Path,
    data: Path,
    output: Path,
    partition_bytes: str = "64MiB",
    keep: Sequence[str] = (),
    dtypes: Mapping[str, str] = MappingProxyType({}),
) -> ScoringJob:
    """Return the job that scores the CSVs below `data`, with probabilities and the columns to `keep`, to Parquet."""
    fields = {
        "model": {"uri": str(bundle), "method": "predict_proba"},
        "input": {"uris": [f"{data}/*.csv"], "partitionBytes": partition_bytes, "csv": {"dtypes": dict(dtypes)}},
        "output": {"uri": str(output), "keep": list(keep)},
    }
    return ScoringJob.model_validate({"spec": fields})


def pack(model: Path, bundle: Path) -> Path:
    """Pack the model that train.py of the example wrote to the folder `model`, and return its bundle."""
    code = [EXAMPLE / "pipeline.py"]
    scoremill.pack(model / "model.joblib", bundle, sample=model / "sample.parquet", code=code, method="predict_proba")
    return bundle


def worker_growth(bundle: Path, data: Path, output: Path, processes: int) -> int:
    """Return the largest growth of a worker in bytes: its peak less its memory before its first task."""
    with Scoremill(bundle, processes) as mill:
        with Client(mill.cluster) as client:
            workers = list(client.run(os.getpid).values())
        with Watch(workers) as watch:
            mill.score(data, output)
    return max(watch.peak[worker] - watch.before[worker] for worker in workers)


def seconds_keeping(bundle: Path, data: Path, output: Path, dtypes: Mapping[str, str] | None) -> float:
    """Return the seconds of a run in this process that keeps the columns `KEPT` with these types; no columns if None."""
    keep_memory()
    began = time.perf_counter()
    scoremill.score(
        job(bundle, data, output, keep=KEPT if dtypes is not None else (), dtypes=dtypes or {}), cluster="in-process"
    )
    return time.perf_counter() - began


def quotes_share(bundle: Path, data: Path, output: Path) -> float:
    """Return the fraction of the time of a run that is spent on finding quotes and reading their neighbors.

    Freed memory is kept, as in a worker.
    """
    keep_memory()
    scoremill.score(job(bundle, data, output), cluster="in-process")
    spent = sum(sum(receipt.seconds.values()) for receipt in Ledger(Store(str(output))).receipts())
    grammar, sought = Grammar(Csv()), 0.0
    for path in sorted(data.glob("*.csv")):
        with path.open("rb") as file:
            while text := file.read(8 * 2**20):
                began = time.perf_counter()
                quotes = grammar.quotes(text)
                grammar.is_regular(text, quotes, odd=False)
                sought += time.perf_counter() - began
    return sought / spent


class Watch:
    """Proportional set sizes of processes in bytes, read 20 times per second."""

    def __init__(self, processes: list[int]) -> None:
        self.before = {process: proportional_set_size(process) for process in processes}
        self.peak = dict(self.before)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._measure)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _measure(self) -> None:
        while not self._over.wait(0.05):
            for process, peak in self.peak.items():
                self.peak[process] = max(peak, proportional_set_size(process))


def proportional_set_size(process: int) -> int:
    """Return the proportional set size in bytes: private pages and a share of shared ones (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def overhead_seconds(folder: Path, partitions: int) -> tuple[int, float]:
    """Return the number of scored partitions of 1 KiB, and their seconds outside read, predict and write."""
    (path,) = generate(folder / "data", rows=partitions * 1024 // 119)
    trips = pd.read_csv(path, usecols=["Trip_Distance", "Fare_Amt"], nrows=1000)
    model = LogisticRegression().fit(trips, trips["Fare_Amt"] > 10)
    scoremill.pack(model, folder / "bundle", sample=trips)
    began = time.perf_counter()
    scoremill.score(job(folder / "bundle", folder / "data", folder / "scores", "1KiB"), cluster="in-process")
    seconds = time.perf_counter() - began
    receipts = list(Ledger(Store(str(folder / "scores"), Storage())).receipts())
    return len(receipts), seconds - sum(sum(receipt.seconds.values()) for receipt in receipts)
