"""What a Python program calls: the same jobs, engines and errors as the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from scoremill.bundle.threads import one_thread
from scoremill.errors import ObjectError
from scoremill.ledger import Manifest, Verified
from scoremill.ledger import verify as verify_output
from scoremill.plan import Plan
from scoremill.spec import ScoringJob, Storage
from scoremill.storage.filesystem import Store

from .driver import execute
from .engine import Engine, InProcess
from .events import Watcher
from .inputs import open_partition
from .prepare import prepare, refuse_problems
from .scoring import Clock, Counts, Scored, scored_batches
from .work import Work

if TYPE_CHECKING:
    from distributed import Security


def score(
    job: ScoringJob,
    *,
    cluster: str = "local",
    security: Security | None = None,
    watchers: Iterable[Watcher] = (),
    wait: bool = False,
) -> Manifest:
    """Scores what `job` asks for, goes on where an earlier run ended, and returns the manifest.

    `cluster` is `local` (a Dask LocalCluster), `in-process`, or the address of a Dask scheduler, to which `security`
    (a distributed.Security) shows its certificates. `watchers` are called with the events of
    scoremill.execute.events. Raises the errors of scoremill.errors.
    """
    return execute(job, engine_for(job, cluster, security), watchers, wait=wait)


def engine_for(job: ScoringJob, cluster: str, security: Security | None = None) -> Engine:
    """The engine that `cluster` names, not started yet."""
    if cluster == "in-process":
        return InProcess()
    from .dask_engine import OnDask

    return OnDask(
        cluster, job.spec.cluster, job.spec.deadlines, security, allow_version_skew=job.spec.model.allow_version_skew
    )


def build_plan(job: ScoringJob) -> Plan:
    """The plan of `job` with all problems that can be found before a worker starts, in `plan.problems`."""
    return prepare(job).plan


def verify(uri: str, storage: Storage | None = None) -> Verified:
    """Proves the output at `uri` from its objects; VerificationError names what is missing, altered or surplus."""
    return verify_output(Store(uri, storage or Storage()))


def preview(job: ScoringJob, rows: int) -> Iterator[Scored]:
    """The first `rows` scored rows of `job`, by batches; nothing is written."""
    prepared = prepare(job)
    refuse_problems(prepared.plan)
    work = prepared.work(prepared.plan)
    left = rows
    with one_thread():
        for partition in prepared.plan.uncut():
            for scored in _readable(work, scored_batches(work, open_partition(work, partition), Clock(), Counts())):
                yield Scored(scored.table.slice(0, left), scored.rejects)
                left -= scored.table.num_rows
                if left <= 0:
                    return


def _readable(work: Work, batches: Iterator[Scored]) -> Iterator[Scored]:
    """The batches up to the first that cannot be read, if the job rejects such objects."""
    try:
        yield from batches
    except ObjectError:
        if not work.rejects_objects:
            raise


def table_of(batches: Iterable[Scored]) -> pa.Table:
    """The scored rows of `batches` as one table."""
    return pa.concat_tables([scored.table for scored in batches])
