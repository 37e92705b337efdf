"""Entry point of the runner pod: read the ScoringJob, run one attempt, and write how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoremill.errors import ClusterError, UsageError
from scoremill.events import Watcher
from scoremill.kubernetes.objects import Resource, names
from scoremill.spec.resources.status import format_time
from scoremill.version import __version__

from .log import DriverLog
from .termination import TerminationMessage, failed

if TYPE_CHECKING:
    from scoremill.kubernetes.api import Kube, Object
    from scoremill.ledger import Manifest
    from scoremill.spec import ScoringJob


@dataclass(frozen=True)
class Attempt:
    """The attempt that the operator started this process for."""

    job: str
    """Name of the ScoringJob."""
    number: int
    """Number of this attempt, from 1."""
    spec: str
    """Expected hash of the job's spec."""
    cluster: str
    """Name of the job's DaskCluster, or any other value of `scoremill score --cluster`."""
    tls: Path
    """Folder with the cluster's certificates."""
    places: dict[str, str | None]
    """Kubeconfig, context and namespace."""


def run_attempt(
    asked: Attempt, log: DriverLog, last: TerminationMessage, watch: Watcher, say: Callable[[str], None]
) -> None:
    """Run one attempt of a ScoringJob, write its result to `last`, and raise the error if there was one."""
    from scoremill.kubernetes.api import connect
    from scoremill.spec import parse_job

    from .attempt import complete, failures_of

    job: ScoringJob | None = None
    try:
        kube = connect(**asked.places)
        now = format_time(datetime.now(UTC))
        say(f"scoremill {__version__}: attempt {asked.number} of {kube.namespace}/{asked.job}, {now}")
        found = _job(kube, asked)
        job, stored = parse_job(found, f"ScoringJob {asked.job}"), Resource.of(found)
        log.keep(job, stored, asked.number)
        manifest = _score(asked, job, kube, stored, watch, say)
        last.write(complete(manifest))
        _say_totals(job, manifest, say)
    except BaseException as error:
        last.write(failed(error, failures_of(job, error) if job else []))
        raise


def _score(
    asked: Attempt, job: ScoringJob, kube: Kube, stored: Resource, watch: Watcher, say: Callable[[str], None]
) -> Manifest:
    from .attempt import score
    from .cluster import JobCluster
    from .progress import ProgressWriter

    where = _where(asked.cluster, kube.namespace, asked.tls)
    with ProgressWriter(kube, stored, asked.number, say) as writer:
        is_name = names.is_name(asked.cluster)
        awaited = JobCluster(kube, stored, asked.number, writer.enter, say) if is_name else None
        return score(job, stored.uid, where, [watch, writer], awaited)


def _say_totals(job: ScoringJob, manifest: Manifest, say: Callable[[str], None]) -> None:
    from scoremill.report import warnings_of

    totals = manifest.totals
    for warning in warnings_of(totals):
        say(f"warning: {warning}")
    say(f"{totals.scored:,} rows scored, {totals.rejected:,} rejected in {job.spec.output.uri}")


def _job(kube: Kube, asked: Attempt) -> Object:
    """Return the stored ScoringJob; raise UsageError if its spec is not the one that this driver was created for."""
    from scoremill.naming import spec_hash

    found = kube.get("ScoringJob", asked.job)
    if found is None:
        raise ClusterError(
            f"ScoringJob {asked.job} not found in namespace {kube.namespace}",
            "It was deleted; submit it again with the same output to resume.",
            code="JobNotFound",
        )
    if spec_hash(found["spec"]) != asked.spec:
        raise UsageError(
            f"the spec of ScoringJob {asked.job} has changed since this driver was created",
            "A job cannot be changed after it has started: restore its spec, or create another job.",
            code="InvalidJob",
        )
    return found


def _where(cluster: str, namespace: str, tls: Path) -> dict[str, Any]:
    """Return the scheduler's address and the client certificate for it."""
    if not names.is_name(cluster):
        return {"cluster": cluster}
    from scoremill.engines.dask.security import security_from

    try:
        texts = [(tls / name).read_text() for name in names.TLS_FILES]
    except OSError as error:
        raise ClusterError(
            f"could not read the certificates of cluster {cluster}: {error}", code="ClusterNotReady"
        ) from None
    return {"cluster": names.scheduler_address(cluster, namespace), "security": security_from(*texts)}
