"""One attempt of a ScoringJob by the engine, and what is told of it afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from scoremill.document import as_document, plain
from scoremill.errors import FitError, RejectLimitError, ScoremillError
from scoremill.events import Note, Watcher
from scoremill.execute import engine_for, execute
from scoremill.execute.coordinator.output_checks import output_problems
from scoremill.execute.coordinator.prepare import prepare, refuse_problems
from scoremill.ledger import Ledger, Manifest
from scoremill.naming import ERRORS, LEDGER, MANIFEST
from scoremill.spec import ScoringJob
from scoremill.storage.filesystem import Store

from .cluster import JobCluster, OnJobCluster
from .termination import Fields

if TYPE_CHECKING:
    from distributed import Security

LEASE_SECONDS = 45.0
"""For the lease of a driver before this one, whose node died, to run out."""
REPORT = f"{LEDGER}/report/report.json"
FAILURES, LONGEST = 20, 300
"""Single failures that are told, and the most characters of each."""
_DATASET = "scoremill-job"


def score(
    job: ScoringJob, uid: str, where: dict[str, Any], watchers: Sequence[Watcher], cluster: JobCluster | None = None
) -> Manifest:
    """Return the manifest of the complete output.

    `where` are `cluster` and `security` of `scoremill.execute.score`. Nothing is asked of `cluster`, the one that the
    operator creates for the job, before the plan is made and something is left to score.
    """
    seconds = job.spec.deadlines.pre_running_seconds
    if job.spec.persist and "://" in where["cluster"]:
        # What is wrong is found before the input is loaded, which takes the workers; then it is planned as it is held.
        prepared = prepare(job)
        refuse_problems(prepared.plan, output_problems(prepared.job, None, uid, waits=True))
        if cluster:
            cluster.ask()
            cluster.wait(seconds)
        return _score_persisted(job, uid, where["cluster"], where.get("security"), watchers)
    engine = partial(engine_for, job, **where, connect_seconds=seconds)
    made = OnJobCluster(cluster, seconds, engine) if cluster else engine()
    return execute(job, made, watchers, wait=LEASE_SECONDS, uid=uid)


def _score_persisted(
    job: ScoringJob, uid: str, address: str, security: Security | None, watchers: Sequence[Watcher]
) -> Manifest:
    """As `score`, from the cluster's memory, which the input is read into unless an earlier attempt has done that."""
    from scoremill.execute.datasets.dataset import OnDataset, datasets, score_dataset
    from scoremill.execute.datasets.load import load
    from scoremill.execute.engines.dask.engine import OnDask

    place = (address, job.spec.cluster, job.spec.deadlines, security)
    settings: dict[str, Any] = {
        "allow_version_skew": job.spec.model.allow_version_skew,
        "connect_seconds": job.spec.deadlines.pre_running_seconds,
    }
    with OnDask(*place, **settings) as engine:
        held = {dataset.name: dataset for dataset in datasets(engine)}
        if _DATASET not in held:
            for watch in watchers:
                watch(Note("loading the input into the memory of the cluster"))
            held[_DATASET] = load(_DATASET, job.spec, [job.spec.model.uri], engine, watchers)
    over = OnDataset(_DATASET, *place, **settings)
    return score_dataset(held[_DATASET], job, over, watchers, wait=LEASE_SECONDS, uid=uid)


def complete(manifest: Manifest) -> Fields:
    """What is told of a complete run, whose report is written beside its manifest."""
    from scoremill.report import build_report

    totals, store = manifest.totals, manifest.store
    outputs = {"manifest": f"{store.uri}/{MANIFEST}"}
    if totals.rejected or totals.rejected_files:
        outputs["errors"] = f"{store.uri}/{ERRORS}/"
    repeated = 0
    # The run is complete, whether or not the store takes a report of it.
    with suppress(ScoremillError):
        report = build_report(store)
        repeated = report.repeated
        store.write(REPORT, as_document(**plain(report)).encode())
        outputs["report"] = f"{store.uri}/{REPORT}"
    return {
        "exitCode": 0,
        "rows": {"total": totals.rows, "scored": totals.scored, "rejected": totals.rejected},
        "rejectedFiles": totals.rejected_files,
        "partitions": totals.partitions,
        "repeated": repeated,
        "modelDigest": manifest.fields["bundle"],
        "outputs": outputs,
    }


def failures_of(job: ScoringJob, error: BaseException) -> list[Fields]:
    """The single objects that `error` is about: those that do not fit, or rejected rows where too many are."""
    found: Iterable[tuple[str, str]] = ()
    if type(error) is FitError:
        found = _misfits(job)
    elif isinstance(error, RejectLimitError) and job.spec.errors.raw == "Keep":
        # A reason quotes the value; what must not be kept is not told either.
        found = _rejected(job)
    told: list[Fields] = []
    with suppress(ScoremillError):
        told += ({"uri": uri, "message": text[:LONGEST]} for uri, text in islice(found, FAILURES))
    return told


def _misfits(job: ScoringJob) -> Iterator[tuple[str, str]]:
    for problem in prepare(job).plan.errors:
        yield problem.where, problem.message


def _rejected(job: ScoringJob) -> Iterator[tuple[str, str]]:
    store = Store(job.spec.output.uri, job.spec.output_storage)
    for receipt in Ledger(store).latest():
        for part in receipt.files:
            for file in part.records(store):
                yield file["file"], file["reason"]
        for part in receipt.errors:
            for row in part.records(store):
                yield row["file"], f"byte {row['offset']}, {row['column'] or 'row'}: {row['reason']}"
