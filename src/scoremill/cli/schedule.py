"""`scoremill schedule`: ScoringSchedules, of which the operator makes jobs at the times of a clock."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from scoremill import schedules
from scoremill.errors import UsageError

from .flags.clusters import place_options, places_of, same_place, seconds
from .flags.options import job_from, job_options
from .flags.sections import Sectioned
from .flags.table import FLAGS, KUBERNETES
from .views.display import echo, print_objects, say, table
from .views.document import print_document
from .views.schedule import TITLES, document, lines, row


@click.group("schedule")
def schedule_group() -> None:
    """Run scoring jobs on a cron schedule."""


@schedule_group.command("submit", cls=Sectioned)
@lambda command: job_options(command, KUBERNETES)
@click.option(
    "--schedule",
    metavar="CRON",
    help="Cron expression with five fields, or @hourly, @daily, @weekly, @monthly, or @yearly.",
)
@click.option("--time-zone", metavar="ZONE", help="Time zone of --schedule, such as Europe/Vienna.  [default: UTC]")
@click.option(
    "--concurrency",
    type=click.Choice(["Allow", "Forbid", "Replace"]),
    help="Start a due run alongside an unfinished one, after it, or instead of it (Forbid).",
)
@click.option(
    "--look-back",
    type=seconds,
    metavar="TIME",
    help="With since: LastSuccess, time before the last complete run to search for objects (7d).",
)
@click.option("--dry-run", is_flag=True, help="Print the ScoringSchedule without creating it.")
@click.option("-o", "shape", type=click.Choice(["yaml", "json"]), default="yaml", help="Format of --dry-run.")
@place_options
def submit_command(
    job: str | None,
    schedule: str | None,
    time_zone: str | None,
    concurrency: str | None,
    look_back: float | None,
    dry_run: bool,
    **flags: Any,
) -> None:
    """Submit a schedule to the operator.

    JOB is a file of a ScoringSchedule, or one of a job together with --schedule; flags override fields of a job.

    \b
    Examples:
      scoremill schedule submit nightly.yaml
      scoremill schedule submit job.yaml --name nightly --schedule '0 3 * * *' --time-zone Europe/Vienna
    """
    seconds_back = None if look_back is None else int(look_back)
    given = {
        "schedule": schedule,
        "timeZone": time_zone,
        "concurrencyPolicy": concurrency,
        "lookBackSeconds": seconds_back,
    }
    made = _made(job, {key: value for key, value in given.items() if value is not None}, flags)
    if namespace := flags["namespace"] or made["metadata"].get("namespace"):
        flags["namespace"] = made["metadata"]["namespace"] = namespace
    if dry_run:
        print_objects([made], flags["shape"])
        return
    name = made["metadata"]["name"]
    is_new = schedules.submit(made, **places_of(flags))
    say(f"schedule {name} {'is submitted' if is_new else 'exists already'}")


def _made(path: str | None, given: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    if schedules.is_schedule(path):
        if given or flags["fields"] or any(flags[flag.parameter] not in {None, ()} for flag in (*FLAGS, *KUBERNETES)):
            raise UsageError(f"{path} is a whole schedule", "Change the file, or give a job's file with --schedule.")
        return schedules.read_schedule(str(path))
    if "schedule" not in given:
        raise UsageError(
            "missing --schedule",
            "Such as --schedule '0 3 * * *'; or give a file of a ScoringSchedule.",
            code="MissingArgument",
        )
    job = job_from(path, flags, more=KUBERNETES)
    return schedules.made_of(job, **given)


@schedule_group.command("list")
@click.option("--all-namespaces", is_flag=True, help="List objects in all namespaces.")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_command(all_namespaces: bool, as_json: bool, **flags: Any) -> None:
    """List schedules with their last and next times and their active jobs.

    \b
    Example:
      scoremill schedule list
    """
    found = schedules.list(all_namespaces=all_namespaces, **places_of(flags))
    if as_json:
        print_document(schedules=[document(made) for made in found])
    elif all_namespaces:
        table(["NAMESPACE", *TITLES], [[made["metadata"]["namespace"], *row(made)] for made in found])
    else:
        table(TITLES, [row(made) for made in found])


@schedule_group.command("status")
@click.argument("name")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def status_command(name: str, as_json: bool, **flags: Any) -> None:
    """Show the status of a schedule: its times, its jobs, and why a run is waiting.

    \b
    Example:
      scoremill schedule status nightly
    """
    made = schedules.find(name, **places_of(flags))
    if as_json:
        print_document(**document(made))
    else:
        echo("\n".join(lines(made)))


@schedule_group.command("suspend")
@click.argument("name")
@place_options
def suspend_command(name: str, **flags: Any) -> None:
    """Suspend a schedule: start no further runs. Active runs continue.

    \b
    Example:
      scoremill schedule suspend nightly
    """
    schedules.suspend(name, **places_of(flags))
    echo(f"schedule {name} is suspended: scoremill schedule resume {name}{same_place(flags)}")


@schedule_group.command("resume")
@click.argument("name")
@place_options
def resume_command(name: str, **flags: Any) -> None:
    """Resume a suspended schedule.

    \b
    Example:
      scoremill schedule resume nightly
    """
    schedules.resume(name, **places_of(flags))
    echo(f"schedule {name} resumed")


@schedule_group.command("delete")
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
def delete_command(name: str, timeout: float, **flags: Any) -> None:
    """Delete a schedule and its jobs; their outputs are kept. A schedule that does not exist is not an error.

    \b
    Example:
      scoremill schedule delete nightly
    """
    found = schedules.delete(name, timeout, say, **places_of(flags))
    echo(f"schedule {name} is deleted" if found else f"schedule {name} does not exist")


@schedule_group.command("run")
@click.argument("name")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]),
    metavar="TIME",
    help="For schedules since LastSuccess: score unscored objects modified from TIME (RFC 3339).",
)
@place_options
def run_command(name: str, since: datetime | None, **flags: Any) -> None:
    """Create a job of a schedule now. Fails while another is active, unless its concurrency is Allow.

    \b
    Examples:
      scoremill schedule run nightly
      scoremill schedule run nightly --since 2026-11-21T00:00:00Z
    """
    job = schedules.run(name, since, **places_of(flags))
    say(f"job {job} is submitted: scoremill job wait {job}{same_place(flags)}")
