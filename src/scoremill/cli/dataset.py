"""`scoremill dataset load|list|drop`: inputs in the memory of a running cluster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from scoremill import datasets
from scoremill.units import format_bytes

from .flags.clusters import check_address, place_options, places_of
from .flags.options import STORAGE, job_from, part_options
from .flags.sections import Sectioned
from .views.display import echo, say
from .views.document import print_document
from .views.logs import verbose_option
from .views.progress import ProgressView

if TYPE_CHECKING:
    from scoremill.execute.datasets.dataset import Dataset

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group("dataset")
def dataset_group() -> None:
    """Load inputs into the memory of a cluster, to score them with several models."""


def _on_a_cluster(command: Command) -> Command:
    command = verbose_option(place_options(command))
    command = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)
    text = "A cluster of `scoremill cluster up`, or a scheduler's address: tcp://… or tls://…"
    return click.option("--cluster", required=True, metavar="WHERE", help=text)(command)


@dataset_group.command("load", cls=Sectioned)
@click.argument("uris", nargs=-1, required=True, metavar="INPUT...")
@click.option("--name", metavar="NAME", required=True, help="Name of the dataset.")
@click.option(
    "--for",
    "models",
    multiple=True,
    metavar="BUNDLE",
    help="Load the columns that this model reads. Can be given several times.",
)
@click.option("--columns", metavar="COLUMNS", multiple=True, help="Additional columns to load: a,b, or '*' for all.")
@part_options("spec.input.", STORAGE, but=["--input"])
@_on_a_cluster
@click.option("--quiet", is_flag=True, help="Do not show progress.")
def load_command(
    uris: tuple[str, ...],
    name: str,
    models: tuple[str, ...],
    columns: tuple[str, ...],
    cluster: str,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Load INPUT (paths, URIs, or globs of CSV or Parquet) into the memory of a cluster.

    It stays there until it is dropped or the cluster ends. What a lost worker held is read again.

    \b
    Examples:
      scoremill dataset load 's3://b/2009/*.csv' --name trips --cluster tcp://host:8786 --for s3://models/tips/1
      scoremill dataset load 's3://b/2009/*.csv' --name trips --cluster tcp://host:8786 --columns fare,vendor
    """
    spec = job_from(None, {**flags, "model": "unread", "input": uris, "keep": columns}, writes=False).spec
    read: Any = {"models": models, "columns": spec.output.keep, "storage": spec.storage}
    check_address(cluster)
    with ProgressView(quiet=quiet) as progress:
        dataset = datasets.load(name, spec.input, **read, watchers=[progress], **_where(cluster, flags))
    if as_json:
        print_document(**_fields(dataset), workers=dataset.by_worker)
        return
    echo(
        f"{dataset.name}: {dataset.rows:,} rows, {dataset.rejected:,} that cannot be read, "
        f"{format_bytes(dataset.bytes)} in memory"
    )
    for worker, size in dataset.by_worker.items():
        echo(f"  {worker}  {format_bytes(size)}")


@dataset_group.command("list")
@_on_a_cluster
def list_command(cluster: str, as_json: bool, **flags: Any) -> None:
    """List the datasets in a cluster.

    \b
    Example:
      scoremill dataset list --cluster tcp://host:8786
    """
    check_address(cluster)
    found = datasets.list(**_where(cluster, flags))
    if as_json:
        print_document(datasets=[_fields(dataset) for dataset in found])
        return
    for dataset in found:
        fields = _fields(dataset)
        echo(f"{dataset.name}  {dataset.rows:,} rows  {format_bytes(dataset.bytes)}  loaded {fields['loaded']}")
        echo(f"  from     {', '.join(dataset.input.uris)}")
        echo(f"  columns  {', '.join(fields['columns'])}")
        if dataset.input.where:
            echo(f"  where    {dataset.input.where}")


@dataset_group.command("drop")
@click.argument("name")
@_on_a_cluster
def drop_command(name: str, cluster: str, as_json: bool, **flags: Any) -> None:
    """Unload the dataset NAME from a cluster. Its source is not changed.

    \b
    Example:
      scoremill dataset drop trips --cluster tcp://host:8786
    """
    check_address(cluster)
    datasets.drop(name, **_where(cluster, flags))
    if as_json:
        print_document(dropped=name)
    else:
        echo(f"dropped {name}")


def _where(cluster: str, flags: dict[str, Any]) -> dict[str, Any]:
    return {"cluster": cluster, "say": say, **places_of(flags)}


def _fields(dataset: Dataset) -> dict[str, Any]:
    """A dataset as text and as JSON."""
    return {
        "name": dataset.name,
        "uris": list(dataset.input.uris),
        "where": dataset.input.where,
        "columns": list(dataset.columns),
        "rows": dataset.rows,
        "rejected": dataset.rejected,
        "partitions": len(dataset.pieces),
        "bytes": dataset.bytes,
        "loaded": datetime.fromtimestamp(dataset.loaded, UTC).isoformat(timespec="seconds"),
    }
