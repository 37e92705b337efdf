"""`scoremill job`: ScoringJobs, which the operator runs on Kubernetes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from scoremill import jobs
from scoremill.document import plain
from scoremill.errors import ScoremillError, with_hint
from scoremill.kubernetes.job import Job, failure_of

from .flags.clusters import described, place_options, places_of, same_place, seconds, workers
from .flags.options import job_from, job_options
from .flags.sections import Sectioned
from .flags.table import KUBERNETES
from .views.display import echo, print_objects, say, table
from .views.document import print_document
from .views.job import TITLES, document, lines, row, summary
from .views.progress import ProgressView

if TYPE_CHECKING:
    from scoremill.spec import Workers

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group("job")
def job_group() -> None:
    """Submit and follow jobs that the operator runs on Kubernetes."""


def wait_options(command: Command) -> Command:
    """Adds what following a job takes."""
    command = click.option("--quiet", is_flag=True, help="Do not show progress.")(command)
    text = "How long to wait; without end by default."
    return click.option("--timeout", type=seconds, metavar="TIME", help=text)(command)


@job_group.command("submit", cls=Sectioned)
@lambda command: job_options(command, KUBERNETES)
@click.option("--wait", is_flag=True, help="Wait until the job finishes, and exit with its exit code.")
@wait_options
@click.option("--dry-run", is_flag=True, help="Print the ScoringJob without creating it.")
@click.option("-o", "shape", type=click.Choice(["yaml", "json"]), default="yaml", help="Format of --dry-run.")
@place_options
def submit_command(job: str | None, wait: bool, dry_run: bool, **flags: Any) -> None:
    """Submit a job to the operator.

    JOB is a YAML or JSON file, as for `scoremill score`; flags override its fields.

    \b
    Examples:
      scoremill job submit job.yaml --wait
      scoremill job submit --model s3://m/tips --input 's3://b/2009/*.csv' --output s3://b/scores/ --secret buckets
      scoremill job submit job.yaml --dry-run -o yaml | kubectl apply -f -
    """
    parsed = job_from(job, flags, more=KUBERNETES)
    places = places_of(flags)
    if dry_run:
        print_objects([jobs.manifest_of(parsed, **places)], flags["shape"])
        return
    handle = jobs.submit(parsed, **places)
    flags["namespace"] = flags["namespace"] or parsed.metadata.namespace
    further = "" if wait else f": scoremill job wait {handle.name}{same_place(flags)}"
    say(f"job {handle.name} {'is submitted' if handle.is_new else 'exists already'}{further}")
    if wait:
        _wait(handle, flags)


@job_group.command("list")
@click.option("--all-namespaces", is_flag=True, help="List objects in all namespaces.")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_command(all_namespaces: bool, as_json: bool, **flags: Any) -> None:
    """List jobs.

    \b
    Example:
      scoremill job list
    """
    found = jobs.list(all_namespaces=all_namespaces, **places_of(flags))
    if as_json:
        print_document(jobs=[document(job) for job in found])
    elif all_namespaces:
        table(["NAMESPACE", *TITLES], [[job.namespace, *row(job)] for job in found])
    else:
        table(TITLES, [row(job) for job in found])


@job_group.command("status")
@click.argument("name")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def status_command(name: str, as_json: bool, **flags: Any) -> None:
    """Show the status of a job.

    \b
    Example:
      scoremill job status tips-2009
    """
    _print_status(jobs.find_job(name, **places_of(flags)).read(), as_json=as_json)


def _print_status(job: Job, *, as_json: bool) -> None:
    if as_json:
        print_document(**document(job))
    else:
        echo("\n".join(lines(job)))


@job_group.command("wait")
@click.argument("name")
@wait_options
@place_options
def wait_command(name: str, **flags: Any) -> None:
    """Wait until a job finishes, and exit with its exit code. Exits with 6 if the job is suspended.

    \b
    Example:
      scoremill job wait tips-2009 --timeout 2h
    """
    _wait(jobs.find_job(name, **places_of(flags)), flags)


def _wait(handle: jobs.JobHandle, flags: dict[str, Any]) -> None:
    try:
        with ProgressView(quiet=flags["quiet"]) as progress:
            handle.wait(flags["timeout"], [progress])
    except KeyboardInterrupt:
        say(f"job {handle.name} continues: scoremill job wait {handle.name}{same_place(flags)}")
        raise
    echo(summary(handle.read()))


@job_group.command("logs")
@click.argument("name")
@click.option(
    "--tail", metavar="N", type=click.IntRange(min=1), default=100, show_default=True, help="Number of lines to show."
)
@click.option("-f", "--follow", is_flag=True, help="Follow the logs until the driver exits.")
@click.option(
    "--attempt",
    metavar="N",
    type=click.IntRange(min=1),
    help="Number of the attempt whose logs to show. Defaults to the last.",
)
@place_options
def logs_command(name: str, tail: int, follow: bool, attempt: int | None, **flags: Any) -> None:
    """Print the logs of the driver. If its pod is deleted, they are read from the output.

    \b
    Examples:
      scoremill job logs tips-2009 -f
      scoremill job logs tips-2009 --attempt 1 --tail 1000
    """
    handle = jobs.find_job(name, **places_of(flags))
    for piece in handle.stream_logs(attempt=attempt, tail=tail, follow=follow, say=say):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


@job_group.command("suspend")
@click.argument("name")
@place_options
def suspend_command(name: str, **flags: Any) -> None:
    """Suspend a job: delete its driver and cluster, and keep completed partitions.

    \b
    Example:
      scoremill job suspend tips-2009
    """
    jobs.find_job(name, **places_of(flags)).suspend()
    echo(f"job {name} will be suspended; to resume it: scoremill job resume {name}{same_place(flags)}")


@job_group.command("resume")
@click.argument("name")
@place_options
def resume_command(name: str, **flags: Any) -> None:
    """Resume a suspended job.

    \b
    Example:
      scoremill job resume tips-2009
    """
    jobs.find_job(name, **places_of(flags)).resume()
    echo(f"job {name} is resumed: scoremill job wait {name}{same_place(flags)}")


@job_group.command("scale")
@click.argument("name")
@click.argument("count", type=workers, metavar="N|MIN:MAX")
@place_options
def scale_command(name: str, count: Workers, **flags: Any) -> None:
    """Change the number of workers of a job, even while it is running.

    \b
    Examples:
      scoremill job scale tips-2009 8
      scoremill job scale tips-2009 0:20
    """
    jobs.find_job(name, **places_of(flags)).scale(count)
    echo(f"job {name} asks for {described(count)}")


@job_group.command("cancel")
@click.argument("name")
@click.option(
    "--timeout",
    type=seconds,
    metavar="TIME",
    default="180s",
    show_default=True,
    help="Maximum time to wait for the deletion.",
)
@place_options
def cancel_command(name: str, timeout: float, **flags: Any) -> None:
    """Delete a job and its Kubernetes objects; its output is kept. A job that does not exist is not an error.

    \b
    Example:
      scoremill job cancel tips-2009
    """
    existed = jobs.cancel(name, timeout, say, **places_of(flags))
    echo(f"job {name} is deleted; completed partitions are kept" if existed else f"job {name} does not exist")


@job_group.command("report")
@click.argument("name")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def report_command(name: str, as_json: bool, **flags: Any) -> None:
    """Show the report of a job's output, or its status if the output cannot be read.

    \b
    Example:
      scoremill job report tips-2009
    """
    from scoremill.report import as_text

    handle = jobs.find_job(name, **places_of(flags))
    try:
        report = handle.report()
    except ScoremillError as error:
        say(f"note: the output cannot be read here, so this is the job's status: {error.message}")
        _print_status(handle.read(), as_json=as_json)
        return
    if as_json:
        print_document(**plain(report))
    else:
        echo(as_text(report))


@job_group.command("why")
@click.argument("name")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def why_command(name: str, as_json: bool, **flags: Any) -> int:
    """Explain why a job is waiting or failed: the most likely cause, the evidence, and a hint.

    Exits with the exit code of `scoremill score` if the job has failed, and with 0 if it can still be complete.

    \b
    Example:
      scoremill job why tips-2009
    """
    handle = jobs.find_job(name, **places_of(flags))
    job, cause = handle.read(), handle.why()
    if as_json:
        print_document(name=name, phase=job.phase, cause=cause)
    elif cause is None:
        echo(f"nothing is wrong with {name}: {job.phase}")
    else:
        echo(with_hint(f"{cause.reason}: {cause.evidence}", cause.hint))
    return failure_of(job).exit_code if job.phase == "Failed" else 0
