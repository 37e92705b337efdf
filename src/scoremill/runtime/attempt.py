"""Run one attempt of a ScoringJob, and summarize how it ended."""

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
from scoremill.storage.filesystem import output_store
from scoremill.tabular.place import RejectedRow

from .cluster import JobCluster, OnJobCluster
from .termination import Fields

if TYPE_CHECKING:
    from distributed import Security

LEASE_SECONDS = 45.0
"""Seconds to wait for the output lease of an earlier driver to expire, for example if its node died."""
REPORT = f"{LEDGER}/report/report.json"
FAILURES, LONGEST = 20, 300
"""How many failed objects are reported, and the maximum number of characters of each message."""
_DATASET = "scoremill-job"


def score(
    job: ScoringJob, uid: str, where: dict[str, Any], watchers: Sequence[Watcher], cluster: JobCluster | None = None
) -> Manifest:
    """Score the job and return the manifest of the complete output.

    `where` holds the arguments `cluster` and `security` of `scoremill.execute.score`. `cluster` is the one that the
    operator creates for the job; it is requested only after the plan is made, and only if something is left to score.
    """
    seconds = job.spec.deadlines.pre_running_seconds
    if job.spec.persist and "://" in where["cluster"]:
        # Find errors before the input is loaded, which needs the workers. The loaded input is then planned again.
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
    """Score from the cluster's memory, into which the input is loaded unless an earlier attempt has done so."""
    from scoremill.engines.dask.engine import OnDask
    from scoremill.execute.datasets.dataset import OnDataset, datasets, score_dataset
    from scoremill.execute.datasets.load import load

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
    """Return the termination message of a complete run, and write the run's report next to its manifest."""
    from scoremill.report import build_report

    totals, store = manifest.totals, manifest.store
    outputs = {"manifest": f"{store.uri}/{MANIFEST}"}
    if totals.rejected or totals.rejected_files:
        outputs["errors"] = f"{store.uri}/{ERRORS}/"
    repeated = 0
    # The run is complete even if its report cannot be written.
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
    """Return the objects that caused `error`: files that do not match the model, or rejected rows if there are too many."""
    found: Iterable[tuple[str, str]] = ()
    if type(error) is FitError:
        found = _misfits(job)
    elif isinstance(error, RejectLimitError) and job.spec.errors.raw == "Keep":
        # A reason quotes the value, so it is reported only if raw values can be kept.
        found = _rejected(job)
    failures: list[Fields] = []
    with suppress(ScoremillError):
        failures += ({"uri": uri, "message": text[:LONGEST]} for uri, text in islice(found, FAILURES))
    return failures


def _misfits(job: ScoringJob) -> Iterator[tuple[str, str]]:
    for problem in prepare(job).plan.errors:
        yield problem.where, problem.message


def _rejected(job: ScoringJob) -> Iterator[tuple[str, str]]:
    store = output_store(job.spec)
    for receipt in Ledger(store).latest():
        for part in receipt.files:
            for file in part.records(store):
                yield file["file"], file["reason"]
        for part in receipt.errors:
            for row in map(RejectedRow.of, part.records(store)):
                yield row.file, row.fault
