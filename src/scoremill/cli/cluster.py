"""`scoremill cluster`: Dask on Kubernetes, through dask-kubernetes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from scoremill import clusters
from scoremill.document import plain
from scoremill.errors import ClusterError
from scoremill.units import format_bytes, format_seconds

from .flags.clusters import described, environment, namespace_of, place_options, places_of, seconds, template, workers
from .views.display import echo, print_objects, say, table
from .views.document import print_document

if TYPE_CHECKING:
    from scoremill.spec import Workers

_SETTINGS = ("workers", "memory", "cpu", "image", "secret", "service_account", "idle_timeout")


@click.group("cluster")
def cluster_group() -> None:
    """Create, inspect, and delete Dask clusters on Kubernetes."""


@cluster_group.command("up")
@click.argument("name")
@click.option(
    "--workers",
    type=workers,
    default="1",
    show_default=True,
    metavar="N|MIN:MAX",
    help="Number of workers, or a range for autoscaling, such as 0:20.",
)
@click.option("--memory", metavar="SIZE", help="Memory of a worker pod.  [default: 4GiB]")
@click.option("--cpu", metavar="N", type=float, help="CPU cores of a worker pod.  [default: 1]")
@click.option(
    "--image",
    metavar="IMAGE",
    help="Container image of the scheduler and the workers. Defaults to the image of scoremill.",
)
@click.option(
    "--secret",
    metavar="NAME",
    help="Secret with storage credentials, whose keys become environment variables of the workers.",
)
@click.option("--service-account", metavar="NAME", help="Service account of the workers, for workload identity.")
@click.option(
    "--env",
    metavar="NAME=VALUE",
    multiple=True,
    help="Additional environment variable of the workers: NAME=VALUE; not for secrets.",
)
@click.option(
    "--idle-timeout",
    type=seconds,
    metavar="TIME",
    default="30m",
    show_default=True,
    help="Idle time after which the cluster is deleted; 0 disables this.",
)
@click.option("--template", type=click.Path(), help="YAML file that is merged into the DaskCluster.")
@click.option(
    "--timeout",
    type=seconds,
    metavar="TIME",
    default="300s",
    show_default=True,
    help="Maximum time to wait for the cluster.",
)
@click.option("--wait/--no-wait", default=True, help="Wait until all workers are ready, or return immediately.")
@click.option("--keep", is_flag=True, help="Keep a cluster that failed to start, to inspect it.")
@click.option("--dry-run", is_flag=True, help="Print the objects without creating them.")
@click.option("-o", "format", type=click.Choice(["yaml", "json"]), default="yaml", help="Format of --dry-run.")
@place_options
def up_command(name: str, **flags: Any) -> None:
    """Create a cluster and wait until its workers are ready.

    A cluster that fails to start is deleted again, and the cause is printed. If the command was interrupted, run it
    again to continue waiting.

    \b
    Examples:
      scoremill cluster up trips --workers 4
      scoremill cluster up trips --workers 0:20 --memory 8GiB --secret buckets
    """
    places, waits = places_of(flags), flags["wait"]
    asked: Any = {name: flags[name] for name in _SETTINGS}
    asked |= {"env": environment(flags["env"]), "template": template(flags["template"])}
    if flags["dry_run"]:
        print_objects([*clusters.manifests(name, namespace=namespace_of(places), **asked)], flags["format"])
        return
    clusters.create(name, wait=waits, timeout=flags["timeout"], keep=flags["keep"], say=say, **places, **asked)
    echo(f"cluster {name} is {'up' if waits else 'made'}: scoremill score … --cluster {name}")


@cluster_group.command("list")
@click.option("--all-namespaces", is_flag=True, help="List objects in all namespaces.")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_command(all_namespaces: bool, as_json: bool, **flags: Any) -> None:
    """List clusters.

    \b
    Example:
      scoremill cluster list
    """
    found = clusters.list(all_namespaces=all_namespaces, **places_of(flags))
    if as_json:
        print_document(clusters=found)
    else:
        table(["NAME", "NAMESPACE", "WORKERS", "SCHEDULER", "AGE"], [_row(each) for each in found])


def _row(each: clusters.Summary) -> list[str]:
    ready = "ready" if each.ready else "not ready"
    return [each.name, each.namespace, each.workers, ready, format_seconds(each.age)]


@cluster_group.command("status")
@click.argument("name")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def status_command(name: str, as_json: bool, **flags: Any) -> None:
    """Show the nodes, workers, memory, and tasks of a cluster, and what it is waiting for.

    \b
    Example:
      scoremill cluster status trips
    """
    found = clusters.find(name, **places_of(flags)).status()
    if as_json:
        print_document(**plain(found))
        return
    echo("\n".join(_lines(found)))
    table(["WORKER", "NODE", "MEMORY", "LIMIT", "RUNS"], [_worker(each) for each in found.workers])


def _lines(found: clusters.ClusterStatus) -> Iterator[str]:
    yield f"{found.name} in {found.namespace}: {found.state}, {found.image}"
    if found.waits_for:
        yield f"waits for: {found.waits_for}"
    by_load = f", {found.range} by load" if found.range else ""
    yield f"workers   {len(found.workers)} of {found.wanted}{by_load}"
    if found.tasks:
        yield "tasks     " + ", ".join(f"{count} {state}" for state, count in found.tasks.items())


def _worker(each: clusters.Worker) -> list[str]:
    return [each.name, each.node, format_bytes(each.memory), format_bytes(each.limit), str(each.executing)]


@cluster_group.command("scale")
@click.argument("name")
@click.argument("count", type=workers, metavar="N|MIN:MAX")
@place_options
def scale_command(name: str, count: Workers, **flags: Any) -> None:
    """Change the number of workers, or the range for autoscaling.

    \b
    Examples:
      scoremill cluster scale trips 8
      scoremill cluster scale trips 0:20
    """
    clusters.scale(name, count, **places_of(flags))
    echo(f"cluster {name} asks for {described(count)}")


@cluster_group.command("logs")
@click.argument("name")
@click.option("--scheduler", is_flag=True, help="Show the logs of the scheduler (default).")
@click.option(
    "--worker", metavar="NAME", help="Show the logs of the worker with this name or end of a name, or of `all` workers."
)
@click.option(
    "--tail",
    metavar="N",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Number of lines to show of each pod.",
)
@place_options
def logs_command(name: str, scheduler: bool, worker: str | None, tail: int, **flags: Any) -> None:
    """Print the logs of the scheduler or the workers.

    \b
    Example:
      scoremill cluster logs trips --worker all --tail 20
    """
    if scheduler and worker:
        raise click.UsageError("--scheduler and --worker are two things; give one")
    for pod, text in clusters.find(name, **places_of(flags)).logs(worker, tail).items():
        echo(f"==> {pod} <==", err=True)
        echo(text)


@cluster_group.command("dashboard")
@click.argument("name")
@click.option(
    "--port", metavar="PORT", type=click.IntRange(0, 65535), default=0, help="Local port. Defaults to any free port."
)
@place_options
def dashboard_command(name: str, port: int, **flags: Any) -> None:
    """Forward the Dask dashboard to this machine until interrupted.

    \b
    Example:
      scoremill cluster dashboard trips --port 8787
    """
    from scoremill.kubernetes.cluster_status import front_page
    from scoremill.kubernetes.objects import names

    at = clusters.find(name, **places_of(flags))
    at.exists()
    with at.forward(names.HTTP_PORT, port) as forward:
        page = front_page(forward)
        if page is None:
            raise ClusterError(
                f"the scheduler of {name} does not answer" + (f": {forward.error}" if forward.error else ""),
                f"See scoremill cluster status {name}.",
                code="SchedulerUnreachable",
            )
        echo(f"http://127.0.0.1:{forward.port}{page}")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return


@cluster_group.command("down")
@click.argument("name", required=False)
@click.option("--all", "every", is_flag=True, help="Delete all clusters in the namespace.")
@click.option(
    "--timeout",
    type=seconds,
    metavar="TIME",
    default="180s",
    show_default=True,
    help="Maximum time to wait for each deletion.",
)
@place_options
def down_command(name: str | None, every: bool, timeout: float, **flags: Any) -> None:
    """Delete a cluster and wait until it is deleted. A cluster that does not exist is not an error.

    \b
    Example:
      scoremill cluster down trips
    """
    if bool(name) == every:
        raise click.UsageError("give the NAME of a cluster, or --all")
    places = places_of(flags)
    for each in [name] if name else [each.name for each in clusters.list(**places)]:
        found = clusters.delete(each, timeout=timeout, say=say, **places)
        echo(f"cluster {each} is deleted" if found else f"cluster {each} does not exist")
