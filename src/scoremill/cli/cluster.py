"""`scoremill cluster`: Dask on Kubernetes, through dask-kubernetes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from scoremill.errors import ClusterError, ScoremillError
from scoremill.units import format_bytes, format_seconds

from .flags.clusters import described, namespace_of, objects, place_options, places_of, seconds, unissued, workers
from .views.display import echo, print_objects, say, table
from .views.document import print_document

if TYPE_CHECKING:
    from scoremill.kubernetes.clusters import Named
    from scoremill.spec import Workers


@click.group("cluster")
def cluster_group() -> None:
    """Start, look at and remove Dask clusters on Kubernetes, through dask-kubernetes."""


@cluster_group.command("up")
@click.argument("name")
@click.option("--workers", type=workers, default="1", show_default=True, metavar="N|MIN:MAX",
              help="Workers, or a range that follows the load: 0:20.")  # fmt: skip
@click.option("--memory", help="Memory of a worker's pod (4GiB).")
@click.option("--cpu", type=float, help="Cores that a worker's pod asks for (1).")
@click.option("--image", help="Container image of scheduler and workers; scoremill's own by default.")
@click.option("--secret", help="Secret whose keys become the workers' environment: credentials of buckets.")
@click.option("--service-account", help="Service account of the workers, for a bucket's workload identity.")
@click.option("--env", multiple=True, help="Further environment of the workers: NAME=VALUE. No secrets.")
@click.option("--idle-timeout", type=seconds, metavar="TIME", default="30m", show_default=True,
              help="Remove the cluster after so long without work; 0 for never.")  # fmt: skip
@click.option("--template", type=click.Path(), help="YAML file laid over the DaskCluster.")
@click.option(
    "--timeout", type=seconds, metavar="TIME", default="300s", show_default=True, help="How long to wait for all of it."
)
@click.option("--wait/--no-wait", default=True, help="Return when all workers are there, or at once.")
@click.option("--keep", is_flag=True, help="Leave a cluster that did not come up, to look at it.")
@click.option("--dry-run", is_flag=True, help="Print the objects and make nothing.")
@click.option("-o", "format", type=click.Choice(["yaml", "json"]), default="yaml", help="Format of --dry-run.")
@place_options
def up_command(name: str, **flags: Any) -> None:
    """Start a cluster and wait until its workers are there.

    What cannot come up is removed again, and the cause is told. The same command again, in place of an interrupted
    one, goes on waiting.

    \b
    Examples:
      scoremill cluster up trips --workers 4
      scoremill cluster up trips --workers 0:20 --memory 8GiB --secret buckets
    """
    places, waits, keep = places_of(flags), flags["wait"], flags["keep"]
    if flags["dry_run"]:
        print_objects(objects(name, namespace_of(places), flags, unissued()), flags["format"])
        return
    from scoremill.kubernetes.clusters import create, named
    from scoremill.kubernetes.objects import issue

    at = named(name, places)
    cluster, *children = objects(name, at.kube.namespace, flags, issue(name, at.kube.namespace))
    made = create(at, cluster, children)
    if waits:
        _wait_or_remove(at, flags["timeout"], removes=made and not keep)
    echo(f"cluster {name} is {'up' if waits else 'made'}: scoremill score … --cluster {name}")


def _wait_or_remove(at: Named, seconds: float, *, removes: bool) -> None:
    from scoremill.kubernetes.readiness import remove, wait_until_up

    try:
        wait_until_up(at, seconds, say)
    except ScoremillError:
        if removes:
            say("not up in time: removing it again (--keep leaves it to be looked at)")
            try:
                # dask-kubernetes' operator rests for 60 s where it has met a connection that broke.
                remove(at, 120, say)
            except ScoremillError as left:
                say(str(left))
        raise


@cluster_group.command("list")
@click.option("--all-namespaces", is_flag=True, help="Of all namespaces.")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_command(all_namespaces: bool, as_json: bool, **flags: Any) -> None:
    """List clusters.

    \b
    Example:
      scoremill cluster list
    """
    from scoremill.kubernetes.client import connect
    from scoremill.kubernetes.cluster_status import clusters

    found = clusters(connect(**places_of(flags)), everywhere=all_namespaces)
    if as_json:
        print_document(clusters=found)
        return
    table(["NAME", "NAMESPACE", "WORKERS", "SCHEDULER", "AGE"], [
        [each["name"], each["namespace"], each["workers"], "ready" if each["ready"] else "not ready",
         format_seconds(each["age"])] for each in found
    ])  # fmt: skip


@cluster_group.command("status")
@click.argument("name")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def status_command(name: str, as_json: bool, **flags: Any) -> None:
    """Show nodes, workers, memory and tasks of a cluster, and what it waits for.

    \b
    Example:
      scoremill cluster status trips
    """
    from scoremill.kubernetes.cluster_status import status
    from scoremill.kubernetes.clusters import named

    found = status(named(name, places_of(flags)))
    if as_json:
        print_document(**found)
        return
    echo(f"{name} in {found['namespace']}: {found['state']}, {found['image']}")
    if found["waitsFor"]:
        echo(f"waits for: {found['waitsFor']}")
    echo(f"workers   {len(found['workers'])} of {found['wanted']}" + (
        f", {found['range']} by load" if found["range"] else ""))  # fmt: skip
    if found["tasks"]:
        echo("tasks     " + ", ".join(f"{count} {state}" for state, count in found["tasks"].items()))
    table(["WORKER", "NODE", "MEMORY", "LIMIT", "RUNS"], [
        [each["name"], each["node"], format_bytes(each["memory"]), format_bytes(each["limit"]), str(each["executing"])]
        for each in found["workers"]
    ])  # fmt: skip


@cluster_group.command("scale")
@click.argument("name")
@click.argument("count", type=workers, metavar="N|MIN:MAX")
@place_options
def scale_command(name: str, count: Workers, **flags: Any) -> None:
    """Change the number of workers, or the range that follows the load.

    \b
    Examples:
      scoremill cluster scale trips 8
      scoremill cluster scale trips 0:20
    """
    from scoremill.kubernetes.clusters import named, scale

    scale(named(name, places_of(flags)), count)
    echo(f"cluster {name} asks for {described(count)}")


@cluster_group.command("logs")
@click.argument("name")
@click.option("--scheduler", is_flag=True, help="Of the scheduler; so without --worker.")
@click.option("--worker", help="Of this worker, by its name or the end of it; all: of every worker.")
@click.option("--tail", type=click.IntRange(min=1), default=100, show_default=True, help="Lines of each.")
@place_options
def logs_command(name: str, scheduler: bool, worker: str | None, tail: int, **flags: Any) -> None:
    """Print the last lines that scheduler or workers have logged.

    \b
    Example:
      scoremill cluster logs trips --worker all --tail 20
    """
    from scoremill.kubernetes.cluster_status import logs
    from scoremill.kubernetes.clusters import named

    if scheduler and worker:
        raise click.UsageError("--scheduler and --worker are two things; give one")
    for pod, text in logs(named(name, places_of(flags)), worker, tail):
        echo(f"==> {pod} <==", err=True)
        echo(text)


@cluster_group.command("dashboard")
@click.argument("name")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of this machine; any free one by default.")
@place_options
def dashboard_command(name: str, port: int, **flags: Any) -> None:
    """Forward the scheduler's pages to this machine and print their address, until Ctrl-C.

    \b
    Example:
      scoremill cluster dashboard trips --port 8787
    """
    from scoremill.kubernetes.cluster_status import front_page
    from scoremill.kubernetes.clusters import named
    from scoremill.kubernetes.objects import names

    at = named(name, places_of(flags))
    at.exists()
    with at.forward(names.HTTP_PORT, port) as forward:
        page = front_page(forward)
        if page is None:
            raise ClusterError(
                f"the scheduler of {name} does not answer" + (f": {forward.error}" if forward.error else ""),
                f"See scoremill cluster status {name}.",
            )
        echo(f"http://127.0.0.1:{forward.port}{page}")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return


@cluster_group.command("down")
@click.argument("name", required=False)
@click.option("--all", "every", is_flag=True, help="Every cluster of the namespace.")
@click.option(
    "--timeout",
    type=seconds,
    metavar="TIME",
    default="180s",
    show_default=True,
    help="How long to wait for each to go.",
)
@place_options
def down_command(name: str | None, every: bool, timeout: float, **flags: Any) -> None:
    """Remove a cluster, and return when nothing of it is left. One that is not there is no error.

    \b
    Example:
      scoremill cluster down trips
    """
    from scoremill.kubernetes.client import connect
    from scoremill.kubernetes.cluster_status import clusters
    from scoremill.kubernetes.clusters import Named, named
    from scoremill.kubernetes.readiness import remove

    if bool(name) == every:
        raise click.UsageError("give the NAME of a cluster, or --all")
    places = places_of(flags)
    if name:
        doomed = [named(name, places)]
    else:
        kube = connect(**places)
        doomed = [Named(kube, each["name"]) for each in clusters(kube)]
    for at in doomed:
        found = remove(at, timeout, say)
        echo(f"cluster {at.name} is gone" if found else f"there was no cluster {at.name}")
