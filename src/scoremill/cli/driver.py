"""`scoremill driver`: what the operator's pod runs. Not for people; its contract is docs/design/0008-operator.md."""

from __future__ import annotations

import os
import signal
import threading
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import click

from scoremill.errors import INTERRUPTED
from scoremill.kubernetes.objects import names
from scoremill.runtime.log import DriverLog
from scoremill.runtime.main import Attempt, run_attempt
from scoremill.runtime.termination import TerminationMessage

from .app import run
from .flags.clusters import place_options, places_of
from .views.display import say
from .views.progress import ProgressView

END_SECONDS = 25.0
"""From SIGTERM to the end of the process, whatever still hangs."""


@click.command("driver", hidden=True)
@click.option("--job", "name", envvar="SCOREMILL_JOB", required=True, help="Name of the ScoringJob.")
@click.option(
    "--attempt", envvar="SCOREMILL_ATTEMPT", type=int, required=True, help="Number of the attempt, starting at 1."
)
@click.option("--spec", envvar="SCOREMILL_SPEC", required=True, help="Expected hash of the job's spec.")
@click.option(
    "--cluster",
    envvar="SCOREMILL_CLUSTER",
    required=True,
    help="DaskCluster of the job, or another place to run as for --cluster of `scoremill score`.",
)
@click.option(
    "--tls", type=click.Path(path_type=Path), default=names.TLS_FOLDER, help="Folder with the TLS certificates."
)
@click.option(
    "--termination-log",
    type=click.Path(path_type=Path),
    default="/dev/termination-log",
    help="File to write the termination message to.",
)
@place_options
def driver_command(
    name: str, attempt: int, spec: str, cluster: str, tls: Path, termination_log: Path, **flags: Any
) -> int:
    """Run one attempt of a ScoringJob."""
    asked = Attempt(name, attempt, spec, cluster, tls, places_of(flags))
    last = TerminationMessage(termination_log)
    with DriverLog(last.report_logs, say) as log, ProgressView() as progress:
        signal.signal(signal.SIGTERM, partial(_interrupt, log))
        code = run(lambda: run_attempt(asked, log, last, progress, say))
        # All is said by now; what is still written is not worth another end.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return code


def _interrupt(log: DriverLog, signum: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    log.hurry()
    last = threading.Timer(END_SECONDS, os._exit, [INTERRUPTED])
    last.daemon = True
    last.start()
    raise KeyboardInterrupt
