"""(c) scoremill: plan, lease, ledger, receipts, checksums and manifest included in its time."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from distributed import LocalCluster

from scoremill.execute.dask_engine import OnDask
from scoremill.execute.driver import execute
from scoremill.spec import Cluster, Deadlines, ScoringJob, parse_job


class Scoremill:
    """Scores files as `scoremill score --cluster tcp://…` does, on workers that are up."""

    name = "scoremill"

    def __init__(self, bundle: Path, processes: int) -> None:
        self.bundle, self.processes = bundle, processes

    def __enter__(self) -> Self:
        self.cluster = LocalCluster(n_workers=self.processes, threads_per_worker=1, dashboard_address="127.0.0.1:0")
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.close()

    def score(self, data: Path, output: Path) -> None:
        """A complete output at `output`, with manifest and _SUCCESS."""
        execute(job(self.bundle, data, output), OnDask(self.cluster.scheduler_address, Cluster(), Deadlines()))


def job(bundle: Path, data: Path, output: Path, partition_bytes: str = "64MiB") -> ScoringJob:
    """What scores the CSVs below `data`, probabilities to Parquet."""
    return parse_job(
        {
            "spec": {
                "model": {"uri": str(bundle), "method": "predict_proba"},
                "input": {"uris": [f"{data}/*.csv"], "partitionBytes": partition_bytes},
                "output": {"uri": str(output)},
            }
        }
    )
