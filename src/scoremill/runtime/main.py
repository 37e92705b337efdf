"""What the runner pod does: read the ScoringJob, run one attempt of it, and leave word of how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoremill.errors import ClusterError, UsageError
from scoremill.events import Watcher
from scoremill.kubernetes.objects import names
from scoremill.spec.resources.status import format_time
from scoremill.version import __version__

from .log import DriverLog
from .termination import LastWord, failed

if TYPE_CHECKING:
    from scoremill.kubernetes.client import Kube, Object
    from scoremill.ledger import Manifest
    from scoremill.spec import ScoringJob


@dataclass(frozen=True)
class Attempt:
    """What the operator asks of this process."""

    job: str
    """Name of the ScoringJob."""
    number: int
    """Of this driver, from 1."""
    spec: str
    """Hash that the job's spec must have."""
    cluster: str
    """The job's DaskCluster; or where else to run, as `--cluster` of `scoremill score`."""
    tls: Path
    """Folder of the cluster's certificates."""
    places: dict[str, str | None]
    """Which Kubernetes, and which namespace."""


def run_attempt(asked: Attempt, log: DriverLog, last: LastWord, watch: Watcher, say: Callable[[str], None]) -> None:
    """Run one attempt of a ScoringJob; whatever it ends with is left as the `last` word, and raised if it is an error."""
    from scoremill.kubernetes.client import connect
    from scoremill.spec import parse_job

    from .attempt import complete, failures_of

    job: ScoringJob | None = None
    try:
        kube = connect(**asked.places)
        now = format_time(datetime.now(UTC))
        say(f"scoremill {__version__}: attempt {asked.number} of {kube.namespace}/{asked.job}, {now}")
        found = _job(kube, asked)
        job = parse_job(found, f"ScoringJob {asked.job}")
        log.keep(job, found, asked.number)
        manifest = _score(asked, job, kube, found, watch, say)
        last.leave(complete(manifest))
        _say_totals(job, manifest, say)
    except BaseException as error:
        last.leave(failed(error, failures_of(job, error) if job else []))
        raise


def _score(
    asked: Attempt, job: ScoringJob, kube: Kube, found: Object, watch: Watcher, say: Callable[[str], None]
) -> Manifest:
    from .attempt import score
    from .cluster import JobCluster
    from .progress import ProgressWriter

    where = _where(asked.cluster, kube.namespace, asked.tls)
    with ProgressWriter(kube, found, asked.number, say) as writer:
        is_name = names.is_name(asked.cluster)
        awaited = JobCluster(kube, found, asked.number, writer.enter, say) if is_name else None
        return score(job, found["metadata"]["uid"], where, [watch, writer], awaited)


def _say_totals(job: ScoringJob, manifest: Manifest, say: Callable[[str], None]) -> None:
    from scoremill.report import warnings_of

    totals = manifest.totals
    for warning in warnings_of(totals):
        say(f"warning: {warning}")
    say(f"{totals.scored:,} rows scored, {totals.rejected:,} rejected in {job.spec.output.uri}")


def _job(kube: Kube, asked: Attempt) -> Object:
    """The ScoringJob as it is stored; UsageError if it is not the one that this driver was made for."""
    from scoremill.naming import spec_hash

    found = kube.get("ScoringJob", asked.job)
    if found is None:
        raise ClusterError(f"there is no ScoringJob {asked.job} in namespace {kube.namespace}", "It was deleted.")
    if spec_hash(found["spec"]) != asked.spec:
        raise UsageError(
            f"the spec of {asked.job} has changed since this driver was asked for",
            "A job that has begun cannot be changed: put the spec back, or make another job.",
        )
    return found


def _where(cluster: str, namespace: str, tls: Path) -> dict[str, Any]:
    """Address of the scheduler and how to prove who we are."""
    if not names.is_name(cluster):
        return {"cluster": cluster}
    from scoremill.execute.engines.dask.security import security_from

    try:
        texts = [(tls / name).read_text() for name in ("ca.crt", "tls.crt", "tls.key")]
    except OSError as error:
        raise ClusterError(f"the certificates of cluster {cluster} cannot be read: {error}") from None
    return {"cluster": names.scheduler_address(cluster, namespace), "security": security_from(*texts)}
