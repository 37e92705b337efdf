"""`scoremill driver`: what the operator's pod runs. Not for people; its contract is docs/design/0008-operator.md."""

from __future__ import annotations

import os
import signal
import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from scoremill import __version__
from scoremill.deploy import names
from scoremill.errors import INTERRUPTED, ClusterError, UsageError
from scoremill.spec.status import format_time

from .app import run
from .display import say
from .driver_log import DriverLog
from .kube_flags import place_options, places_of
from .progress import Progress
from .termination import LastWord, failed

if TYPE_CHECKING:
    from scoremill.kube import Kube, Object
    from scoremill.spec import ScoringJob

END_SECONDS = 25.0
"""From SIGTERM to the end of the process, whatever still hangs."""


@click.command("driver", hidden=True)
@click.option("--job", "name", envvar="SCOREMILL_JOB", required=True, help="Name of the ScoringJob.")
@click.option("--attempt", envvar="SCOREMILL_ATTEMPT", type=int, required=True, help="Number of this driver, from 1.")
@click.option("--spec", envvar="SCOREMILL_SPEC", required=True, help="Hash that the job's spec must have.")
@click.option("--cluster", envvar="SCOREMILL_CLUSTER", required=True,
              help="The job's DaskCluster; or where else to run, as --cluster of `scoremill score`.")  # fmt: skip
@click.option("--tls", type=click.Path(path_type=Path), default=names.TLS_FOLDER, help="Folder of the certificates.")
@click.option("--termination-log", type=click.Path(path_type=Path), default="/dev/termination-log",
              help="Where the last word goes.")  # fmt: skip
@place_options
def driver_command(
    name: str, attempt: int, spec: str, cluster: str, tls: Path, termination_log: Path, **flags: Any
) -> int:
    """Run one attempt of a ScoringJob."""
    last = LastWord(termination_log)
    with DriverLog(last.tell_logs) as log:
        signal.signal(signal.SIGTERM, partial(_interrupt, log))
        code = run(lambda: _attempt(name, attempt, spec, cluster, tls, flags, log, last))
        # All is said by now; what is still written is not worth another end.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return code


def _attempt(
    name: str, attempt: int, spec: str, cluster: str, tls: Path, flags: dict[str, Any], log: DriverLog, last: LastWord
) -> None:
    from scoremill.kube import connect
    from scoremill.report import warnings_of
    from scoremill.spec import parse_job

    from .driver_cluster import JobCluster
    from .driver_run import complete, failures_of, score
    from .kube_progress import ProgressWriter

    job: ScoringJob | None = None
    try:
        kube = connect(**places_of(flags))
        say(f"scoremill {__version__}: attempt {attempt} of {kube.namespace}/{name}, {format_time(datetime.now(UTC))}")
        found = _job(kube, name, spec)
        job = parse_job(found, f"ScoringJob {name}")
        log.keep(job, found, attempt)
        where = _where(cluster, kube.namespace, tls)
        with ProgressWriter(kube, found, attempt, say) as writer, Progress() as progress:
            awaited = JobCluster(kube, found, attempt, writer.enter, say) if names.is_name(cluster) else None
            manifest = score(job, found["metadata"]["uid"], where, [progress, writer], awaited)
        last.leave(complete(manifest))
        totals = manifest.totals
        for warning in warnings_of(totals):
            say(f"warning: {warning}")
        say(f"{totals.scored:,} rows scored, {totals.rejected:,} rejected in {job.spec.output.uri}")
    except BaseException as error:
        last.leave(failed(error, failures_of(job, error) if job else []))
        raise


def _job(kube: Kube, name: str, spec: str) -> Object:
    """The ScoringJob as it is stored; UsageError where it is not the one that this driver was made for."""
    from scoremill.naming import spec_hash

    found = kube.get("ScoringJob", name)
    if found is None:
        raise ClusterError(f"there is no ScoringJob {name} in namespace {kube.namespace}", "It was deleted.")
    if spec_hash(found["spec"]) != spec:
        raise UsageError(
            f"the spec of {name} has changed since this driver was asked for",
            "A job that has begun cannot be changed: put the spec back, or make another job.",
        )
    return found


def _where(cluster: str, namespace: str, tls: Path) -> dict[str, Any]:
    """Address of the scheduler and how to prove who we are."""
    if not names.is_name(cluster):
        return {"cluster": cluster}
    from scoremill.execute.security import security_from

    try:
        texts = [(tls / name).read_text() for name in ("ca.crt", "tls.crt", "tls.key")]
    except OSError as error:
        raise ClusterError(f"the certificates of cluster {cluster} cannot be read: {error}") from None
    return {"cluster": names.scheduler_address(cluster, namespace), "security": security_from(*texts)}


def _interrupt(log: DriverLog, signum: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    log.hurry()
    last = threading.Timer(END_SECONDS, os._exit, [INTERRUPTED])
    last.daemon = True
    last.start()
    raise KeyboardInterrupt
