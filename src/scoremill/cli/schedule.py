"""`scoremill schedule`: ScoringSchedules, of which the operator makes jobs at the times of a clock."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from scoremill.errors import UsageError
from scoremill.kubernetes.manifest import manifest

from .flags.clusters import place_options, same_place, seconds
from .flags.kubernetes import KUBERNETES
from .flags.options import FLAGS, job_from, job_options
from .job import ours
from .views.display import echo, print_objects, say, table
from .views.document import print_document
from .views.schedule import TITLES, asks_the_same, document, is_schedule, lines, read_schedule, row, schedule_of

_KIND = "ScoringSchedule"


@click.group("schedule")
def schedule_group() -> None:
    """Let the operator score at the times of a clock, as a CronJob does."""


@schedule_group.command("submit")
@lambda command: job_options(command, KUBERNETES)
@click.option("--schedule", metavar="CRON", help="When: five fields as cron has them, or @daily and the like.")
@click.option("--time-zone", help="Time zone of --schedule, such as Europe/Vienna (UTC).")
@click.option("--concurrency", type=click.Choice(["Allow", "Forbid", "Replace"]),
              help="Start a due run alongside an unfinished one, after it, or instead of it (Forbid).")  # fmt: skip
@click.option("--look-back", type=seconds, metavar="TIME",
              help="With --since LastSuccess: how long before the last complete run a new object may have been modified (7d).")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the ScoringSchedule and make nothing.")
@click.option("-o", "shape", type=click.Choice(["yaml", "json"]), default="yaml", help="Format of --dry-run.")
@place_options
def submit_command(
    job: str | None, schedule: str | None, time_zone: str | None, concurrency: str | None, look_back: float | None,
    dry_run: bool, **flags: Any,
) -> None:  # fmt: skip
    """Hand a schedule to the operator.

    JOB is a file of a ScoringSchedule, or one of a job with --schedule beside it; flags override a job's.

    \b
    Examples:
      scoremill schedule submit nightly.yaml
      scoremill schedule submit job.yaml --name nightly --schedule '0 3 * * *' --time-zone Europe/Vienna
    """
    seconds_back = None if look_back is None else int(look_back)
    given = {
        "schedule": schedule, "timeZone": time_zone, "concurrencyPolicy": concurrency, "lookBackSeconds": seconds_back,
    }  # fmt: skip
    made = _made(job, {key: value for key, value in given.items() if value is not None}, flags)
    if namespace := flags["namespace"] or made["metadata"].get("namespace"):
        flags["namespace"] = made["metadata"]["namespace"] = namespace
    if dry_run:
        print_objects([made], flags["shape"])
        return
    name = made["metadata"]["name"]
    is_new = ours(flags, _KIND).submit(made, lambda there: asks_the_same(there, made))
    say(f"schedule {name} is {'submitted' if is_new else 'there already'}")


def _made(path: str | None, given: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    if is_schedule(path):
        if given or any(flags[flag.parameter] not in {None, ()} for flag in (*FLAGS, *KUBERNETES)):
            raise UsageError(f"{path} is a whole schedule", "Change the file, or give a job's file with --schedule.")
        return read_schedule(str(path))
    if "schedule" not in given:
        raise UsageError("missing --schedule", "Such as --schedule '0 3 * * *'; or give a file of a ScoringSchedule.")
    job = job_from(path, flags, more=KUBERNETES)
    if "name" not in job.metadata.model_fields_set:
        raise UsageError("missing --name", "A schedule has a name, and its jobs begin with it.")
    return schedule_of(manifest(job), given)


@schedule_group.command("list")
@click.option("--all-namespaces", is_flag=True, help="Of all namespaces.")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_command(all_namespaces: bool, as_json: bool, **flags: Any) -> None:
    """List schedules, their last and next times, and the jobs that have not ended.

    \b
    Example:
      scoremill schedule list
    """
    found = ours(flags, _KIND).every(everywhere=all_namespaces)
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
    """Show what is known of a schedule: its times, its jobs, and why a run is held up.

    \b
    Example:
      scoremill schedule status nightly
    """
    made = ours(flags, _KIND).find(name)
    if as_json:
        print_document(**document(made))
    else:
        echo("\n".join(lines(made)))


@schedule_group.command("suspend")
@click.argument("name")
@place_options
def suspend_command(name: str, **flags: Any) -> None:
    """Let no further runs begin; those that have begun go on.

    \b
    Example:
      scoremill schedule suspend nightly
    """
    ours(flags, _KIND).suspend(name, suspend=True)
    echo(f"schedule {name} is suspended: scoremill schedule resume {name}{same_place(flags)}")


@schedule_group.command("resume")
@click.argument("name")
@place_options
def resume_command(name: str, **flags: Any) -> None:
    """Let runs begin again.

    \b
    Example:
      scoremill schedule resume nightly
    """
    ours(flags, _KIND).suspend(name, suspend=False)
    echo(f"schedule {name} goes on")


@schedule_group.command("delete")
@click.argument("name")
@click.option("--timeout", type=seconds, metavar="TIME", default="180s", show_default=True,
              help="How long to wait for it to go.")  # fmt: skip
@place_options
def delete_command(name: str, timeout: float, **flags: Any) -> None:
    """Remove a schedule and its jobs; their outputs stay. One that is not there is no error.

    \b
    Example:
      scoremill schedule delete nightly
    """
    found = ours(flags, _KIND).remove(name, timeout, say)
    echo(f"schedule {name} is gone" if found else f"there was no schedule {name}")


@schedule_group.command("run")
@click.argument("name")
@click.option("--since", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), metavar="TIME",
              help="For a schedule with --since LastSuccess: take objects modified from this time (RFC 3339) on that no "
                   "existing output has scored.")  # fmt: skip
@place_options
def run_command(name: str, since: datetime | None, **flags: Any) -> None:
    """Make a job of a schedule now, as if it were time; refused while another goes on, but with --concurrency Allow.

    \b
    Examples:
      scoremill schedule run nightly
      scoremill schedule run nightly --since 2026-11-21T00:00:00Z
    """
    from scoremill.kubernetes.schedules import run_now

    job = run_now(ours(flags, _KIND), name, since)
    say(f"job {job} is submitted: scoremill job wait {job}{same_place(flags)}")
