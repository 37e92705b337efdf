"""Score, plan, verify and preview a job, for Python programs and the command line."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scoremill.bundle import open_bundle
from scoremill.events import Watcher
from scoremill.spec import ScoringJob, Storage, load_job
from scoremill.storage.uri import absolute

if TYPE_CHECKING:
    from distributed import Security

    from scoremill.engines.protocol import Engine
    from scoremill.kubernetes.clusters import Named
    from scoremill.ledger import Manifest, Verified
    from scoremill.planning import Plan
    from scoremill.worker.scoring import Preview

    from .coordinator.prepare import Prepared
    from .datasets.dataset import Dataset
    from .place import EnginePlace


def prepare_job(job: ScoringJob, *, writes: bool = True) -> Prepared:
    """Return `job` with its bundle and its plan; raise one error that lists every problem with them and the output.

    An untrusted bundle fails before any other library is loaded. The output is checked only if the job `writes` to it.
    """
    model = job.spec.model.model_copy(update={"uri": absolute(job.spec.model.uri)})
    bundle = open_bundle(model, job.spec.model_storage)
    from .coordinator.prepare import prepare, refuse_problems

    prepared = prepare(job, bundle=bundle)
    if prepared.plan.errors:
        from .coordinator.output_checks import output_problems

        refuse_problems(prepared.plan, output_problems(prepared.job, prepared.plan) if writes else ())
    return prepared


def score(
    job: ScoringJob | str | os.PathLike[str],
    *,
    cluster: str | Named = "auto",
    dataset: Dataset | None = None,
    namespace: str | None = None,
    context: str | None = None,
    kubeconfig: str | None = None,
    security: Security | None = None,
    watchers: Iterable[Watcher] = (),
    wait: bool = False,
) -> Manifest:
    """Score the input of `job`, and return the manifest of the complete output.

    An interrupted run is resumed: completed partitions are not scored again. Workers of a local cluster import the
    script, so it must call this below `if __name__ == "__main__":`; a notebook need not.

    Parameters
    ----------
    job : ScoringJob or path
        From `scoremill.job`, or a job file.
    cluster : str or scoremill.clusters.ClusterHandle
        `local` (processes of this machine), `in-process`, `auto` (`in-process` if the input is small, else `local`), the
        address of a Dask scheduler such as `tls://host:8786`, or a cluster on Kubernetes or its name.
    dataset : scoremill.datasets.Dataset, optional
        Dataset in the memory of the cluster, from `scoremill.datasets.load`; it is scored instead of the input's objects.
    namespace, context, kubeconfig : str, optional
        Where a cluster on Kubernetes is; by default, the current context and its namespace.
    security : distributed.Security, optional
        Certificates for a scheduler given by its address.
    watchers : iterable of callable
        Each is called with every event of the run, such as `scoremill.events.Progress`.
    wait : bool
        Whether to wait while another run writes to the output; otherwise LeaseError is raised.

    Returns
    -------
    Manifest
        `totals` has the rows read, scored and rejected.

    Raises
    ------
    ScoremillError
        One of `scoremill.errors`: UsageError, TrustError if the model is not trusted, FitError if input and model do not
        fit, RejectLimitError if too many rows are rejected, StorageError, ClusterError. Completed partitions are kept.

    """
    began = time.monotonic()
    job = _job(job)
    prepared = None if dataset else prepare_job(job)
    from .coordinator.run import execute
    from .place import engine_at

    places = {"kubeconfig": kubeconfig, "context": context, "namespace": namespace}
    with engine_at(cluster, job, places) as at:
        if dataset is not None:
            return _score_held(dataset, at, security, watchers, wait=wait)
        engine = engine_for(at.job, at.address, security or at.security, plan=prepared.plan if prepared else None)
        return execute(at.job, engine, watchers, wait=wait, prepared=prepared, began=began)


def _score_held(
    dataset: Dataset, at: EnginePlace, security: Security | None, watchers: Iterable[Watcher], *, wait: bool
) -> Manifest:
    from .datasets.dataset import OnDataset, score_dataset

    spec = at.job.spec
    over = OnDataset(
        dataset.name,
        at.address,
        spec.cluster,
        spec.deadlines,
        security or at.security,
        allow_version_skew=spec.model.allow_version_skew,
    )
    return score_dataset(dataset, at.job, over, watchers, wait=wait)


def _job(given: ScoringJob | str | os.PathLike[str]) -> ScoringJob:
    if isinstance(given, ScoringJob):
        return given
    if isinstance(given, str | os.PathLike):
        return load_job(Path(given))
    raise TypeError(f"job must be a ScoringJob or the path of a job file, not {type(given).__name__}")


def engine_for(
    job: ScoringJob,
    cluster: str,
    security: Security | None = None,
    *,
    plan: Plan | None = None,
    connect_seconds: float | None = None,
) -> Engine:
    """Return the engine for `cluster`, not started yet; it waits `connect_seconds` for a scheduler.

    The size of `plan` decides what `auto` is.
    """
    if cluster == "auto":
        from scoremill.engines.auto import Auto, is_small

        if plan is not None and is_small(job.spec, plan):
            return Auto(lambda: engine_for(job, "local"))
        cluster = "local"
    if cluster == "in-process":
        from scoremill.engines.protocol import InProcess

        return InProcess()
    from scoremill.engines.dask.engine import CONNECT_SECONDS, OnDask

    return OnDask(
        cluster,
        job.spec.cluster,
        job.spec.deadlines,
        security,
        allow_version_skew=job.spec.model.allow_version_skew,
        connect_seconds=connect_seconds or CONNECT_SECONDS,
    )


def plan(job: ScoringJob) -> Plan:
    """Return the plan of `job`, with every problem that can be found before a worker starts.

    Parameters
    ----------
    job : ScoringJob or path
        From `scoremill.job`, or a job file.

    Returns
    -------
    Plan
        `len(plan)` is the number of partitions; `plan.problems` lists errors and warnings.

    Raises
    ------
    ScoremillError
        UsageError or TrustError if the model cannot be opened, StorageError if model or input cannot be read.

    """
    from .coordinator.prepare import prepare

    return prepare(_job(job)).plan


def verify(uri: str | os.PathLike[str], storage: Storage | None = None) -> Verified:
    """Verify that an output holds exactly the objects that its manifest lists, byte for byte.

    Parameters
    ----------
    uri : str or path
        Folder or prefix that the run wrote to.
    storage : Storage, optional
        Settings of the store.

    Returns
    -------
    Verified
        `totals` has the rows read, scored and rejected.

    Raises
    ------
    VerificationError
        If objects are missing, changed or unexpected, or the run is not complete.
    UsageError
        If there is no output at `uri`.

    """
    from scoremill.ledger import verify as verify_output
    from scoremill.storage.filesystem import Store

    return verify_output(Store(os.fspath(uri), storage or Storage()))


def preview(job: ScoringJob, rows: int) -> Iterator[Preview]:
    """Yield the first `rows` scored rows of `job` in batches, without writing anything."""
    prepared = prepare_job(job, writes=False)
    from scoremill.bundle.threads import one_thread
    from scoremill.worker.inputs import PartitionReader
    from scoremill.worker.scoring import Preview, Scorer

    work = prepared.work(prepared.plan)
    left = rows
    with one_thread():
        model = work.model.load()
        for partition in prepared.plan.uncut():
            opened = PartitionReader(work.reading(model.bundle.columns), partition)
            for scored in Scorer(work, model, opened).readable():
                yield Preview(scored.table.slice(0, left), [opened.rejected_row(reject) for reject in scored.rejects])
                left -= scored.table.num_rows
                if left <= 0:
                    return
